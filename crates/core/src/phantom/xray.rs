//! The thorax phantom as a chest X-ray: line integrals of attenuation through the standing body, then the logarithm and
//! the tone curve of a digital system. Parallel rays from back to front, so the masks are exact shadows.

use super::PhantomError;
use super::noise::{normal, smooth};
use super::shape::{Ellipse, Ellipsoid, Tube, coverage, mix, smoothstep};
use super::skeleton::{Skeleton, airways, disc_phase, great_vessels, waist};
use super::thorax::{NODULE, Pose, SPINE_HALF, Side, Thorax, diaphragm_z_mm};
use super::vessels::lung_vessels;
use crate::frame::{Frame, Rescale, Samples};
use crate::label::{BitPlane, Mask};
use crate::windowing::Window;
use glam::Vec3;
use std::sync::Arc;

/// A frontal chest X-ray (PA: the patient's right is on the left of the image) and what is true in it.
#[derive(Debug, Clone)]
pub struct PhantomXray {
    /// 12 bit, MONOCHROME2.
    pub frame: Frame,
    /// Size of a pixel at the detector, `[between rows, between columns]` in mm.
    pub pixel_spacing_mm: [f64; 2],
    /// The window that shows all of it well.
    pub window: Window,
    /// Shadow of the right lung with the part behind the heart, as readers outline it: down to the dome (the lung in the
    /// recess behind it is left out) and up to the spine.
    pub right_lung: Mask,
    /// The same of the left lung.
    pub left_lung: Mask,
}

/// Columns and rows of the X-ray phantom.
pub const XRAY_PIXELS: [usize; 2] = [1152, 1152];
/// Size of its pixels in mm.
pub const XRAY_PIXEL_MM: f32 = 0.33;
/// Height of the first row, mm above the carina.
const TOP_Z_MM: f32 = 172.0;
/// Lung thickness and mediastinum are worked out on every third pixel.
const COARSE: usize = 3;
const DEPTH_STEP_MM: f32 = 2.5;
/// Less lung than this along a ray leaves no shadow that an eye would outline.
const SHADOW_MM: f32 = 8.0;
/// Nor does one outline the strips of lung before and beside the spine, within this distance of the midline.
const SPINE_SHADOW_MM: f32 = 21.0;

/// Attenuation relative to water, at about 80 keV.
const MUSCLE: f32 = 1.04;
const FAT: f32 = 0.90;
const LUNG: f32 = 0.20;
const COMPACT_BONE: f32 = 3.3;
const SPONGY_BONE: f32 = 1.50;

struct Field {
    columns: usize,
    rows: usize,
    mm: f32,
    values: Vec<f32>,
}

impl Field {
    fn x(&self, i: f32) -> f32 {
        (i - (self.columns as f32 - 1.0) / 2.0) * self.mm
    }

    fn z(&self, j: f32) -> f32 {
        TOP_Z_MM - j * self.mm
    }

    /// Adds `amount(x, z)` to the pixels round a box in mm.
    fn add(&mut self, x: (f32, f32), z: (f32, f32), amount: impl Fn(f32, f32) -> f32) {
        let half = (self.columns as f32 - 1.0) / 2.0;
        let column = |v: f32| (v / self.mm + half).clamp(0.0, self.columns as f32);
        let row = |v: f32| ((TOP_Z_MM - v) / self.mm).clamp(0.0, self.rows as f32);
        let (i0, i1) = (column(x.0).floor() as usize, column(x.1 + self.mm).ceil() as usize);
        let (j0, j1) = (row(z.1).floor() as usize, row(z.0 - self.mm).ceil() as usize);
        for j in j0..j1.min(self.rows) {
            for i in i0..i1.min(self.columns) {
                let v = amount(self.x(i as f32), self.z(j as f32));
                self.values[j * self.columns + i] += v;
            }
        }
    }

    fn add_tube(&mut self, t: &Tube, amount: impl Fn(f32, f32) -> f32) {
        let r = t.radius();
        let (low, high) = t.z_range();
        self.add((t.a.x.min(t.b.x) - r, t.a.x.max(t.b.x) + r), (low, high), amount);
    }

    fn add_ellipsoid(&mut self, e: &Ellipsoid, weight: f32) {
        let r = e.half.max_element();
        self.add((e.centre.x - r, e.centre.x + r), (e.centre.z - r, e.centre.z + r), |x, z| weight * e.chord_y(x, z));
    }
}

/// What a coarse pixel knows.
struct Lungs {
    columns: usize,
    rows: usize,
    /// Thickness of each lung in mm along the ray, right then left.
    thickness: [Vec<f32>; 2],
}

impl Lungs {
    fn new(thorax: &Thorax, columns: usize, rows: usize, mm: f32) -> Self {
        let mut thickness = [vec![0.0_f32; columns * rows], vec![0.0_f32; columns * rows]];
        for j in 0..rows {
            let z = TOP_Z_MM - j as f32 * mm;
            if !(-190.0..=120.0).contains(&z) {
                continue;
            }
            let level = thorax.level(z);
            let (low, high) =
                (level.cavity.centre_y - level.cavity.half[1], level.cavity.centre_y + level.cavity.half[1]);
            for i in 0..columns {
                let x = (i as f32 - (columns as f32 - 1.0) / 2.0) * mm;
                if x.abs() > level.cavity.half[0] {
                    continue;
                }
                let side = if x < 0.0 { Side::Right } else { Side::Left };
                let mut sum = 0.0;
                for step in 0..((high - low) / DEPTH_STEP_MM) as usize {
                    let y = low + (step as f32 + 0.5) * DEPTH_STEP_MM;
                    let d = level.lung_distance(side, x, y, level.cavity.distance(x, y));
                    sum += coverage(d, DEPTH_STEP_MM) * DEPTH_STEP_MM;
                }
                thickness[usize::from(side == Side::Left)][j * columns + i] = sum;
            }
        }
        Self { columns, rows, thickness }
    }

    fn at(&self, side: usize, i: usize, j: usize) -> f32 {
        let (x, y) = (i as f32 / COARSE as f32, j as f32 / COARSE as f32);
        let (i0, j0) = ((x as usize).min(self.columns - 1), (y as usize).min(self.rows - 1));
        let (i1, j1) = ((i0 + 1).min(self.columns - 1), (j0 + 1).min(self.rows - 1));
        let (u, v) = (x - i0 as f32, y - j0 as f32);
        let t = &self.thickness[side];
        let get = |i: usize, j: usize| t[j * self.columns + i];
        mix(mix(get(i0, j0), get(i1, j0), u), mix(get(i0, j1), get(i1, j1), u), v)
    }
}

/// Makes the X-ray phantom.
///
/// # Errors
/// [`PhantomError`] when the image cannot be made into a frame.
pub fn chest_xray() -> Result<PhantomXray, PhantomError> {
    let [columns, rows] = XRAY_PIXELS;
    let thorax = Thorax::new(Pose::Standing);
    let skeleton = Skeleton::new(&thorax);
    let lungs =
        Lungs::new(&thorax, columns.div_ceil(COARSE) + 1, rows.div_ceil(COARSE) + 1, XRAY_PIXEL_MM * COARSE as f32);

    let mut field = Field { columns, rows, mm: XRAY_PIXEL_MM, values: vec![0.0; columns * rows] };
    add_soft_tissue(&mut field, &thorax);
    let [right_lung, left_lung] = add_lungs(&mut field, &lungs);
    add_vessels(&mut field, &thorax);
    add_air(&mut field, &thorax);
    add_bones(&mut field, &skeleton);
    add_spine(&mut field);
    field.add_ellipsoid(&NODULE, MUSCLE - LUNG);

    let samples = tone(&field);
    let frame = Frame::new(columns, rows, Samples::U16(samples), Rescale::default())?;
    Ok(PhantomXray {
        frame,
        pixel_spacing_mm: [f64::from(XRAY_PIXEL_MM); 2],
        window: Window::new(3200.0, 1900.0),
        right_lung,
        left_lung,
    })
}

fn add_soft_tissue(field: &mut Field, thorax: &Thorax) {
    for j in 0..field.rows {
        let z = field.z(j as f32);
        let level = thorax.level(z);
        let mut inner = level.body;
        inner.half = [inner.half[0] - level.fat_mm, inner.half[1] - level.fat_mm];
        // The arms leave the trunk at the shoulder and the image soon after.
        let arm_x = 160.0 + 0.50 * (84.0 - z).max(0.0);
        let arm_half = mix(40.0, 33.0, smoothstep(60.0, -80.0, z)) * smoothstep(124.0, 96.0, z);
        for i in 0..field.columns {
            let x = field.x(i as f32);
            let muscle = 2.0 * inner.half_depth(x);
            let fat = 2.0 * level.body.half_depth(x) - muscle;
            let mut v = MUSCLE * muscle + FAT * fat;
            if z < 20.0 && z > -130.0 {
                v += 0.93 * level.breast_chord_mm(x);
            }
            if arm_half > 1.0 {
                let u = (x.abs() - arm_x) / arm_half;
                if u.abs() < 1.0 {
                    let chord = 2.0 * arm_half * (1.0 - u * u).sqrt();
                    // Where the arm joins the trunk, the thicker of the two counts, with a soft passage.
                    v = (v.powi(4) + chord.powi(4)).sqrt().sqrt();
                }
            }
            field.values[j * field.columns + i] += v;
        }
    }
}

fn add_lungs(field: &mut Field, lungs: &Lungs) -> [Mask; 2] {
    let (columns, rows) = (field.columns, field.rows);
    let mut masks = [Mask::new([columns, rows, 1]), Mask::new([columns, rows, 1])];
    for (side, which) in Side::BOTH.into_iter().enumerate() {
        let mut mask = vec![false; columns * rows];
        // The dome's silhouette: the highest point of the diaphragm along the ray is above its peak.
        let peak_y = if which == Side::Right { -12.0 } else { -8.0 };
        for j in 0..rows {
            let z = field.z(j as f32);
            for i in 0..columns {
                let t = lungs.at(side, i, j);
                if t > 0.0 {
                    field.values[j * columns + i] -= (MUSCLE - LUNG) * t;
                    let x = field.x(i as f32);
                    mask[j * columns + i] =
                        t > SHADOW_MM && x.abs() > SPINE_SHADOW_MM && z > diaphragm_z_mm(which, x, peak_y);
                }
            }
        }
        masks[side].set_plane(0, Some(Arc::new(BitPlane::from_bools(&mask))));
    }
    masks
}

fn add_vessels(field: &mut Field, thorax: &Thorax) {
    for t in lung_vessels(thorax) {
        field.add_tube(&t, |x, z| (MUSCLE - LUNG) * t.chord_y(x, z, 0.0));
    }
    for t in great_vessels() {
        // Blood in soft tissue shows little; it is what borders on lung that is seen, and that the lungs' shape does.
        field.add_tube(&t, |x, z| 0.12 * t.chord_y(x, z, 0.0));
    }
}

fn add_air(field: &mut Field, thorax: &Thorax) {
    for t in airways() {
        let weight = if t.radius() > 6.9 { -0.95 } else { -0.55 };
        field.add_tube(&t, |x, z| weight * t.chord_y(x, z, 0.0));
    }
    // The bubble under the left dome, flat below where the fluid stands.
    let stomach = &thorax.stomach;
    let (fluid_z, r) = (-138.0, stomach.half.x);
    field.add(
        (stomach.centre.x - r, stomach.centre.x + r),
        (fluid_z - 3.0, stomach.centre.z + stomach.half.z),
        |x, z| -0.65 * stomach.chord_y(x, z) * smoothstep(fluid_z - 3.0, fluid_z + 2.0, z),
    );
    // Gas in the bowel: a few soft bubbles.
    for (x, z, a, b) in [(96.0, -176.0, 26.0, 15.0), (34.0, -188.0, 24.0, 12.0), (-40.0, -204.0, 30.0, 12.0)] {
        field.add_ellipsoid(&Ellipsoid::new(Vec3::new(x, -30.0, z), Vec3::new(a, 22.0, b)), -0.55);
    }
}

fn add_bones(field: &mut Field, skeleton: &Skeleton) {
    for t in &skeleton.bones {
        let long_bone = t.radius() > 9.0;
        field.add_tube(t, |x, z| {
            // The shaft of the arm has a thick wall that thins out towards the head.
            let wall = if long_bone { mix(3.2, 0.3, smoothstep(30.0, 66.0, z)) } else { 0.85 };
            let outer = t.chord_y(x, z, 0.0);
            if outer == 0.0 {
                return 0.0;
            }
            let inner = t.chord_y(x, z, wall);
            (COMPACT_BONE - MUSCLE) * (outer - inner) + (SPONGY_BONE - MUSCLE) * inner
        });
    }
    for t in &skeleton.processes {
        field.add_tube(t, |x, z| 0.75 * t.chord_y(x, z, 0.0));
    }
    for t in &skeleton.cartilage {
        field.add_tube(t, |x, z| 0.10 * t.chord_y(x, z, 0.0));
    }
    for plate in &skeleton.scapulae {
        let c = plate.corners;
        let x = c.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |a, p| (a.0.min(p.x), a.1.max(p.x)));
        let z = c.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |a, p| (a.0.min(p.z), a.1.max(p.z)));
        field.add((x.0 - 2.0, x.1 + 2.0), (z.0 - 2.0, z.1 + 2.0), |x, z| 3.2 * plate.chord_y(x, z));
    }
    for head in &skeleton.shoulder_heads {
        let mut core = *head;
        core.half -= Vec3::splat(1.5);
        field.add_ellipsoid(head, COMPACT_BONE - MUSCLE);
        field.add_ellipsoid(&core, SPONGY_BONE - COMPACT_BONE);
    }
}

fn add_spine(field: &mut Field) {
    field.add((-26.0, 26.0), (-220.0, TOP_Z_MM), |x, z| {
        let disc = smoothstep(0.74, 0.92, disc_phase(z));
        let plate = smoothstep(0.68, 0.76, disc_phase(z)) * (1.0 - disc);
        let w = waist(z);
        let chord = |half: [f32; 2]| {
            let u = x / half[0];
            if u.abs() < 1.0 { 2.0 * half[1] * (1.0 - u * u).sqrt() } else { 0.0 }
        };
        let outer = chord([SPINE_HALF[0] * w, SPINE_HALF[1] * w]);
        let inner = chord([SPINE_HALF[0] * w - 1.4, SPINE_HALF[1] * w - 1.4]);
        let bone = (COMPACT_BONE - MUSCLE) * (outer - inner) + (SPONGY_BONE - MUSCLE + 0.45 * plate) * inner;
        // Roots of the arch, seen end on: rings.
        let t = ((z - 3.0 - super::skeleton::T1_Z_MM) / super::skeleton::VERTEBRA_PITCH_MM).round();
        let centre = super::skeleton::T1_Z_MM + t * super::skeleton::VERTEBRA_PITCH_MM + 3.0;
        let ring = Ellipse::new([11.0, centre], [4.6, 6.4]).distance(x.abs(), z);
        let root = 7.0 * smoothstep(1.6, 0.0, ring.abs()) + 3.0 * smoothstep(0.5, -1.5, ring);
        0.62 * bone * (1.0 - disc) + 0.6 * root
    });
    // Breastbone: nearly lost before the spine, but its handle's edges show.
    field.add((-30.0, 30.0), (-92.0, 76.0), |x, z| {
        let half = if z > 36.0 {
            mix(17.0, 27.0, smoothstep(36.0, 66.0, z))
        } else {
            mix(8.0, 16.0, smoothstep(-92.0, -60.0, z))
        };
        4.0 * smoothstep(1.0, -2.0, x.abs() - half) * smoothstep(76.0, 70.0, z)
    });
}

/// Mean over a square of `2 × radius + 1` pixels, edges repeated.
fn box_blur(values: &[f32], columns: usize, rows: usize, radius: usize) -> Vec<f32> {
    let line = |get: &dyn Fn(usize) -> f32, n: usize, put: &mut dyn FnMut(usize, f32)| {
        let at = |i: isize| get(i.clamp(0, n as isize - 1) as usize);
        let r = radius as isize;
        let mut sum: f64 = (-r..=r).map(|i| f64::from(at(i))).sum();
        for i in 0..n {
            put(i, (sum / (2 * radius + 1) as f64) as f32);
            sum += f64::from(at(i as isize + r + 1)) - f64::from(at(i as isize - r));
        }
    };
    let mut across = vec![0.0; values.len()];
    for j in 0..rows {
        line(&|i| values[j * columns + i], columns, &mut |i, v| across[j * columns + i] = v);
    }
    let mut out = vec![0.0; values.len()];
    for i in 0..columns {
        line(&|j| across[j * columns + i], rows, &mut |j, v| out[j * columns + i] = v);
    }
    out
}

/// From the line integrals (mm of water) to 12-bit grey: scatter, detector blur and noise, the levelling of large
/// areas that digital systems do, the tone curve, the collimator.
fn tone(field: &Field) -> Vec<u16> {
    let (columns, rows) = (field.columns, field.rows);
    let sharp = box_blur(&field.values, columns, rows, 1);
    let near = box_blur(&box_blur(&sharp, columns, rows, 9), columns, rows, 9);
    let wide = box_blur(&box_blur(&sharp, columns, rows, 70), columns, rows, 70);
    let mut out = Vec::with_capacity(columns * rows);
    for j in 0..rows {
        for i in 0..columns {
            let at = j * columns + i;
            let line_mm = sharp[at].max(0.0);
            let body = smoothstep(0.0, 40.0, line_mm);
            // Large areas are pressed together, structures are kept, fine detail is raised.
            let levelled = 0.68 * wide[at] + 1.05 * (near[at] - wide[at]) + 2.1 * (sharp[at] - near[at]);
            let levelled_mm = mix(line_mm, levelled, body).max(0.0);
            let noise_mm = 0.9 * normal(i as i32, j as i32, 0, 77) * (0.8 + line_mm / 130.0)
                + 1.6 * smooth(Vec3::new(i as f32 / 2.2, j as f32 / 2.2, 0.0), 78);
            let t = (levelled_mm + noise_mm * body).max(0.0);
            // Toe and shoulder of the tone curve.
            let toe = t * t / (t + 55.0);
            let grey = toe / (toe + 95.0) * 1.42;
            // The collimator leaves a soft black frame.
            let edge = i.min(columns - 1 - i).min(j).min(rows - 1 - j) as f32;
            let open = smoothstep(6.0, 16.0, edge);
            let dark = 60.0 + 12.0 * normal(i as i32, j as i32, 1, 79);
            let marker = smoothstep(0.6, 0.0, marker_distance_mm(field.x(i as f32), field.z(j as f32)));
            let grey = mix(grey, 0.97, 0.9 * marker);
            out.push((dark + 3700.0 * grey * open).round().clamp(0.0, 4095.0) as u16);
        }
    }
    out
}

/// Distance to the lead letter R on the patient's right.
fn marker_distance_mm(x: f32, z: f32) -> f32 {
    let (u, v) = (x + 158.0, z - 138.0);
    if !(-8.0..=16.0).contains(&u) || !(-10.0..=10.0).contains(&v) {
        return 99.0;
    }
    let stroke = |a: [f32; 2], b: [f32; 2]| {
        let (dx, dv) = (b[0] - a[0], b[1] - a[1]);
        let t = (((u - a[0]) * dx + (v - a[1]) * dv) / (dx * dx + dv * dv)).clamp(0.0, 1.0);
        (u - a[0] - t * dx).hypot(v - a[1] - t * dv)
    };
    let bow = if u > 4.0 { ((u - 4.0).hypot(v - 3.0) - 4.0).abs() } else { 99.0 };
    let strokes = [
        stroke([0.0, -7.0], [0.0, 7.0]),
        stroke([0.0, 7.0], [4.0, 7.0]),
        stroke([0.0, -1.0], [4.0, -1.0]),
        stroke([3.0, -1.0], [8.0, -7.0]),
        bow,
    ];
    strokes.into_iter().fold(f32::INFINITY, f32::min) - 0.7
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lungs_are_dark_on_their_own_side_and_the_heart_is_on_the_left() {
        let x = chest_xray().expect("valid");
        let mean = |inside: &dyn Fn(usize, usize) -> bool| {
            let (mut sum, mut n) = (0.0_f64, 0.0_f64);
            for j in 0..XRAY_PIXELS[1] {
                for i in 0..XRAY_PIXELS[0] {
                    if inside(i, j) {
                        sum += f64::from(x.frame.value(i, j).expect("inside"));
                        n += 1.0;
                    }
                }
            }
            (sum / n, n)
        };
        let (right, right_pixels) = mean(&|i, j| x.right_lung.get([i, j, 0]));
        let (left, left_pixels) = mean(&|i, j| x.left_lung.get([i, j, 0]));
        let (spine, _) = mean(&|i, j| (560..592).contains(&i) && (500..800).contains(&j));
        assert!(right + 600.0 < spine && left + 500.0 < spine, "{right} {left} {spine}");
        assert!(left > right, "the heart's shadow lies in the left mask");
        let cm2 = |n: f64| n * x.pixel_spacing_mm[0] * x.pixel_spacing_mm[1] / 100.0;
        assert!((180.0..330.0).contains(&cm2(right_pixels)) && (160.0..330.0).contains(&cm2(left_pixels)));
        assert!(x.right_lung.get([330, 500, 0]) && !x.right_lung.get([800, 500, 0]));
        assert!(x.left_lung.get([800, 500, 0]));
    }
}

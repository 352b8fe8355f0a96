//! The thorax phantom as a CT with contrast, in Hounsfield units, with the masks that are true by construction.

use std::sync::Arc;

use glam::{DVec3, Vec3};

use super::PhantomError;
use super::noise::{normal, smooth};
use super::shape::{Ellipse, Tube, coverage, mix, smoothstep};
use super::skeleton::{Skeleton, airways, disc_phase, great_vessels, waist};
use super::thorax::{Level, NODULE, Pose, SPINE_HALF, Side, Thorax};
use super::vessels::lung_vessels;
use crate::frame::{Frame, Rescale, Samples};
use crate::geometry::VolumeGeometry;
use crate::label::{BitPlane, Mask};
use crate::space::PatientPos;
use crate::volume::Volume;

/// Grid of a CT phantom: square slices round the midline, from the upper abdomen to the neck.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CtGrid {
    /// Columns and rows, 16 to 1024.
    pub pixels: usize,
    /// Slices, 2 to 1024.
    pub slices: usize,
    /// Diameter of the reconstructed circle in mm.
    pub field_mm: f64,
    /// Step from slice to slice in mm.
    pub step_mm: f64,
}

impl Default for CtGrid {
    /// 256 × 256 × 120 voxels of 1.5 × 1.5 × 2.5 mm.
    fn default() -> Self {
        Self { pixels: 256, slices: 120, field_mm: 384.0, step_mm: 2.5 }
    }
}

/// A CT thorax and what is true in it.
#[derive(Debug, Clone)]
pub struct PhantomCt {
    /// HU: signed 16 bit, slope 1, intercept -1024; outside the circle the padding value -2000.
    pub volume: Volume,
    /// Right lung with the vessels in it.
    pub right_lung: Mask,
    /// Left lung with the vessels in it.
    pub left_lung: Mask,
    /// Heart with its chambers, without the fat around it.
    pub heart: Mask,
    /// A solid ball of 8 mm in the right lower lobe.
    pub nodule: Mask,
}

/// Stored value outside the reconstructed circle.
pub const CT_PADDING: i16 = -2000;
const INTERCEPT: f32 = -1024.0;
/// Height of the lowest slice in the phantom's own coordinates.
const BOTTOM_Z_MM: f64 = -172.0;
/// Where the phantom's own origin (the carina) lies in the patient: a scanner's zero is elsewhere.
const PATIENT_FROM_PHANTOM_MM: DVec3 = DVec3::new(0.0, -148.0, -142.5);

struct Parts<'a> {
    thorax: &'a Thorax,
    skeleton: &'a Skeleton,
    air: &'a [Tube],
    great: &'a [Tube],
    lung: &'a [Tube],
}

/// Makes the CT phantom. Sizes outside the ranges of [`CtGrid`] are brought into them.
///
/// # Errors
/// [`PhantomError`] when the grid cannot be made into a volume.
pub fn ct_thorax(grid: CtGrid) -> Result<PhantomCt, PhantomError> {
    let pixels = grid.pixels.clamp(16, 1024);
    let slices = grid.slices.clamp(2, 1024);
    let pixel_mm = grid.field_mm.clamp(50.0, 1000.0) / pixels as f64;
    let step_mm = grid.step_mm.clamp(0.1, 20.0);
    let thorax = Thorax::new(Pose::Lying);
    let skeleton = Skeleton::new(&thorax);
    let (air, great, lung) = (airways(), great_vessels(), lung_vessels(&thorax));
    let parts = Parts { thorax: &thorax, skeleton: &skeleton, air: &air, great: &great, lung: &lung };

    let first = -(pixels as f64 - 1.0) / 2.0 * pixel_mm;
    let origin = DVec3::new(first, first, BOTTOM_Z_MM) + PATIENT_FROM_PHANTOM_MM;
    let dims = [pixels, pixels, slices];
    let geometry = VolumeGeometry::from_dicom(
        dims,
        PatientPos(origin),
        DVec3::X,
        DVec3::Y,
        [pixel_mm, pixel_mm],
        DVec3::Z * step_mm,
    );
    let mut out = PhantomCt {
        volume: Volume::empty(geometry?),
        right_lung: Mask::new(dims),
        left_lung: Mask::new(dims),
        heart: Mask::new(dims),
        nodule: Mask::new(dims),
    };
    let rescale = Rescale { slope: 1.0, intercept: f64::from(INTERCEPT) };
    for k in 0..slices {
        let z = (BOTTOM_Z_MM + k as f64 * step_mm) as f32;
        let slice = Slice { pixels, pixel_mm: pixel_mm as f32, first: first as f32, z, number: k as i32 };
        let (hu, masks) = slice.draw(&parts);
        let mut frame = Frame::new(pixels, pixels, Samples::I16(slice.store(&hu)), rescale)?;
        frame.padding = Some((f64::from(CT_PADDING), f64::from(CT_PADDING)));
        out.volume.set_slice(k, Arc::new(frame))?;
        let [right, left, heart, nodule] = masks.map(|m| Some(Arc::new(BitPlane::from_bools(&m))));
        out.right_lung.set_plane(k, right);
        out.left_lung.set_plane(k, left);
        out.heart.set_plane(k, heart);
        out.nodule.set_plane(k, nodule);
    }
    Ok(out)
}

struct Slice {
    pixels: usize,
    pixel_mm: f32,
    first: f32,
    z: f32,
    number: i32,
}

impl Slice {
    fn draw(&self, parts: &Parts<'_>) -> (Vec<f32>, [Vec<bool>; 4]) {
        let n = self.pixels;
        let level = parts.thorax.level(self.z);
        let mut hu = vec![-1000.0_f32; n * n];
        let mut lungs = vec![0.0_f32; n * n];
        let mut masks = [vec![false; n * n], vec![false; n * n], vec![false; n * n], vec![false; n * n]];
        for j in 0..n {
            let y = self.first + j as f32 * self.pixel_mm;
            for i in 0..n {
                let x = self.first + i as f32 * self.pixel_mm;
                let at = j * n + i;
                let skin = level.body_distance(x, y);
                if skin > self.pixel_mm {
                    hu[at] = table_top(x, y);
                    continue;
                }
                let cavity = level.cavity.distance(x, y);
                let mut v = wall(&level, x, y, skin, cavity);
                if cavity < 4.0 && self.z < 118.0 {
                    let side = if x < 0.0 { Side::Right } else { Side::Left };
                    let lung = level.lung_distance(side, x, y, cavity);
                    let p = Vec3::new(x, y, self.z);
                    let heart = if self.z < 0.0 { parts.thorax.heart.distance(p) } else { 99.0 };
                    if lung < self.pixel_mm {
                        let inside = coverage(lung, self.pixel_mm);
                        v = mix(tissue(parts, &level, p, side, cavity, heart, v), lung_hu(p), inside);
                        lungs[at] = inside;
                        masks[if side == Side::Right { 0 } else { 1 }][at] = lung < 0.0;
                    } else {
                        v = tissue(parts, &level, p, side, cavity, heart, v);
                    }
                    masks[2][at] = heart < 0.0 && lung >= 0.0;
                    masks[3][at] = NODULE.distance(p) < 0.0;
                }
                hu[at] = mix(-1000.0, v, coverage(skin, self.pixel_mm));
            }
        }
        self.spine(&level, &mut hu);
        self.sternum(&level, &mut hu);
        self.bones(parts, &mut hu);
        for t in parts.great {
            self.paint(&mut hu, t, 0.0, |_, old, c| mix(old, 265.0, c));
        }
        for t in parts.lung {
            // Thin vessels fill only a part of a voxel.
            let fill = (t.radius() / (0.75 * self.pixel_mm)).min(1.0);
            self.paint(&mut hu, t, 0.0, |at, old, c| {
                let v = mix(old, 190.0, c * fill * lungs[at].max(0.2));
                old.max(v)
            });
        }
        for t in parts.air {
            let thick = (t.radius() * 0.16).max(0.7);
            self.paint(&mut hu, t, thick, |_, old, c| mix(old, 10.0, c));
        }
        for t in parts.air {
            self.paint(&mut hu, t, 0.0, |_, old, c| mix(old, -985.0, c));
        }
        self.nodule(&mut hu);
        self.add_noise(&mut hu);
        (hu, masks)
    }

    /// Calls `put(index, old, coverage)` for each voxel that a tube, thickened by `more` mm, touches.
    fn paint(&self, hu: &mut [f32], t: &Tube, more: f32, put: impl Fn(usize, f32, f32) -> f32) {
        let (low, high) = t.z_range();
        if self.z < low - more - 1.0 || self.z > high + more + 1.0 {
            return;
        }
        let r = t.radius() + more + self.pixel_mm;
        let (x0, x1) = self.span(t.a.x.min(t.b.x) - r, t.a.x.max(t.b.x) + r);
        let (y0, y1) = self.span(t.a.y.min(t.b.y) - r, t.a.y.max(t.b.y) + r);
        for j in y0..y1 {
            for i in x0..x1 {
                let p = Vec3::new(self.first + i as f32 * self.pixel_mm, self.first + j as f32 * self.pixel_mm, self.z);
                let c = coverage(t.distance(p) - more, self.pixel_mm);
                if c > 0.0 {
                    let at = j * self.pixels + i;
                    hu[at] = put(at, hu[at], c);
                }
            }
        }
    }

    /// Pixels whose centre lies between two coordinates, as a half-open range.
    fn span(&self, low: f32, high: f32) -> (usize, usize) {
        let index = |v: f32| ((v - self.first) / self.pixel_mm).clamp(-1.0, self.pixels as f32);
        (index(low).ceil().max(0.0) as usize, (index(high) + 1.0).floor().max(0.0) as usize)
    }

    fn spine(&self, level: &Level<'_>, hu: &mut [f32]) {
        let phase = disc_phase(self.z);
        let disc = smoothstep(0.80, 0.86, phase);
        let plate = smoothstep(0.70, 0.76, phase) * (1.0 - disc);
        let w = waist(self.z);
        let body = Ellipse::new([0.0, level.spine_y], [SPINE_HALF[0] * w, SPINE_HALF[1] * w]);
        let canal = Ellipse::new([0.0, level.spine_y + SPINE_HALF[1] + 7.0], [9.5, 7.5]);
        let (x0, x1) = self.span(-24.0, 24.0);
        let (y0, y1) = self.span(level.spine_y - 20.0, level.spine_y + 34.0);
        for j in y0..y1 {
            for i in x0..x1 {
                let (x, y) = (self.first + i as f32 * self.pixel_mm, self.first + j as f32 * self.pixel_mm);
                let at = j * self.pixels + i;
                let d = body.distance(x, y);
                if d < 2.0 {
                    let spongy = 185.0 + 55.0 * smooth(Vec3::new(x, y, self.z) / 2.6, 41);
                    let compact = smoothstep(-2.6, -0.6, d);
                    let bone = mix(mix(spongy, 520.0, compact), 470.0, plate);
                    hu[at] = mix(hu[at], mix(bone, 85.0, disc), coverage(d, self.pixel_mm));
                }
                let c = canal.distance(x, y);
                if c < 2.0 {
                    let cord = Ellipse::new([0.0, level.spine_y + SPINE_HALF[1] + 7.0], [5.5, 4.2]).distance(x, y);
                    hu[at] = mix(hu[at], mix(12.0, 38.0, coverage(cord, self.pixel_mm)), coverage(c, self.pixel_mm));
                }
            }
        }
    }

    fn sternum(&self, level: &Level<'_>, hu: &mut [f32]) {
        if !(-92.0..=76.0).contains(&self.z) {
            return;
        }
        let front = level.cavity.centre_y - level.cavity.half[1] - 6.0;
        let half = if self.z > 36.0 {
            mix(17.0, 27.0, smoothstep(36.0, 66.0, self.z))
        } else {
            mix(8.0, 16.0, smoothstep(-92.0, -60.0, self.z))
        };
        let shape = Ellipse::new([0.0, front], [half, 6.0]);
        let (x0, x1) = self.span(-32.0, 32.0);
        let (y0, y1) = self.span(front - 10.0, front + 10.0);
        // The joint between handle and body.
        let joint = 1.0 - smoothstep(0.8, 2.0, (self.z - 36.0).abs());
        for j in y0..y1 {
            for i in x0..x1 {
                let (x, y) = (self.first + i as f32 * self.pixel_mm, self.first + j as f32 * self.pixel_mm);
                let d = shape.distance(x, y);
                let bone = mix(mix(140.0, 430.0, smoothstep(-2.2, -0.6, d)), 90.0, joint);
                let at = j * self.pixels + i;
                hu[at] = mix(hu[at], bone, coverage(d, self.pixel_mm));
            }
        }
    }

    fn bones(&self, parts: &Parts<'_>, hu: &mut [f32]) {
        let s = parts.skeleton;
        for t in &s.cartilage {
            self.paint(hu, t, 0.0, |_, old, c| mix(old, 95.0, c));
        }
        for t in s.bones.iter().chain(&s.processes) {
            self.paint(hu, t, 0.0, |_, old, c| old.max(mix(old, 560.0, c)));
        }
        for t in s.bones.iter().chain(&s.processes) {
            if t.radius() > 2.4 {
                self.paint(hu, t, -1.4, |_, old, c| mix(old, 210.0, c * 0.85));
            }
        }
        for plate in &s.scapulae {
            let c = plate.corners;
            let (low, high) = (
                c.iter().map(|p| p.z).fold(f32::INFINITY, f32::min),
                c.iter().map(|p| p.z).fold(f32::NEG_INFINITY, f32::max),
            );
            if self.z < low - 2.0 || self.z > high + 2.0 {
                continue;
            }
            let bounds = |f: fn(&Vec3) -> f32| {
                let v = c.iter().map(f);
                self.span(v.clone().fold(f32::INFINITY, f32::min) - 3.0, v.fold(f32::NEG_INFINITY, f32::max) + 3.0)
            };
            let ((x0, x1), (y0, y1)) = (bounds(|p| p.x), bounds(|p| p.y));
            for j in y0..y1 {
                for i in x0..x1 {
                    let p =
                        Vec3::new(self.first + i as f32 * self.pixel_mm, self.first + j as f32 * self.pixel_mm, self.z);
                    let at = j * self.pixels + i;
                    hu[at] = mix(hu[at], 480.0, coverage(plate.distance(p), self.pixel_mm));
                }
            }
        }
        for head in &s.shoulder_heads {
            let (x0, x1) = self.span(head.centre.x - 24.0, head.centre.x + 24.0);
            let (y0, y1) = self.span(head.centre.y - 24.0, head.centre.y + 24.0);
            if (self.z - head.centre.z).abs() > 24.0 {
                continue;
            }
            for j in y0..y1 {
                for i in x0..x1 {
                    let p =
                        Vec3::new(self.first + i as f32 * self.pixel_mm, self.first + j as f32 * self.pixel_mm, self.z);
                    let d = head.distance(p);
                    let at = j * self.pixels + i;
                    hu[at] = mix(hu[at], mix(190.0, 560.0, smoothstep(-3.0, -1.0, d)), coverage(d, self.pixel_mm));
                }
            }
        }
    }

    fn nodule(&self, hu: &mut [f32]) {
        if (self.z - NODULE.centre.z).abs() > 8.0 {
            return;
        }
        let (x0, x1) = self.span(NODULE.centre.x - 8.0, NODULE.centre.x + 8.0);
        let (y0, y1) = self.span(NODULE.centre.y - 8.0, NODULE.centre.y + 8.0);
        for j in y0..y1 {
            for i in x0..x1 {
                let p = Vec3::new(self.first + i as f32 * self.pixel_mm, self.first + j as f32 * self.pixel_mm, self.z);
                let at = j * self.pixels + i;
                hu[at] = mix(hu[at], 38.0, coverage(NODULE.distance(p), self.pixel_mm));
            }
        }
    }

    /// Noise of the detector, a little smoothed in the plane as a reconstruction kernel does.
    fn add_noise(&self, hu: &mut [f32]) {
        let n = self.pixels;
        let white: Vec<f32> = (0..n * n).map(|i| normal((i % n) as i32, (i / n) as i32, self.number, 5)).collect();
        for j in 0..n {
            for i in 0..n {
                let (l, r) = (i.saturating_sub(1), (i + 1).min(n - 1));
                let (u, d) = (j.saturating_sub(1), (j + 1).min(n - 1));
                let v = white[j * n + i]
                    + 0.5 * (white[j * n + l] + white[j * n + r] + white[u * n + i] + white[d * n + i]);
                hu[j * n + i] += 9.0 * v;
            }
        }
    }

    fn store(&self, hu: &[f32]) -> Vec<i16> {
        let n = self.pixels;
        let radius = n as f32 / 2.0;
        hu.iter()
            .enumerate()
            .map(|(at, &v)| {
                let (dx, dy) = ((at % n) as f32 + 0.5 - radius, (at / n) as f32 + 0.5 - radius);
                if dx * dx + dy * dy > radius * radius {
                    CT_PADDING
                } else {
                    (v - INTERCEPT).round().clamp(0.0, 4095.0) as i16
                }
            })
            .collect()
    }
}

/// The couch below the patient: a thin curved shell.
fn table_top(x: f32, y: f32) -> f32 {
    let d = y - (126.0 - 0.00042 * x * x);
    if x.abs() > 182.0 || !(-1.2..=1.2).contains(&d) { -1000.0 } else { -420.0 }
}

/// Skin, fat and muscle outside the ribs.
fn wall(level: &Level<'_>, x: f32, y: f32, skin: f32, cavity: f32) -> f32 {
    let p = Vec3::new(x, y, level.z);
    let streak = smooth(p / 9.0, 3);
    let fat = -104.0 + 9.0 * streak;
    if skin > -1.8 {
        return 20.0;
    }
    // In front and at the sides the fat is thicker than over the back's muscles.
    let fat_mm = level.fat_mm * if y > 40.0 { 0.75 } else { 1.0 };
    let depth = -level.body.distance(x, y);
    if level.breast_distance(x, y) < 0.0 && depth < fat_mm {
        let gland = smoothstep(0.05, 0.35, smooth(p / 13.0, 17) + 0.4 * smooth(p / 5.0, 18));
        return mix(fat, 28.0, gland * smoothstep(-4.0, -14.0, skin));
    }
    let muscle = 52.0 + 7.0 * smooth(p / 4.0, 4);
    let inside = smoothstep(-0.8, 0.8, depth - fat_mm - 1.5 * streak);
    let mut v = mix(fat, muscle, inside);
    if cavity > 0.0 && inside > 0.5 {
        // Fat between the layers of muscle, and between the ribs and the muscles.
        let sheet = (depth - fat_mm - 9.0 - 3.0 * streak).abs();
        v = mix(-60.0, v, smoothstep(0.3, 1.4, sheet));
        let near_rib = (cavity - 10.5 - 1.5 * streak).abs();
        v = mix(-50.0, v, smoothstep(0.3, 1.5, near_rib));
    }
    if (0.0..2.5).contains(&cavity) {
        v = mix(v, -70.0, 0.5);
    }
    v
}

/// What is inside the ribs and not lung.
fn tissue(parts: &Parts<'_>, level: &Level<'_>, p: Vec3, side: Side, cavity: f32, heart: f32, wall: f32) -> f32 {
    if cavity > 0.0 {
        return wall;
    }
    let below = level.under_dome(side, p.x, p.y);
    let streak = smooth(p / 7.0, 6);
    let fat = -96.0 + 10.0 * streak;
    let t = parts.thorax;
    if heart < 6.0 && heart > -90.0 && (p.z > -112.0 || heart < 0.0) {
        if heart < 0.0 {
            return heart_hu(parts, p, heart);
        }
        if below > 0.0 || heart < 3.0 {
            return fat;
        }
    }
    if below < 0.0 {
        if below > -2.6 {
            return 48.0;
        }
        let liver = t.liver.distance(p);
        let spleen = t.spleen.distance(p);
        let stomach = t.stomach.distance(p);
        if liver < 0.0 && p.x < 34.0 - 0.25 * (p.y + 20.0) {
            return liver_hu(p);
        }
        if spleen < 0.0 {
            return 118.0 + 5.0 * streak;
        }
        if stomach < 0.0 {
            if stomach > -3.5 {
                return 60.0;
            }
            return if p.y < -14.0 { -970.0 } else { 18.0 };
        }
        return fat;
    }
    // Mediastinum: fat with muscle beside the spine, gullet and nodes.
    let beside_spine = Ellipse::new([0.0, level.spine_y + 24.0], [40.0, 18.0]).distance(p.x, p.y);
    if beside_spine < 0.0 && p.y > level.spine_y + 8.0 {
        return 50.0 + 6.0 * streak;
    }
    let gullet = Ellipse::new([5.0, level.spine_y - 24.0], [8.0, 6.0]).distance(p.x, p.y);
    if gullet < 0.0 {
        return if gullet < -4.6 { -350.0 } else { 38.0 };
    }
    if p.z > 62.0 {
        // Muscles and vessels at the neck's root.
        return mix(fat, 50.0, smoothstep(0.0, 0.25, smooth(p / 15.0, 8) + 0.15));
    }
    fat
}

fn heart_hu(parts: &Parts<'_>, p: Vec3, heart: f32) -> f32 {
    let h = &parts.thorax.heart;
    let muscle = 108.0 + 6.0 * smooth(p / 5.0, 9);
    let left = h.left_chamber.distance(p);
    let right = h.right_chamber.distance(p);
    let atria = h.right_atrium.distance(p).min(h.left_atrium.distance(p));
    let ventricles = h.ventricles.distance(p);
    let blood = (left).min(right.max(ventricles + 4.0)).min((atria + 2.4).max(-(ventricles + 1.0)));
    let groove = smoothstep(2.2, 0.4, (h.right_atrium.distance(p) - ventricles).abs()) * smoothstep(-9.0, -2.0, heart);
    let v = mix(muscle, if left < 0.0 { 212.0 } else { 238.0 }, coverage(blood, 2.5));
    mix(v, -50.0, groove * 0.8)
}

fn liver_hu(p: Vec3) -> f32 {
    // A few branches of the portal and hepatic veins: narrow bands of a slow noise.
    let warp = Vec3::new(smooth(p / 26.0, 31), smooth(p / 26.0, 32), smooth(p / 26.0, 33)) * 12.0;
    let n = smooth((p + warp) / 34.0, 34);
    let m = smooth((p + warp) / 34.0, 35);
    let vein = 1.0 - smoothstep(0.05, 0.13, (n * n + m * m).sqrt());
    108.0 + 4.0 * smooth(p / 6.0, 36) + 55.0 * vein
}

/// Lung without its vessels: denser where it hangs (towards the back of a lying patient).
fn lung_hu(p: Vec3) -> f32 {
    let hang = smoothstep(-80.0, 90.0, p.y);
    let lobule = smooth(p / 11.0, 12) + 0.6 * smooth(p / 4.5, 13);
    let mut v = -886.0 + 52.0 * hang + 12.0 * lobule;
    // The oblique fissures, and the horizontal one on the right.
    let oblique = (p.z + 18.0 - 1.02 * (p.y - 12.0) + 4.0 * smooth(p / 40.0, 14)) / 1.43;
    v += 95.0 * (-(oblique / 0.9).powi(2)).exp();
    if p.x < 0.0 && oblique > 0.0 {
        let level = p.z + 20.0 + 3.0 * smooth(p / 30.0, 15);
        v += 60.0 * (-(level / 1.0).powi(2)).exp();
    }
    v
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::VoxelPos;

    fn mean_hu(ct: &PhantomCt, mask: &Mask) -> f64 {
        let [columns, rows, slices] = mask.dims();
        let (mut sum, mut n) = (0.0, 0.0);
        for k in 0..slices {
            for j in 0..rows {
                for i in 0..columns {
                    if mask.get([i, j, k]) {
                        sum += f64::from(ct.volume.value([i, j, k]).expect("loaded"));
                        n += 1.0;
                    }
                }
            }
        }
        sum / n
    }

    #[test]
    fn organs_have_their_volumes_and_densities() {
        let ct = ct_thorax(CtGrid { pixels: 96, slices: 60, field_mm: 384.0, step_mm: 5.0 }).expect("valid");
        let ml = |m: &Mask| m.count() as f64 * ct.volume.geometry().voxel_volume_mm3() / 1000.0;
        let (right, left, heart) = (ml(&ct.right_lung), ml(&ct.left_lung), ml(&ct.heart));
        assert!((1500.0..3500.0).contains(&right) && (1300.0..3200.0).contains(&left), "{right} {left}");
        assert!(right > left, "the heart takes room from the left lung");
        assert!((400.0..900.0).contains(&heart), "{heart}");
        assert!((-880.0..-700.0).contains(&mean_hu(&ct, &ct.right_lung)));
        assert!((80.0..260.0).contains(&mean_hu(&ct, &ct.heart)));
        // Right is right in the patient as well (LPS: negative x).
        let centre = |m: &Mask| {
            let k = m.occupied().nth(m.occupied().count() / 2).expect("not empty");
            let at = m.plane(k).expect("occupied").iter_set().next().expect("not empty");
            ct.volume.geometry().to_patient(VoxelPos::new((at % 96) as f64, (at / 96) as f64, k as f64)).0.x
        };
        assert!(centre(&ct.right_lung) < 0.0 && centre(&ct.left_lung) > 0.0);
    }

    #[test]
    fn the_nodule_is_a_ball_of_8_mm() {
        let grid = CtGrid { pixels: 384, slices: 60, field_mm: 384.0, step_mm: 2.5 };
        let ct = ct_thorax(grid).expect("valid");
        let ml = ct.nodule.count() as f64 * ct.volume.geometry().voxel_volume_mm3() / 1000.0;
        let truth = 4.0 / 3.0 * std::f64::consts::PI * 0.4_f64.powi(3);
        assert!((ml / truth - 1.0).abs() < 0.06, "{ml} mL for {truth}");
        // Its rim shares voxels with lung; its core does not.
        let core = NODULE.centre.as_dvec3() + PATIENT_FROM_PHANTOM_MM;
        let hu = ct.volume.nearest(ct.volume.geometry().to_voxel(PatientPos(core))).expect("inside");
        assert!((-20.0..90.0).contains(&hu), "{hu}");
        assert!(mean_hu(&ct, &ct.nodule) > -250.0);
    }

    #[test]
    fn any_grid_is_brought_into_range() {
        let ct = ct_thorax(CtGrid { pixels: 0, slices: 0, field_mm: f64::MAX, step_mm: -1.0 }).expect("valid");
        assert_eq!(ct.volume.geometry().dims(), [16, 16, 2]);
    }
}

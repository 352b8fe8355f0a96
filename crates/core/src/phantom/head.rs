//! A head as a T1-weighted MR shows it: scalp, skull, fluid, folded cortex, white matter, deep nuclei, ventricles,
//! cerebellum. The front is smooth: it has no face. mm, LPS, the origin in the middle of the brain.

use std::sync::Arc;

use glam::{DVec3, Vec3};

use super::PhantomError;
use super::noise::{normal, smooth};
use super::shape::{Ellipsoid, Tube, curve, intersection, mix, smoothstep, table, tubes, union};
use crate::frame::{Frame, Rescale, Samples};
use crate::geometry::VolumeGeometry;
use crate::label::{BitPlane, Mask};
use crate::space::PatientPos;
use crate::volume::Volume;
use crate::windowing::Window;

/// An MR of a head and what is true in it.
#[derive(Debug, Clone)]
pub struct PhantomMr {
    /// Signal, 12 bit unsigned without a unit; 176 axial slices of 1 mm, 240 rows and 192 columns of 1 mm.
    pub volume: Volume,
    /// The window that shows it well.
    pub window: Window,
    /// Cerebrum with ventricles, cerebellum and brain stem.
    pub brain: Mask,
}

const DIMS: [usize; 3] = [192, 240, 176];
const FIRST_MM: [f32; 3] = [-95.5, -112.0, -72.0];

// Signal of the tissues.
const AIR: f32 = 0.012;
const FLUID: f32 = 0.12;
const GREY: f32 = 0.44;
const WHITE: f32 = 0.66;
const FAT: f32 = 0.80;
const BONE: f32 = 0.06;
const MARROW: f32 = 0.36;
const MUSCLE: f32 = 0.34;
const SCALE: f32 = 1000.0;

/// Depth of brain below the skin.
const COVER_MM: f32 = 13.5;
/// Farther than anything in the head.
const FAR_MM: f32 = 1000.0;

struct Head {
    skull: Ellipsoid,
    neck: Ellipsoid,
    cerebrum: Ellipsoid,
    cerebellum: [Ellipsoid; 3],
    stem: Vec<Tube>,
    ventricles: Vec<Tube>,
    third: Ellipsoid,
    fourth: Ellipsoid,
    nuclei: [(Ellipsoid, f32); 4],
    callosum: Vec<Tube>,
    cisterns: [Ellipsoid; 3],
}

/// Makes the MR phantom.
///
/// # Errors
/// [`PhantomError`] when the grid cannot be made into a volume.
pub fn mr_head() -> Result<PhantomMr, PhantomError> {
    let [columns, rows, slices] = DIMS;
    let origin = FIRST_MM.map(f64::from);
    let geometry = VolumeGeometry::from_dicom(
        DIMS,
        PatientPos(DVec3::from_array(origin)),
        DVec3::X,
        DVec3::Y,
        [1.0, 1.0],
        DVec3::Z,
    )?;
    let head = Head::new();
    let mut volume = Volume::empty(geometry);
    let mut brain = Mask::new(DIMS);
    for k in 0..slices {
        let z = FIRST_MM[2] + k as f32;
        let mut samples = Vec::with_capacity(columns * rows);
        let mut inside = Vec::with_capacity(columns * rows);
        for j in 0..rows {
            for i in 0..columns {
                let p = Vec3::new(FIRST_MM[0] + i as f32, FIRST_MM[1] + j as f32, z);
                let (signal, is_brain) = head.signal(p);
                // The coil sees the near parts better; the noise of a magnitude image is never negative.
                let coil = 1.03 - 0.07 * smoothstep(95.0, 10.0, p.length()) - 0.12 * smoothstep(-30.0, -90.0, z);
                let noise = [11, 12].map(|seed| 0.011 * normal(i as i32, j as i32, k as i32, seed));
                let in_phase = signal * coil + noise[0];
                let v = (in_phase * in_phase + noise[1] * noise[1]).sqrt();
                samples.push((SCALE * v).round().clamp(0.0, 4095.0) as u16);
                inside.push(is_brain);
            }
        }
        volume.set_slice(k, Arc::new(Frame::new(columns, rows, Samples::U16(samples), Rescale::default())?))?;
        brain.set_plane(k, Some(Arc::new(BitPlane::from_bools(&inside))));
    }
    Ok(PhantomMr { volume, window: Window::new(820.0, 410.0), brain })
}

impl Head {
    fn new() -> Self {
        let v = Vec3::new;
        // Paired parts are given for the left; the right is their mirror image.
        let lateral = [
            (v(7.0, -34.0, 6.0), 3.6),
            (v(8.0, -24.0, 14.0), 4.6),
            (v(9.0, -4.0, 21.0), 4.4),
            (v(13.0, 18.0, 20.0), 5.2),
            (v(22.0, 34.0, 10.0), 6.6),
            (v(24.0, 50.0, 6.0), 3.6),
            (v(23.0, 60.0, 4.0), 1.6),
        ];
        let temporal = [(v(24.0, 32.0, 6.0), 4.0), (v(31.0, 14.0, -14.0), 2.6), (v(31.0, -8.0, -20.0), 2.2)];
        let callosum = [
            (v(0.0, -38.0, 2.0), 4.0),
            (v(0.0, -41.0, 14.0), 4.6),
            (v(0.0, -28.0, 26.0), 3.6),
            (v(0.0, 0.0, 31.0), 3.2),
            (v(0.0, 26.0, 27.0), 3.6),
            (v(0.0, 36.0, 17.0), 5.0),
        ];
        let stem = [
            (v(0.0, 4.0, -4.0), 14.0),
            (v(0.0, 6.0, -14.0), 12.0),
            (v(0.0, 6.0, -28.0), 14.0),
            (v(0.0, 14.0, -46.0), 9.0),
            (v(0.0, 21.0, -64.0), 7.0),
            (v(0.0, 26.0, -110.0), 6.4),
        ];
        Self {
            skull: Ellipsoid::new(v(0.0, 0.0, 6.0), v(77.0, 96.0, 91.0)),
            neck: Ellipsoid::new(v(0.0, 16.0, -84.0), v(62.0, 68.0, 70.0)),
            cerebrum: Ellipsoid::new(v(0.0, 0.0, 6.0), v(63.5, 82.5, 77.5)),
            cerebellum: [
                Ellipsoid::new(v(24.0, 46.0, -36.0), v(28.0, 27.0, 20.0)),
                Ellipsoid::new(v(-24.0, 46.0, -36.0), v(28.0, 27.0, 20.0)),
                Ellipsoid::new(v(0.0, 48.0, -30.0), v(13.0, 25.0, 21.0)),
            ],
            stem: tubes(&curve(&stem, 4), 1.0).collect(),
            ventricles: tubes(&curve(&lateral, 4), 1.35).chain(tubes(&curve(&temporal, 4), 1.0)).collect(),
            third: Ellipsoid::new(v(0.0, 6.0, 2.0), v(2.0, 14.0, 9.0)),
            fourth: Ellipsoid::new(v(0.0, 23.0, -32.0), v(7.0, 4.5, 10.0)),
            nuclei: [
                (Ellipsoid::new(v(14.0, -23.0, 12.0), v(5.5, 12.0, 8.0)), GREY + 0.03),
                (Ellipsoid::along(v(25.5, -3.0, 3.0), v(19.0, 6.5, 11.0), v(0.22, 1.0, 0.0)), GREY + 0.04),
                (Ellipsoid::along(v(11.5, 13.0, 7.0), v(15.5, 8.5, 9.0), v(0.35, 1.0, 0.0)), GREY + 0.07),
                (Ellipsoid::new(v(25.0, -4.0, -18.0), v(9.0, 10.0, 8.0)), GREY + 0.02),
            ],
            callosum: tubes(&curve(&callosum, 4), 1.0).collect(),
            cisterns: [
                Ellipsoid::new(v(0.0, -12.0, -15.0), v(15.0, 10.0, 7.0)),
                Ellipsoid::new(v(0.0, 26.0, -6.0), v(12.0, 6.0, 9.0)),
                Ellipsoid::new(v(0.0, -6.0, -34.0), v(12.0, 5.0, 18.0)),
            ],
        }
    }

    /// Signal at a point and whether it is brain.
    fn signal(&self, p: Vec3) -> (f32, bool) {
        // Most of the image is air.
        if p.x.abs() > 79.0 || p.y.abs() > 98.0 || p.z > 99.0 {
            return (AIR, false);
        }
        let depth = -union(self.skull.distance(p), self.neck.distance(p), 22.0);
        if depth < -0.6 {
            return (AIR, false);
        }
        let mirror = Vec3::new(p.x.abs(), p.y, p.z);
        let outside = smoothstep(0.6, -0.6, depth);
        let cerebrum = self.cerebrum_distance(p, mirror);
        let (mut cerebellum, mut stem) = (FAR_MM, FAR_MM);
        if p.z < 12.0 {
            cerebellum = self.cerebellum.iter().map(|e| e.distance(p)).fold(FAR_MM, |a, d| union(a, d, 5.0));
            if mirror.x < 22.0 && (-18.0..42.0).contains(&p.y) {
                stem = self.stem.iter().map(|t| t.distance(p)).fold(FAR_MM, f32::min);
            }
        }
        // Well inside the brain the cover is never seen.
        let mut signal = if cerebrum < -4.0 { FLUID } else { self.cover(p, depth) };
        let brain = cerebrum.min(cerebellum).min(stem);
        let mut is_brain = brain < 0.0 && depth > COVER_MM - 2.0;
        if depth > COVER_MM - 2.0 || brain < 4.0 {
            // Fluid all round the brain.
            signal = mix(FLUID, signal, smoothstep(1.5, 3.5, brain));
        }
        if cerebrum < 0.8 {
            signal = mix(self.cerebrum_signal(p, mirror, -cerebrum), signal, smoothstep(-0.4, 0.8, cerebrum));
        }
        if cerebellum < 0.8 {
            signal = mix(cerebellum_signal(p, -cerebellum), signal, smoothstep(-0.6, 0.8, cerebellum));
        }
        if cerebrum > 0.0 && p.z < 30.0 {
            for cistern in &self.cisterns {
                let d = cistern.distance(p);
                if d < 1.0 {
                    signal = mix(FLUID, signal, smoothstep(-1.0, 1.0, d));
                }
            }
        }
        if stem < 1.0 {
            let texture = 0.025 * smooth(p / 4.0, 71);
            signal = mix(WHITE - 0.06 + texture, signal, smoothstep(-1.0, 1.0, stem));
        }
        if brain < 0.0 {
            for fluid in [self.third.distance(p), self.fourth.distance(p)] {
                signal = mix(FLUID, signal, smoothstep(-0.7, 0.7, fluid));
            }
        }
        // What is beyond the skull's inside is no brain, whatever the shapes say.
        is_brain &= depth > 9.0;
        (mix(signal, AIR, outside), is_brain)
    }

    /// Skin, fat, skull, and below the skull the neck.
    fn cover(&self, p: Vec3, depth: f32) -> f32 {
        let wave = smooth(p / 17.0, 61);
        let lumps = smooth(p / 7.0, 62);
        let fat = FAT + 0.06 * lumps;
        if depth < 1.4 {
            return mix(0.3, 0.55, depth / 1.4);
        }
        // The cap of the skull goes over into the base and the neck at the back below, the front stays closed.
        let low = smoothstep(-22.0, -46.0, p.z);
        let t = depth + 0.7 * wave;
        let skull = match t {
            t if t < 5.2 => fat,
            t if t < 6.0 => mix(fat, BONE, (t - 5.2) / 0.8),
            t if t < 7.6 => BONE,
            t if t < 10.6 => mix(BONE, MARROW + 0.10 * lumps, smoothstep(7.6, 8.4, t) * smoothstep(10.6, 9.8, t)),
            _ => BONE,
        };
        if low == 0.0 {
            return skull;
        }
        let muscle = MUSCLE + 0.05 * wave;
        let sheet = smoothstep(0.05, 0.11, (smooth(p / Vec3::new(15.0, 15.0, 34.0), 63)).abs());
        let mut base = if depth < 6.0 { fat } else { mix(fat * 0.8, muscle, sheet) };
        // Bone with marrow round the foramen and in the vertebrae.
        let axis = (p.x.hypot((p.y - 24.0) * 0.9) - 24.0).abs();
        let bone = smoothstep(9.0, 6.0, axis) * smoothstep(-16.0, -34.0, p.z);
        base = mix(base, mix(BONE, MARROW + 0.08 * lumps, smoothstep(-0.25, 0.25, lumps)), bone);
        // The skull's base under the middle and the front of the brain, with air in it.
        let front = smoothstep(14.0, -8.0, p.y) * smoothstep(-78.0, -40.0, p.z);
        let cells = smooth(p / 9.0, 64);
        let rock = if cells > 0.30 { 0.03 } else { mix(BONE, MARROW, smoothstep(-0.4, 0.1, cells)) };
        if depth > 8.0 {
            base = mix(base, rock, front);
        }
        mix(skull, base, low)
    }

    fn cerebrum_distance(&self, p: Vec3, mirror: Vec3) -> f32 {
        let medial = table(p.y, &[(-80.0, -10.0), (-30.0, -13.0), (0.0, -8.0), (40.0, -4.0), (80.0, -2.0)]);
        let lateral =
            table(p.y, &[(-80.0, -12.0), (-42.0, -18.0), (-30.0, -42.0), (8.0, -44.0), (36.0, -24.0), (80.0, -12.0)]);
        let floor = mix(medial, lateral, smoothstep(16.0, 32.0, mirror.x));
        intersection(self.cerebrum.distance(p), (floor - p.z) * 0.8, 7.0)
    }

    fn cerebrum_signal(&self, p: Vec3, mirror: Vec3, depth: f32) -> f32 {
        let bend = 1.1 * smooth(p / 15.0, 51);
        // The fissure between the halves ends at the callosum and the deep nuclei.
        let core = Ellipsoid::new(Vec3::new(0.0, 0.0, 4.0), Vec3::new(30.0, 42.0, 29.0)).distance(p);
        let fissure = (p.x - bend).abs() + 60.0 * smoothstep(2.0, -5.0, core);
        let sylvian_z = -14.0 + 0.36 * (p.y + 34.0) + 2.5 * smooth(p / 13.0, 52);
        let reach = smoothstep(36.0, 42.0, mirror.x) * smoothstep(-44.0, -36.0, p.y) * smoothstep(34.0, 24.0, p.y);
        let sylvian = (p.z - sylvian_z).abs() * 0.95 + 60.0 * (1.0 - reach);
        let surface = depth.min(fissure * 1.1 + 0.2).min(sylvian + 0.2);

        let deep = smoothstep(20.0, 40.0, depth.min(fissure + 4.0).min(sylvian + 8.0) + 7.0 * smooth(p / 14.0, 53));
        // No furrow reaches the nuclei and the ventricles.
        let deep = deep.max(smoothstep(9.0, 2.0, core));
        let furrow = if deep < 1.0 { self.furrow_distance(p) } else { FAR_MM };
        let to_fluid = (furrow + 22.0 * deep).min(surface * 1.1);
        let fluid = 1.0 - smoothstep(0.25, 1.25, to_fluid);
        let grey = 1.0 - smoothstep(2.3, 3.5, to_fluid);
        let mut v = mix(mix(WHITE, GREY, grey), FLUID, fluid) + 0.012 * smooth(p / 3.0, 54);

        let put = |v: f32, signal: f32, d: f32, soft: f32| mix(signal, v, smoothstep(-soft, soft, d));
        // All that follows lies in the middle.
        if mirror.x > 42.0 || p.z > 40.0 {
            return v;
        }
        for (shape, signal) in &self.nuclei {
            v = put(v, *signal, shape.distance(mirror), 1.6);
        }
        // The callosum is a bridge: wide across, thin along the midline.
        let bridge = Vec3::new(p.x * 0.22, p.y, p.z);
        if mirror.x < 24.0 && p.z > -6.0 {
            let callosum = self.callosum.iter().map(|t| t.distance(bridge)).fold(FAR_MM, f32::min);
            v = put(v, WHITE + 0.02, callosum, 1.0);
        }
        let may_be_ventricle = mirror.x < 38.0 && (-46.0..68.0).contains(&p.y) && (-28.0..34.0).contains(&p.z);
        if !may_be_ventricle {
            return v;
        }
        let ventricle = self.ventricles.iter().map(|t| t.distance(mirror)).fold(FAR_MM, f32::min);
        // A thin sheet parts the two ventricles at the midline.
        let sheet = 1.3 - mirror.x;
        put(v, FLUID, ventricle.max(sheet), 0.8)
    }

    /// Distance in mm to the nearest furrow of the cortex: the zero surface of a bent noise.
    fn furrow_distance(&self, p: Vec3) -> f32 {
        let bend = Vec3::new(smooth(p / 24.0, 55), smooth(p / 24.0, 56), smooth(p / 24.0, 57)) * 9.0;
        let field = |q: Vec3| smooth(q / 14.5, 58) + 0.40 * smooth(q / 7.2, 59);
        let q = p + bend;
        let f = field(q);
        let e = 0.8;
        let slope = Vec3::new(field(q + Vec3::X * e) - f, field(q + Vec3::Y * e) - f, field(q + Vec3::Z * e) - f) / e;
        f.abs() / (slope.length() + 0.012)
    }
}

/// Fine leaves round a white tree.
fn cerebellum_signal(p: Vec3, depth: f32) -> f32 {
    let centre = Vec3::new(p.x * 0.55, 26.0, -34.0);
    let r = (p - centre).length() + 1.6 * smooth(p / 9.0, 66);
    let leaf = (r * 1.5).sin();
    let white = smoothstep(9.0, 15.0, depth + 2.5 * smooth(p / 7.0, 67));
    let grey = GREY + 0.06 * leaf - 0.16 * smoothstep(0.72, 1.0, leaf);
    mix(mix(FLUID, grey, smoothstep(0.2, 1.4, depth)), WHITE, white)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::VoxelPos;

    #[test]
    fn tissues_lie_in_their_order_and_the_brain_has_its_size() {
        let mr = mr_head().expect("valid");
        let g = mr.volume.geometry();
        let ml = mr.brain.count() as f64 * g.voxel_volume_mm3() / 1000.0;
        assert!((1150.0..1750.0).contains(&ml), "{ml} mL");
        let at = |x: f64, y: f64, z: f64| mr.volume.nearest(g.to_voxel(PatientPos::new(x, y, z))).expect("inside");
        assert!(at(9.0, -4.0, 21.0) < 250.0, "a ventricle is dark in T1");
        assert!(at(-9.0, -4.0, 21.0) < 250.0);
        assert!(at(0.0, 0.0, 31.0) > 550.0, "the callosum is white");
        let nucleus = at(11.5, 13.0, 7.0);
        assert!((380.0..620.0).contains(&nucleus), "{nucleus}");
        assert!(at(0.0, -110.0, 0.0) < 80.0, "air in front");
        // From outside to inside: air, fat, bone, brain.
        let line: Vec<f32> =
            (0..40).map(|i| mr.volume.trilinear(VoxelPos::new(12.0 + f64::from(i), 112.0, 90.0))).collect();
        let fat = line.iter().position(|&v| v > 650.0).expect("fat");
        let bone = fat + line[fat..].iter().position(|&v| v < 150.0).expect("bone");
        assert!(line[bone..].iter().any(|&v| v > 350.0), "brain");
    }
}

//! Bones of the thorax phantom as tubes and plates, and the airways. mm, LPS.

use glam::Vec3;

use super::shape::{Ellipsoid, Plate, Tube, curve, mix, smoothstep, tubes};
use super::thorax::{Pose, Side, Thorax, spine_y_mm};

/// Distance from one vertebra to the next.
pub(super) const VERTEBRA_PITCH_MM: f32 = 23.0;
/// Height of the centre of the first thoracic vertebra.
pub(super) const T1_Z_MM: f32 = 94.0;

/// The bones.
pub(super) struct Skeleton {
    /// Hollow tubes: compact outside, spongy inside.
    pub(super) bones: Vec<Tube>,
    /// Cartilage of the ribs.
    pub(super) cartilage: Vec<Tube>,
    /// Processes of the vertebrae.
    pub(super) processes: Vec<Tube>,
    pub(super) scapulae: Vec<Plate>,
    pub(super) shoulder_heads: [Ellipsoid; 2],
}

impl Skeleton {
    pub(super) fn new(thorax: &Thorax) -> Self {
        let vertebrae_z = (-4..14).map(|i| T1_Z_MM - i as f32 * VERTEBRA_PITCH_MM);
        let mut bones = Vec::new();
        let mut cartilage = Vec::new();
        for side in Side::BOTH {
            for number in 1..=12 {
                let (bone, soft) = rib(thorax, side, number);
                bones.extend(tubes(&bone, 1.75));
                cartilage.extend(tubes(&soft, 1.5));
            }
            bones.extend(tubes(&clavicle(thorax.pose, side), 1.0));
        }
        let mut scapulae = Vec::new();
        for side in Side::BOTH {
            let (plate, borders) = scapula(thorax.pose, side);
            scapulae.push(plate);
            for border in borders {
                bones.extend(tubes(&border, 1.0));
            }
            if thorax.pose == Pose::Standing {
                let s = side.sign();
                let arm = [
                    (Vec3::new(168.0 * s, 4.0, 76.0), 14.0),
                    (Vec3::new(180.0 * s, 8.0, 44.0), 11.5),
                    (Vec3::new(214.0 * s, 16.0, -30.0), 11.0),
                ];
                bones.extend(tubes(&curve(&arm, 6), 1.0));
            }
        }
        let head_z = if thorax.pose == Pose::Standing { 88.0 } else { 112.0 };
        let head_x = if thorax.pose == Pose::Standing { 166.0 } else { 156.0 };
        let head = |s: f32| Ellipsoid::new(Vec3::new(head_x * s, 2.0, head_z), Vec3::new(21.0, 21.0, 22.0));
        Self {
            bones,
            cartilage,
            processes: vertebrae_z.flat_map(processes).collect(),
            scapulae,
            shoulder_heads: [head(-1.0), head(1.0)],
        }
    }
}

/// A rib from the spine to its cartilage, and the cartilage to the breastbone.
fn rib(thorax: &Thorax, side: Side, number: usize) -> (Vec<(Vec3, f32)>, Vec<(Vec3, f32)>) {
    let s = side.sign();
    let i = number - 1;
    let start_z = T1_Z_MM + 6.0 - i as f32 * VERTEBRA_PITCH_MM;
    // How far each rib sinks on its way to the front, and where its bone ends (angle from the back; π is the front).
    let drop_mm = [34.0, 52.0, 66.0, 76.0, 82.0, 86.0, 88.0, 88.0, 84.0, 76.0, 60.0, 40.0][i];
    let end = [2.45, 2.50, 2.52, 2.52, 2.50, 2.46, 2.40, 2.28, 2.10, 1.90, 1.45, 0.95][i];
    let at = |angle: f32| {
        // No two ribs are quite alike.
        let own = 1.0 + 0.05 * ((number * 7 + if side == Side::Left { 3 } else { 0 }) as f32).sin();
        let z =
            start_z - own * drop_mm * (angle / std::f32::consts::PI).powf(1.12) + 5.0 * (angle * 2.2).sin().max(0.0);
        let level = thorax.level(z);
        let mut wall = level.cavity;
        wall.half = [wall.half[0] + 5.0, wall.half[1] + 5.0];
        let [x, y] = wall.outline(angle);
        let start = Vec3::new(20.0, spine_y_mm(start_z) + 6.0, start_z);
        // The outline begins on the midline; a rib begins at the side of its vertebra.
        let t = smoothstep(0.0, 0.75, angle);
        let p = Vec3::new(x.max(20.0), y, z);
        let p = start.lerp(p, t.powf(0.6));
        Vec3::new(p.x * s, p.y, p.z)
    };
    let steps = (end * 22.0) as usize;
    let thickness = if number == 1 { 3.4 } else { 3.9 };
    let bone: Vec<_> = (0..=steps).map(|k| (at(end * k as f32 / steps as f32), thickness)).collect();
    let mut soft = Vec::new();
    if number <= 10 {
        let from = at(end);
        let sternum_z = [66.0, 48.0, 28.0, 8.0, -12.0, -30.0, -44.0, -56.0, -66.0, -76.0][i];
        let inner = if number <= 7 { 17.0 } else { 30.0 + 14.0 * (number - 7) as f32 };
        let level = thorax.level(sternum_z);
        let front = level.cavity.centre_y - level.cavity.half[1] - 6.0;
        let to = Vec3::new(inner * s, front + if number > 7 { 3.0 } else { 0.0 }, sternum_z);
        let mid = from.lerp(to, 0.5) + Vec3::new(10.0 * s, -7.0, -5.0);
        soft = curve(&[(from, 4.2), (mid, 4.2), (to, 3.8)], 6);
    }
    (bone, soft)
}

fn clavicle(pose: Pose, side: Side) -> Vec<(Vec3, f32)> {
    let s = side.sign();
    let lift = if pose == Pose::Lying { 12.0 } else { 0.0 };
    let p = |x: f32, y: f32, z: f32| Vec3::new(x * s, y, z + lift * x / 150.0);
    curve(
        &[
            (p(17.0, -60.0, 78.0), 8.5),
            (p(36.0, -62.0, 85.0), 6.4),
            (p(72.0, -54.0, 92.0), 5.6),
            (p(112.0, -28.0, 101.0), 5.6),
            (p(148.0, -8.0, 108.0), 6.2),
        ],
        8,
    )
}

fn scapula(pose: Pose, side: Side) -> (Plate, [Vec<(Vec3, f32)>; 3]) {
    let s = side.sign();
    // Standing with the shoulders forward, the blade leaves the lung; with the arms up it swings out and up.
    let (top, tip, socket) = match pose {
        Pose::Standing => (Vec3::new(104.0, 74.0, 92.0), Vec3::new(142.0, 72.0, -48.0), Vec3::new(146.0, 10.0, 84.0)),
        Pose::Lying => (Vec3::new(92.0, 78.0, 84.0), Vec3::new(138.0, 58.0, -20.0), Vec3::new(140.0, 10.0, 106.0)),
    };
    let m = |v: Vec3| Vec3::new(v.x * s, v.y, v.z);
    let spine_end = socket + Vec3::new(10.0, 2.0, 16.0);
    let spine = [
        (m(top + Vec3::new(4.0, 3.0, -22.0)), 2.2),
        (m(top.lerp(socket, 0.5) + Vec3::new(4.0, 10.0, 4.0)), 3.4),
        (m(spine_end), 5.0),
    ];
    (
        Plate { corners: [m(top), m(tip), m(socket)], half_thickness: 1.2 },
        [
            curve(&[(m(top), 1.8), (m(top.lerp(tip, 0.5) + Vec3::new(-5.0, 2.0, 0.0)), 2.0), (m(tip), 3.0)], 8),
            curve(&[(m(tip), 3.2), (m(tip.lerp(socket, 0.5) + Vec3::new(-2.0, 2.0, 0.0)), 4.2), (m(socket), 7.0)], 8),
            curve(&spine, 6),
        ],
    )
}

/// Arch, spine and side processes of a vertebra at `z`.
fn processes(z: f32) -> Vec<Tube> {
    let y = spine_y_mm(z);
    let mut out = Vec::new();
    for s in [-1.0, 1.0] {
        out.push(Tube::new(Vec3::new(11.0 * s, y + 9.0, z + 3.0), Vec3::new(13.0 * s, y + 22.0, z + 2.0), 4.0, 4.4));
        out.push(Tube::new(Vec3::new(13.0 * s, y + 22.0, z + 2.0), Vec3::new(2.0 * s, y + 31.0, z - 3.0), 4.0, 3.4));
        out.push(Tube::new(Vec3::new(13.0 * s, y + 23.0, z + 3.0), Vec3::new(32.0 * s, y + 30.0, z + 6.0), 4.4, 3.6));
    }
    out.push(Tube {
        stretch: 1.8,
        ..Tube::new(Vec3::new(0.0, y + 31.0, z - 3.0), Vec3::new(0.0, y + 42.0, z - 16.0), 3.2, 3.6)
    });
    out
}

/// The air tubes (inner radius) down to the lobes.
pub(super) fn airways() -> Vec<Tube> {
    let trachea = [
        (Vec3::new(0.0, -8.0, 190.0), 8.0),
        (Vec3::new(0.0, 0.0, 120.0), 8.0),
        (Vec3::new(1.0, 14.0, 50.0), 8.0),
        (Vec3::new(0.0, 20.0, 4.0), 9.0),
    ];
    let carina = Vec3::new(0.0, 20.0, 2.0);
    let right = [
        (carina, 7.5),
        (Vec3::new(-20.0, 21.0, -16.0), 7.0),
        (Vec3::new(-34.0, 20.0, -36.0), 5.4),
        (Vec3::new(-46.0, 30.0, -66.0), 4.0),
        (Vec3::new(-54.0, 40.0, -88.0), 2.6),
    ];
    let left = [
        (carina, 7.0),
        (Vec3::new(26.0, 22.0, -20.0), 6.2),
        (Vec3::new(46.0, 24.0, -36.0), 5.0),
        (Vec3::new(58.0, 38.0, -62.0), 3.6),
        (Vec3::new(66.0, 48.0, -88.0), 2.4),
    ];
    let branches: [&[(Vec3, f32)]; 5] = [
        &[
            (Vec3::new(-19.0, 21.0, -15.0), 4.8),
            (Vec3::new(-40.0, 18.0, 0.0), 3.8),
            (Vec3::new(-56.0, 16.0, 26.0), 2.4),
        ],
        &[(Vec3::new(-40.0, 18.0, 0.0), 3.0), (Vec3::new(-60.0, -12.0, 6.0), 2.0)],
        &[(Vec3::new(-34.0, 20.0, -38.0), 3.6), (Vec3::new(-52.0, -14.0, -54.0), 2.2)],
        &[(Vec3::new(46.0, 24.0, -34.0), 4.2), (Vec3::new(62.0, 8.0, -16.0), 3.2), (Vec3::new(68.0, -4.0, 16.0), 2.0)],
        &[(Vec3::new(62.0, 8.0, -16.0), 2.8), (Vec3::new(74.0, -22.0, -30.0), 1.8)],
    ];
    let mut out: Vec<Tube> = Vec::new();
    for path in [&trachea[..], &right[..], &left[..]].into_iter().chain(branches) {
        out.extend(tubes(&curve(path, 5), 1.0));
    }
    out
}

/// The great vessels with contrast in them.
pub(super) fn great_vessels() -> Vec<Tube> {
    let aorta = [
        (Vec3::new(0.0, -16.0, -50.0), 13.5),
        (Vec3::new(-13.0, -20.0, -20.0), 15.5),
        (Vec3::new(-12.0, -18.0, 10.0), 14.5),
        (Vec3::new(2.0, -8.0, 27.0), 13.5),
        (Vec3::new(17.0, 14.0, 27.0), 13.0),
        (Vec3::new(22.0, 36.0, 12.0), 12.5),
        (Vec3::new(20.0, 44.0, -20.0), 11.8),
        (Vec3::new(18.0, 41.0, -80.0), 11.0),
        (Vec3::new(12.0, 32.0, -150.0), 10.5),
        (Vec3::new(4.0, 20.0, -220.0), 10.0),
    ];
    let cava = [
        (Vec3::new(-22.0, -14.0, 62.0), 7.5),
        (Vec3::new(-25.0, -6.0, 20.0), 9.0),
        (Vec3::new(-23.0, -8.0, -38.0), 9.5),
    ];
    let pulmonary = [
        (Vec3::new(18.0, -46.0, -48.0), 13.0),
        (Vec3::new(22.0, -30.0, -20.0), 13.5),
        (Vec3::new(20.0, -12.0, -8.0), 13.0),
        (Vec3::new(34.0, 8.0, -10.0), 10.0),
        (Vec3::new(44.0, 18.0, -24.0), 8.0),
    ];
    let pulmonary_right = [
        (Vec3::new(18.0, -14.0, -10.0), 11.5),
        (Vec3::new(-6.0, -2.0, -14.0), 10.5),
        (Vec3::new(-26.0, 4.0, -18.0), 9.0),
        (Vec3::new(-38.0, 12.0, -30.0), 7.5),
    ];
    let neck: [[(Vec3, f32); 3]; 4] = [
        [
            (Vec3::new(-6.0, -10.0, 34.0), 6.5),
            (Vec3::new(-14.0, -10.0, 70.0), 6.0),
            (Vec3::new(-24.0, -14.0, 130.0), 4.2),
        ],
        [(Vec3::new(8.0, -2.0, 36.0), 4.4), (Vec3::new(14.0, 0.0, 80.0), 4.0), (Vec3::new(24.0, -14.0, 140.0), 3.8)],
        [(Vec3::new(18.0, 12.0, 34.0), 5.0), (Vec3::new(26.0, 12.0, 76.0), 4.6), (Vec3::new(60.0, -12.0, 100.0), 4.2)],
        [(Vec3::new(-22.0, -16.0, 56.0), 7.0), (Vec3::new(6.0, -28.0, 64.0), 6.0), (Vec3::new(30.0, -26.0, 84.0), 5.6)],
    ];
    let lower_cava = [
        (Vec3::new(-22.0, 8.0, -84.0), 11.0),
        (Vec3::new(-20.0, 20.0, -150.0), 11.0),
        (Vec3::new(-18.0, 24.0, -220.0), 10.5),
    ];
    let mut out: Vec<Tube> = Vec::new();
    for path in [&aorta[..], &cava[..], &pulmonary[..], &pulmonary_right[..], &lower_cava[..]] {
        out.extend(tubes(&curve(path, 5), 1.0));
    }
    for path in &neck {
        out.extend(tubes(&curve(path, 5), 1.0));
    }
    out
}

/// Height within its vertebra: 0 in the middle of a body, 1 in the middle of the disc.
pub(super) fn disc_phase(z: f32) -> f32 {
    let t = (z - T1_Z_MM) / VERTEBRA_PITCH_MM;
    2.0 * (t - t.round()).abs()
}

/// How much thinner the waist of a vertebral body is, as a share of its radius.
pub(super) fn waist(z: f32) -> f32 {
    mix(0.90, 1.0, smoothstep(0.0, 0.75, disc_phase(z)))
}

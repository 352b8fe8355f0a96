//! A made-up thorax as surfaces: body, chest wall, lungs, mediastinum, diaphragm, heart. All in mm, LPS, the origin on
//! the midline at the level of the carina. It is nobody's: the shapes are drawn from the numbers in this file.

use glam::Vec3;

use super::shape::{Ellipse, Ellipsoid, Trunk, intersection, smoothstep, table, union};

/// The side of the patient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Right,
    Left,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Right, Self::Left];

    /// Sign of x on this side.
    pub(super) fn sign(self) -> f32 {
        match self {
            Self::Right => -1.0,
            Self::Left => 1.0,
        }
    }
}

/// Where the arms are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pose {
    /// Lying, arms above the head, air in the stomach in front.
    Lying,
    /// Standing, hands on the hips, air in the stomach on top.
    Standing,
}

/// Nodule in the right lower lobe: a ball of 8 mm.
pub(super) const NODULE: Ellipsoid = Ellipsoid::new(Vec3::new(-84.0, 36.0, -58.0), Vec3::new(4.0, 4.0, 4.0));

/// Front of the spine's bodies is `SPINE_HALF[1]` before this line.
pub(super) fn spine_y_mm(z: f32) -> f32 {
    table(z, &[(-220.0, 38.0), (-160.0, 48.0), (-80.0, 60.0), (0.0, 63.0), (60.0, 56.0), (110.0, 38.0), (200.0, 16.0)])
}

/// Half width and half depth of a vertebral body.
pub(super) const SPINE_HALF: [f32; 2] = [18.0, 14.5];

/// Top of the diaphragm at (x, y) on one side.
pub(super) fn diaphragm_z_mm(side: Side, x: f32, y: f32) -> f32 {
    let (peak_x, peak_y, peak_z) = match side {
        Side::Right => (-66.0, -12.0, -86.0),
        Side::Left => (70.0, -8.0, -98.0),
    };
    let outward = (x - peak_x) * side.sign();
    let u = if outward > 0.0 { outward / 78.0 } else { outward / 84.0 };
    let v = if y > peak_y { (y - peak_y) / 104.0 } else { (y - peak_y) / 100.0 };
    let s = u * u + v * v;
    peak_z - 56.0 * s * (0.35 + 0.65 * s)
}

/// Heart: the ventricles, and the right atrium beside them.
pub(super) struct Heart {
    pub(super) ventricles: Ellipsoid,
    pub(super) right_atrium: Ellipsoid,
    pub(super) left_atrium: Ellipsoid,
    pub(super) left_chamber: Ellipsoid,
    pub(super) right_chamber: Ellipsoid,
}

impl Heart {
    pub(super) fn new() -> Self {
        let axis = Vec3::new(0.74, -0.44, -0.50);
        Self {
            ventricles: Ellipsoid::along(Vec3::new(26.0, -28.0, -72.0), Vec3::new(60.0, 44.0, 44.0), axis),
            right_atrium: Ellipsoid::new(Vec3::new(-17.0, -16.0, -62.0), Vec3::new(31.0, 33.0, 42.0)),
            left_atrium: Ellipsoid::new(Vec3::new(6.0, 17.0, -42.0), Vec3::new(34.0, 19.0, 21.0)),
            left_chamber: Ellipsoid::along(Vec3::new(37.0, -16.0, -76.0), Vec3::new(42.0, 20.0, 20.0), axis),
            right_chamber: Ellipsoid::along(
                Vec3::new(18.0, -46.0, -76.0),
                Vec3::new(40.0, 15.0, 24.0),
                Vec3::new(0.80, -0.2, -0.45),
            ),
        }
    }

    /// Distance to the outside of the whole heart.
    pub(super) fn distance(&self, p: Vec3) -> f32 {
        let d = union(self.ventricles.distance(p), self.right_atrium.distance(p), 8.0);
        union(d, self.left_atrium.distance(p), 6.0)
    }
}

/// The whole thorax.
pub(super) struct Thorax {
    pub(super) pose: Pose,
    pub(super) heart: Heart,
    aortic_arch: Ellipsoid,
    hila: [Ellipsoid; 2],
    breasts: [Ellipsoid; 2],
    pub(super) stomach: Ellipsoid,
    pub(super) spleen: Ellipsoid,
    pub(super) liver: Ellipsoid,
}

/// The thorax at one height, with all that depends on the height alone worked out.
pub(super) struct Level<'a> {
    thorax: &'a Thorax,
    pub(super) z: f32,
    pub(super) body: Trunk,
    /// Inside of the ribs.
    pub(super) cavity: Trunk,
    pub(super) spine_y: f32,
    /// Depth of the fat under the skin.
    pub(super) fat_mm: f32,
    central: [Ellipse; 6],
}

impl Thorax {
    pub(super) fn new(pose: Pose) -> Self {
        Self {
            pose,
            heart: Heart::new(),
            aortic_arch: Ellipsoid::new(Vec3::new(19.0, 10.0, 22.0), Vec3::new(22.0, 38.0, 17.0)),
            hila: [
                Ellipsoid::new(Vec3::new(-28.0, 6.0, -22.0), Vec3::new(17.0, 20.0, 24.0)),
                Ellipsoid::new(Vec3::new(28.0, -4.0, -12.0), Vec3::new(19.0, 24.0, 22.0)),
            ],
            breasts: [
                Ellipsoid::new(Vec3::new(-76.0, -86.0, -52.0), Vec3::new(56.0, 44.0, 58.0)),
                Ellipsoid::new(Vec3::new(78.0, -86.0, -54.0), Vec3::new(56.0, 44.0, 58.0)),
            ],
            stomach: Ellipsoid::new(Vec3::new(62.0, -10.0, -146.0), Vec3::new(46.0, 42.0, 38.0)),
            spleen: Ellipsoid::new(Vec3::new(96.0, 42.0, -152.0), Vec3::new(30.0, 40.0, 44.0)),
            liver: Ellipsoid::new(Vec3::new(-58.0, -10.0, -168.0), Vec3::new(112.0, 92.0, 90.0)),
        }
    }

    /// The section at height `z`.
    pub(super) fn level(&self, z: f32) -> Level<'_> {
        let standing = self.pose == Pose::Standing;
        let body_x = if standing {
            [
                (-220.0, 148.0),
                (-100.0, 158.0),
                (-20.0, 163.0),
                (50.0, 172.0),
                (84.0, 178.0),
                (104.0, 172.0),
                (118.0, 148.0),
                (132.0, 104.0),
                (150.0, 68.0),
                (200.0, 58.0),
            ]
        } else {
            [
                (-220.0, 150.0),
                (-100.0, 158.0),
                (-20.0, 162.0),
                (40.0, 167.0),
                (80.0, 172.0),
                (104.0, 172.0),
                (122.0, 164.0),
                (140.0, 120.0),
                (160.0, 72.0),
                (200.0, 60.0),
            ]
        };
        let body_y =
            [(-220.0, 112.0), (-100.0, 112.0), (0.0, 108.0), (60.0, 98.0), (100.0, 82.0), (130.0, 66.0), (200.0, 56.0)];
        let cavity_x = [
            (-200.0, 134.0),
            (-140.0, 138.0),
            (-70.0, 136.0),
            (-10.0, 127.0),
            (40.0, 112.0),
            (66.0, 98.0),
            (86.0, 82.0),
            (102.0, 64.0),
            (112.0, 49.0),
            (119.0, 34.0),
        ];
        let cavity_y =
            [(-200.0, 84.0), (-90.0, 88.0), (0.0, 83.0), (40.0, 74.0), (70.0, 63.0), (95.0, 50.0), (120.0, 36.0)];
        let spine_y = spine_y_mm(z);
        let cavity_half = table(z, &cavity_y);
        // The ribs' heads lie beside the spine: the back of the cavity follows it.
        let cavity_centre = spine_y + 25.0 - cavity_half;
        let aorta = table(z, &[(-220.0, 11.0), (16.0, 13.5), (26.0, 1.0)]);
        Level {
            thorax: self,
            z,
            body: Trunk { centre_y: cavity_centre * 0.7 + 2.0, half: [table(z, &body_x), table(z, &body_y)] },
            cavity: Trunk { centre_y: cavity_centre, half: [table(z, &cavity_x), cavity_half] },
            spine_y,
            fat_mm: table(z, &[(-220.0, 15.0), (-60.0, 12.0), (60.0, 10.0), (120.0, 9.0), (200.0, 5.0)]),
            central: [
                Ellipse::new([0.0, spine_y + 2.0], [22.0, 21.0]),
                Ellipse::new([0.0, spine_y + 28.0], [25.0, 22.0]),
                // Trachea, oesophagus and the vessels to the head.
                Ellipse::new(
                    [1.0, 6.0],
                    [table(z, &[(-80.0, 15.0), (-20.0, 20.0), (20.0, 24.0), (70.0, 27.0), (130.0, 30.0)]), 42.0],
                ),
                // The lungs all but meet in front.
                Ellipse::new(
                    [table(z, &[(-40.0, 6.0), (20.0, 1.0)]), -58.0],
                    [
                        table(
                            z,
                            &[(-90.0, 16.0), (-50.0, 12.0), (0.0, 9.0), (35.0, 12.0), (70.0, 24.0), (110.0, 34.0)],
                        ),
                        44.0,
                    ],
                ),
                // Ascending aorta and upper caval vein.
                Ellipse::new(
                    [-15.0, -10.0],
                    [table(z, &[(-70.0, 6.0), (-20.0, 20.0), (25.0, 18.0), (70.0, 10.0)]), 22.0],
                ),
                Ellipse::new([19.0, spine_y - 19.0], [aorta + 1.5, aorta + 1.5]),
            ],
        }
    }
}

impl Level<'_> {
    /// Distance to the skin.
    pub(super) fn body_distance(&self, x: f32, y: f32) -> f32 {
        let d = self.body.distance(x, y);
        if self.z > 30.0 || self.z < -125.0 || y > -40.0 {
            return d;
        }
        let p = Vec3::new(x, y, self.z);
        let breast = if x < 0.0 { &self.thorax.breasts[0] } else { &self.thorax.breasts[1] };
        union(d, breast.distance(p), 14.0)
    }

    /// Whether a point lies in the part of the breast before the chest wall, where there is fat and gland.
    pub(super) fn breast_distance(&self, x: f32, y: f32) -> f32 {
        let p = Vec3::new(x, y, self.z);
        self.thorax.breasts.iter().map(|b| b.distance(p)).fold(f32::INFINITY, f32::min)
    }

    /// Length in mm of the line along y inside the breasts, before the trunk; soft at their upper border.
    pub(super) fn breast_chord_mm(&self, x: f32) -> f32 {
        // About half of each lies inside the trunk, more of it above.
        let upper = smoothstep(10.0, -60.0, self.z);
        self.thorax.breasts.iter().map(|b| 0.45 * b.chord_y(x, self.z)).sum::<f32>() * upper
    }

    /// Distance to all that lies between the lungs.
    pub(super) fn mediastinum_distance(&self, x: f32, y: f32) -> f32 {
        let p = Vec3::new(x, y, self.z);
        let mut d = self.central[0].distance(x, y);
        for part in &self.central[1..] {
            d = union(d, part.distance(x, y), 7.0);
        }
        if self.z < 5.0 {
            d = union(d, self.thorax.heart.distance(p) - 2.0, 8.0);
        }
        if self.z > -10.0 && self.z < 50.0 {
            d = union(d, self.thorax.aortic_arch.distance(p), 5.0);
        }
        if self.z > -60.0 && self.z < 30.0 {
            let hilum = if x < 0.0 { &self.thorax.hila[0] } else { &self.thorax.hila[1] };
            d = union(d, hilum.distance(p), 8.0);
        }
        d
    }

    /// Distance to the surface of one lung. `cavity` is the distance to the inside of the ribs at the same point.
    pub(super) fn lung_distance(&self, side: Side, x: f32, y: f32, cavity: f32) -> f32 {
        let mut d = cavity + 2.0;
        if self.z > 20.0 {
            // At 20 mm this is wider than the cavity and cuts nothing.
            let apex = Ellipsoid::new(Vec3::new(50.0 * side.sign(), 14.0, -20.0), Vec3::new(96.0, 110.0, 137.0));
            d = intersection(d, apex.distance(Vec3::new(x, y, self.z)), 6.0);
        }
        if self.z < -60.0 {
            // The dome leans, so the height over it is more than the distance.
            d = intersection(d, (diaphragm_z_mm(side, x, y) - self.z) * 0.75, 2.0);
        }
        d = d.max(-side.sign() * x);
        if d > 4.0 || x.abs() > 100.0 {
            return d;
        }
        intersection(d, -self.mediastinum_distance(x, y), 4.0)
    }

    /// Distance of a point under a dome from the dome; positive above it.
    pub(super) fn under_dome(&self, side: Side, x: f32, y: f32) -> f32 {
        (self.z - diaphragm_z_mm(side, x, y)) * 0.75
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lung(side: Side, p: [f32; 3]) -> f32 {
        let thorax = Thorax::new(Pose::Lying);
        let level = thorax.level(p[2]);
        let cavity = level.cavity.distance(p[0], p[1]);
        level.lung_distance(side, p[0], p[1], cavity)
    }

    #[test]
    fn right_is_right_and_the_heart_takes_room_from_the_left() {
        assert!(lung(Side::Right, [-80.0, 0.0, -20.0]) < -10.0);
        assert!(lung(Side::Left, [-80.0, 0.0, -20.0]) > 10.0);
        assert!(lung(Side::Left, [80.0, 0.0, -20.0]) < -10.0);
        assert!(lung(Side::Left, [48.0, -30.0, -72.0]) > 5.0, "there is the heart");
        assert!(lung(Side::Right, [-75.0, -30.0, -66.0]) < -5.0);
        assert!(lung(Side::Left, [50.0, 62.0, -80.0]) < -2.0, "behind the heart there is lung");
    }

    #[test]
    fn the_nodule_lies_in_the_right_lung() {
        let c = NODULE.centre;
        assert!(lung(Side::Right, c.to_array()) < -12.0);
    }
}

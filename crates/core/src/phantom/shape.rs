//! Analytic shapes: distances are in mm, negative inside.

use glam::{Mat3, Vec3};

/// Smooth interpolation in a table of (x, value) with ascending x; constant beyond its ends.
pub(super) fn table(x: f32, points: &[(f32, f32)]) -> f32 {
    let Some(&(first, low)) = points.first() else { return 0.0 };
    if x <= first {
        return low;
    }
    for i in 1..points.len() {
        let ((x0, y0), (x1, y1)) = (points[i - 1], points[i]);
        if x <= x1 {
            // Cubic Hermite; the slope at a knot is that of its neighbours' chord, flat at the ends.
            let slope = |k: usize| {
                if k == 0 || k + 1 == points.len() {
                    return 0.0;
                }
                let ((a, u), (b, v)) = (points[k - 1], points[k + 1]);
                (v - u) / (b - a)
            };
            let h = x1 - x0;
            let t = (x - x0) / h;
            let (t2, t3) = (t * t, t * t * t);
            return (2.0 * t3 - 3.0 * t2 + 1.0) * y0
                + (t3 - 2.0 * t2 + t) * h * slope(i - 1)
                + (3.0 * t2 - 2.0 * t3) * y1
                + (t3 - t2) * h * slope(i);
        }
    }
    points[points.len() - 1].1
}

/// 0 below `low`, 1 above `high`, smooth between.
pub(super) fn smoothstep(low: f32, high: f32, x: f32) -> f32 {
    let t = ((x - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

pub(super) fn mix(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// Union of two shapes with a fillet of about `k` mm.
pub(super) fn union(a: f32, b: f32, k: f32) -> f32 {
    let h = (0.5 + 0.5 * (b - a) / k).clamp(0.0, 1.0);
    mix(b, a, h) - k * h * (1.0 - h)
}

/// Intersection with a rounding of about `k` mm.
pub(super) fn intersection(a: f32, b: f32, k: f32) -> f32 {
    -union(-a, -b, k)
}

/// Share of a voxel of about `size_mm` that a surface at distance `d` leaves inside.
pub(super) fn coverage(d: f32, size_mm: f32) -> f32 {
    (0.5 - d / size_mm).clamp(0.0, 1.0)
}

/// An ellipse in a plane, axis-aligned. First-order distance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ellipse {
    pub(super) centre: [f32; 2],
    pub(super) half: [f32; 2],
}

impl Ellipse {
    pub(super) const fn new(centre: [f32; 2], half: [f32; 2]) -> Self {
        Self { centre, half }
    }

    pub(super) fn distance(&self, x: f32, y: f32) -> f32 {
        let (u, v) = ((x - self.centre[0]) / self.half[0], (y - self.centre[1]) / self.half[1]);
        let k0 = (u * u + v * v).sqrt();
        let (gu, gv) = (u / self.half[0], v / self.half[1]);
        k0 * (k0 - 1.0) / ((gu * gu + gv * gv).sqrt() + 1e-6)
    }
}

/// A rounded box of exponent 2.5 (between ellipse and rectangle), the section of a trunk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trunk {
    pub(super) centre_y: f32,
    pub(super) half: [f32; 2],
}

impl Trunk {
    pub(super) fn distance(&self, x: f32, y: f32) -> f32 {
        let (u, v) = (x.abs() / self.half[0], (y - self.centre_y).abs() / self.half[1]);
        let (pu, pv) = (u * u.sqrt(), v * v.sqrt());
        let s = u * pu + v * pv;
        let (gu, gv) = (2.5 * pu / self.half[0], 2.5 * pv / self.half[1]);
        (s - 1.0) / ((gu * gu + gv * gv).sqrt() + 1e-5)
    }

    /// Extent in y at `x`, half of it; 0 outside.
    pub(super) fn half_depth(&self, x: f32) -> f32 {
        let u = x.abs() / self.half[0];
        if u >= 1.0 {
            return 0.0;
        }
        self.half[1] * (1.0 - u * u * u.sqrt()).powf(0.4)
    }

    /// The point of the outline at `angle`, 0 = back, π/2 = the side of positive x, π = front.
    pub(super) fn outline(&self, angle: f32) -> [f32; 2] {
        let curve = |v: f32| v.signum() * v.abs().powf(0.8);
        [self.half[0] * curve(angle.sin()), self.centre_y + self.half[1] * curve(angle.cos())]
    }
}

/// An ellipsoid, turned. First-order distance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ellipsoid {
    pub(super) centre: Vec3,
    pub(super) half: Vec3,
    /// Its own axes as rows: local from patient.
    local_from_patient: Mat3,
}

impl Ellipsoid {
    pub(super) const fn new(centre: Vec3, half: Vec3) -> Self {
        Self { centre, half, local_from_patient: Mat3::IDENTITY }
    }

    /// The first axis along `axis`, the others at right angles to it.
    pub(super) fn along(centre: Vec3, half: Vec3, axis: Vec3) -> Self {
        let a = axis.normalize();
        let b = a.any_orthonormal_vector();
        Self { centre, half, local_from_patient: Mat3::from_cols(a, b, a.cross(b)).transpose() }
    }

    pub(super) fn distance(&self, p: Vec3) -> f32 {
        let q = self.local_from_patient * (p - self.centre) / self.half;
        let k0 = q.length();
        k0 * (k0 - 1.0) / ((q / self.half).length() + 1e-6)
    }

    /// Length in mm of the line along y through (x, z) inside.
    pub(super) fn chord_y(&self, x: f32, z: f32) -> f32 {
        let o =
            self.local_from_patient * (Vec3::new(x, 0.0, z) - Vec3::new(self.centre.x, 0.0, self.centre.z)) / self.half;
        let d = self.local_from_patient * Vec3::Y / self.half;
        let (a, b, c) = (d.dot(d), o.dot(d), o.dot(o) - 1.0);
        let root = b * b - a * c;
        if root > 0.0 { 2.0 * root.sqrt() / a } else { 0.0 }
    }
}

/// A piece of a tube between two points, its radius changing along it; `stretch` lengthens the section along z.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tube {
    pub(super) a: Vec3,
    pub(super) b: Vec3,
    pub(super) radius_a: f32,
    pub(super) radius_b: f32,
    pub(super) stretch: f32,
}

impl Tube {
    pub(super) const fn new(a: Vec3, b: Vec3, radius_a: f32, radius_b: f32) -> Self {
        Self { a, b, radius_a, radius_b, stretch: 1.0 }
    }

    pub(super) fn radius(&self) -> f32 {
        self.radius_a.max(self.radius_b)
    }

    fn squeeze(&self, p: Vec3) -> Vec3 {
        Vec3::new(p.x, p.y, p.z / self.stretch)
    }

    /// Distance to the surface, caps rounded. Along z it is in units of `stretch` mm.
    pub(super) fn distance(&self, p: Vec3) -> f32 {
        let (a, b, p) = (self.squeeze(self.a), self.squeeze(self.b), self.squeeze(p));
        let axis = b - a;
        let t = ((p - a).dot(axis) / axis.length_squared().max(1e-9)).clamp(0.0, 1.0);
        (p - a - axis * t).length() - mix(self.radius_a, self.radius_b, t)
    }

    /// Range of z that it touches, in mm.
    pub(super) fn z_range(&self) -> (f32, f32) {
        let r = self.radius() * self.stretch;
        (self.a.z.min(self.b.z) - r, self.a.z.max(self.b.z) + r)
    }

    /// Length in mm of the line along y through (x, z) inside, for the tube cut square at its ends and made thinner
    /// (or thicker) by `less` mm all round. Pieces of a smooth tube therefore add up without bright joints.
    pub(super) fn chord_y(&self, x: f32, z: f32, less: f32) -> f32 {
        let (a, b) = (self.squeeze(self.a), self.squeeze(self.b));
        let axis = b - a;
        let length2 = axis.length_squared();
        if length2 < 1e-9 {
            return 0.0;
        }
        // Points of the line: o + y·Y. Its part across the axis decides, the part along it is cut to the piece.
        let o = Vec3::new(x - a.x, -a.y, z / self.stretch - a.z);
        let (t0, tv) = (o.dot(axis) / length2, axis.y / length2);
        let (across0, across_v) = (o - axis * t0, Vec3::Y - axis * tv);
        let (qa, qb) = (across_v.length_squared(), across0.dot(across_v));
        let (mut low, mut high) = (f32::NEG_INFINITY, f32::INFINITY);
        let nearest = if qa > 1e-9 { -qb / qa } else { 0.0 };
        let r = mix(self.radius_a, self.radius_b, (t0 + tv * nearest).clamp(0.0, 1.0)) - less;
        if r <= 0.0 {
            return 0.0;
        }
        let qc = across0.length_squared() - r * r;
        if qa > 1e-9 {
            let root = qb * qb - qa * qc;
            if root <= 0.0 {
                return 0.0;
            }
            low = (-qb - root.sqrt()) / qa;
            high = (-qb + root.sqrt()) / qa;
        } else if qc > 0.0 {
            return 0.0;
        }
        if tv.abs() > 1e-9 {
            let (u, v) = (-t0 / tv, (1.0 - t0) / tv);
            low = low.max(u.min(v));
            high = high.min(u.max(v));
        } else if !(0.0..=1.0).contains(&t0) {
            return 0.0;
        }
        (high - low).max(0.0)
    }
}

/// Tubes along a polyline with one radius per point.
pub(super) fn tubes(points: &[(Vec3, f32)], stretch: f32) -> impl Iterator<Item = Tube> + '_ {
    points.windows(2).map(move |w| Tube { stretch, ..Tube::new(w[0].0, w[1].0, w[0].1, w[1].1) })
}

/// A smooth curve (Catmull-Rom) through the points, `steps` pieces between two of them.
pub(super) fn curve(points: &[(Vec3, f32)], steps: usize) -> Vec<(Vec3, f32)> {
    let n = points.len();
    let mut out = Vec::new();
    for i in 0..n.saturating_sub(1) {
        let (p0, p1, p2, p3) =
            (points[i.saturating_sub(1)].0, points[i].0, points[i + 1].0, points[(i + 2).min(n - 1)].0);
        for s in 0..steps {
            let t = s as f32 / steps as f32;
            let (t2, t3) = (t * t, t * t * t);
            let p = 0.5
                * (2.0 * p1
                    + (p2 - p0) * t
                    + (2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3) * t2
                    + (3.0 * p1 - p0 - 3.0 * p2 + p3) * t3);
            out.push((p, mix(points[i].1, points[i + 1].1, t)));
        }
    }
    out.extend(points.last());
    out
}

/// A flat triangle with a thickness.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plate {
    pub(super) corners: [Vec3; 3],
    pub(super) half_thickness: f32,
}

impl Plate {
    /// Distance to the surface.
    pub(super) fn distance(&self, p: Vec3) -> f32 {
        let [a, b, c] = self.corners;
        let normal = (b - a).cross(c - a);
        let inside = [(a, b), (b, c), (c, a)].into_iter().all(|(u, v)| (v - u).cross(normal).dot(p - u) <= 0.0);
        let d = if inside {
            (normal.dot(p - a) / normal.length()).abs()
        } else {
            [(a, b), (b, c), (c, a)]
                .into_iter()
                .map(|(u, v)| {
                    let axis = v - u;
                    let t = ((p - u).dot(axis) / axis.length_squared()).clamp(0.0, 1.0);
                    (p - u - axis * t).length()
                })
                .fold(f32::INFINITY, f32::min)
        };
        d - self.half_thickness
    }

    /// Length in mm of the line along y through (x, z) inside, its edge softened over 1.5 mm.
    pub(super) fn chord_y(&self, x: f32, z: f32) -> f32 {
        let [a, b, c] = self.corners.map(|p| [p.x, p.z]);
        let area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        let edge = |u: [f32; 2], v: [f32; 2]| {
            let (dx, dz) = (v[0] - u[0], v[1] - u[1]);
            (dx * (z - u[1]) - dz * (x - u[0])) * area.signum() / (dx * dx + dz * dz).sqrt()
        };
        let inside = edge(a, b).min(edge(b, c)).min(edge(c, a));
        2.0 * self.half_thickness * smoothstep(-0.75, 0.75, inside)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tube_across_the_line_has_the_chord_of_a_circle() {
        let t = Tube::new(Vec3::new(-10.0, 3.0, 0.0), Vec3::new(10.0, 3.0, 0.0), 2.0, 2.0);
        assert!((t.chord_y(0.0, 0.0, 0.0) - 4.0).abs() < 1e-4);
        assert!((t.chord_y(5.0, 1.0, 0.0) - 2.0 * 3.0_f32.sqrt()).abs() < 1e-4);
        assert!((t.chord_y(5.0, 0.0, 1.0) - 2.0).abs() < 1e-4);
        assert_eq!(t.chord_y(11.0, 0.0, 0.0), 0.0);
        assert_eq!(t.chord_y(0.0, 2.1, 0.0), 0.0);
        let along = Tube::new(Vec3::new(0.0, -7.0, 0.0), Vec3::new(0.0, 7.0, 0.0), 2.0, 2.0);
        assert!((along.chord_y(1.0, 1.0, 0.0) - 14.0).abs() < 1e-4);
        assert_eq!(along.chord_y(2.1, 0.0, 0.0), 0.0);
    }

    #[test]
    fn chords_add_up_to_the_volume_of_a_slanted_tube() {
        let (a, b) = (Vec3::new(-6.0, -9.0, -4.0), Vec3::new(7.0, 8.0, 5.0));
        let t = Tube::new(a, b, 3.0, 3.0);
        let step = 0.1;
        let mut volume = 0.0_f64;
        for i in -150..150 {
            for k in -150..150 {
                volume += f64::from(t.chord_y(i as f32 * step, k as f32 * step, 0.0) * step * step);
            }
        }
        let truth = std::f64::consts::PI * 9.0 * f64::from((b - a).length());
        assert!((volume / truth - 1.0).abs() < 0.01, "{volume} for {truth}");
    }

    #[test]
    fn an_ellipsoid_is_its_equation() {
        let e = Ellipsoid::along(Vec3::new(1.0, 2.0, 3.0), Vec3::new(5.0, 2.0, 2.0), Vec3::new(0.0, 1.0, 0.0));
        assert!((e.chord_y(1.0, 3.0) - 10.0).abs() < 1e-4);
        assert!(e.distance(Vec3::new(1.0, 6.9, 3.0)) < 0.0 && e.distance(Vec3::new(1.0, 7.1, 3.0)) > 0.0);
        assert!(e.distance(Vec3::new(3.1, 2.0, 3.0)) > 0.0);
    }

    #[test]
    fn a_table_meets_its_knots() {
        let t = [(0.0, 1.0), (2.0, 5.0), (3.0, 4.0)];
        for (x, y) in t {
            assert!((table(x, &t) - y).abs() < 1e-5);
        }
        assert_eq!((table(-1.0, &t), table(9.0, &t)), (1.0, 4.0));
    }
}

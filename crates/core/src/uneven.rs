//! Where the slices of a stack stand when no even lattice holds them: gaps, changing steps, a lean that changes.

use glam::DVec3;

/// The places of parallel slices, from which the way between two slices is a straight line. Beyond the outermost slices
/// the outermost step goes on.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SlicePlaces {
    /// Centre of the first voxel of each slice, mm (LPS).
    origins: Vec<DVec3>,
    /// Unit normal towards higher slices.
    normal: DVec3,
    /// Height of each slice along `normal`, ascending.
    heights: Vec<f64>,
    /// The farthest that a slice moves sideways for each mm of height.
    lean: f64,
}

impl SlicePlaces {
    /// `None` when there are fewer than two slices, or they do not ascend along one side of `normal`.
    pub(crate) fn new(origins: &[DVec3], normal: DVec3) -> Option<Self> {
        let (first, last) = (*origins.first()?, *origins.last()?);
        let normal = if (last - first).dot(normal) < 0.0 { -normal } else { normal };
        let heights: Vec<f64> = origins.iter().map(|o| (*o - first).dot(normal)).collect();
        let ascends = heights.windows(2).all(|w| w[1] - w[0] > 1e-6);
        if origins.len() < 2 || !ascends || !origins.iter().all(|o| o.is_finite()) {
            return None;
        }
        let lean =
            origins.windows(2).map(|w| w[1] - w[0]).map(|s| (s - normal * s.dot(normal)).length() / s.dot(normal));
        let lean = lean.fold(0.0, f64::max);
        Some(Self { origins: origins.to_vec(), normal, heights, lean })
    }

    /// The two slices between which (or beyond which) index `k` lies: the lower one and the share of the way.
    fn between(&self, k: f64) -> (usize, f64) {
        let last = self.origins.len() - 2;
        let lower = if k.is_finite() { (k.floor().max(0.0) as usize).min(last) } else { 0 };
        (lower, k - lower as f64)
    }

    /// Centre of the first voxel at slice index `k`.
    pub(crate) fn origin(&self, k: f64) -> DVec3 {
        let (lower, share) = self.between(k);
        self.origins[lower] + (self.origins[lower + 1] - self.origins[lower]) * share
    }

    /// The slice index at the height of a point.
    pub(crate) fn index(&self, p: DVec3) -> f64 {
        let h = (p - self.origins[0]).dot(self.normal);
        let last = self.heights.len() - 2;
        let lower = self.heights.partition_point(|v| *v <= h).saturating_sub(1).min(last);
        lower as f64 + (h - self.heights[lower]) / (self.heights[lower + 1] - self.heights[lower])
    }

    /// Thickness that slice `k` stands for: half the way to each neighbour, mm.
    pub(crate) fn extent_mm(&self, k: usize) -> f64 {
        let h = &self.heights;
        let last = h.len() - 1;
        let k = k.min(last);
        let below = if k == 0 { h[1] - h[0] } else { h[k] - h[k - 1] };
        let above = if k == last { h[last] - h[last - 1] } else { h[k + 1] - h[k] };
        (below + above) / 2.0
    }

    pub(crate) fn normal(&self) -> DVec3 {
        self.normal
    }

    pub(crate) fn lean(&self) -> f64 {
        self.lean
    }

    pub(crate) fn origins(&self) -> &[DVec3] {
        &self.origins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Heights 0, 1, 5, 12, leaning only in the second half.
    fn places() -> SlicePlaces {
        let at = |y: f64, z: f64| DVec3::new(3.0, y, z);
        SlicePlaces::new(&[at(0.0, 0.0), at(0.0, 1.0), at(2.0, 5.0), at(4.0, 12.0)], -DVec3::Z).expect("ascending")
    }

    #[test]
    fn slices_stand_where_they_were_put_and_between_lies_a_line() {
        let p = places();
        assert_eq!(p.normal(), DVec3::Z);
        assert_eq!(p.origin(2.0), DVec3::new(3.0, 2.0, 5.0));
        assert_eq!(p.origin(1.5), DVec3::new(3.0, 1.0, 3.0));
        assert_eq!(p.origin(-1.0), DVec3::new(3.0, 0.0, -1.0));
        assert_eq!(p.origin(4.0), DVec3::new(3.0, 6.0, 19.0));
        for k in [-1.0, -0.25, 0.0, 0.7, 1.0, 1.5, 2.0, 2.99, 3.0, 4.5] {
            assert!((p.index(p.origin(k)) - k).abs() < 1e-12);
        }
        assert_eq!([0, 1, 2, 3].map(|k| p.extent_mm(k)), [1.0, 2.5, 5.5, 7.0]);
        assert_eq!(p.lean(), 0.5);
    }

    #[test]
    fn slices_that_turn_back_have_no_order() {
        assert_eq!(SlicePlaces::new(&[DVec3::ZERO, DVec3::Z * 2.0, DVec3::Z], DVec3::Z), None);
        assert_eq!(SlicePlaces::new(&[DVec3::ZERO], DVec3::Z), None);
        assert_eq!(SlicePlaces::new(&[DVec3::ZERO, DVec3::splat(f64::NAN)], DVec3::Z), None);
    }
}

//! Repeatable noise from integer hashes: the same numbers on each run, no state.

use glam::Vec3;

/// Mixes three integers and a seed into 32 well-spread bits (finaliser of MurmurHash3).
pub(super) fn hash(x: i32, y: i32, z: i32, seed: u32) -> u32 {
    finish(
        (x as u32).wrapping_mul(SPREAD[0])
            ^ (y as u32).wrapping_mul(SPREAD[1])
            ^ (z as u32).wrapping_mul(SPREAD[2])
            ^ seed.wrapping_mul(SPREAD[3]),
    )
}

const SPREAD: [u32; 4] = [0x9E37_79B1, 0x85EB_CA77, 0xC2B2_AE3D, 0x27D4_EB2F];

fn finish(mut h: u32) -> u32 {
    h ^= h >> 16;
    h = h.wrapping_mul(0x85EB_CA6B);
    h ^= h >> 13;
    h = h.wrapping_mul(0xC2B2_AE35);
    h ^ (h >> 16)
}

/// A number with mean 0 and standard deviation 1, near enough to normal: the sum of four bytes.
pub(super) fn normal(x: i32, y: i32, z: i32, seed: u32) -> f32 {
    let h = hash(x, y, z, seed);
    let sum = (h & 255) + (h >> 8 & 255) + (h >> 16 & 255) + (h >> 24);
    // A byte has variance (256² - 1) / 12; four of them 21845, its root 147.8.
    (sum as f32 - 510.0) / 147.8
}

/// Smooth noise, about -1 to 1, one lump per unit.
pub(super) fn smooth(p: Vec3, seed: u32) -> f32 {
    // Without SSE 4.1 `floor` is a call; coordinates here are far within an i32.
    let floor = |v: f32| v as i32 - i32::from(v < (v as i32) as f32);
    let (i, j, k) = (floor(p.x), floor(p.y), floor(p.z));
    let f = p - Vec3::new(i as f32, j as f32, k as f32);
    let u = f * f * (Vec3::splat(3.0) - 2.0 * f);
    // The eight corners share their factors.
    let pair = |v: i32, axis: usize| {
        let low = (v as u32).wrapping_mul(SPREAD[axis]);
        [low, low.wrapping_add(SPREAD[axis])]
    };
    let (xs, ys, zs) = (pair(i, 0), pair(j, 1), pair(k, 2));
    let salt = seed.wrapping_mul(SPREAD[3]);
    let corner = |a: usize, b: usize, c: usize| (finish(xs[a] ^ ys[b] ^ zs[c] ^ salt) >> 8) as f32 / 8_388_608.0 - 1.0;
    let line = |b: usize, c: usize| {
        let (low, high) = (corner(0, b, c), corner(1, b, c));
        low + (high - low) * u.x
    };
    let face = |c: usize| {
        let (low, high) = (line(0, c), line(1, c));
        low + (high - low) * u.y
    };
    let (low, high) = (face(0), face(1));
    low + (high - low) * u.z
}

/// A small generator for placing things (SplitMix64).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Evenly in 0 to 1.
    pub(super) fn unit(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0
    }

    /// Evenly in `low` to `high`.
    pub(super) fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_has_mean_0_and_deviation_1() {
        let n = 40_000;
        let v: Vec<f32> = (0..n).map(|i| normal(i % 200, i / 200, 3, 7)).collect();
        let mean = v.iter().sum::<f32>() / n as f32;
        let variance = v.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n as f32;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.03, "{mean} {variance}");
    }

    #[test]
    fn smooth_noise_has_no_steps() {
        let mut last = smooth(Vec3::new(-3.0, 0.3, 0.7), 1);
        for i in 1..600 {
            let v = smooth(Vec3::new(-3.0 + i as f32 * 0.01, 0.3, 0.7), 1);
            assert!((v - last).abs() < 0.04 && v.abs() <= 1.0);
            last = v;
        }
    }
}

//! Parallel-beam projection and filtered back-projection of a CT slice, for noise as fewer photons make it.

use crate::degrade::normal;
use rand::rngs::StdRng;
use rayon::prelude::*;

/// Attenuation of water at 70 keV, per mm.
const WATER_PER_MM: f32 = 0.0193;

/// Line integrals of a square image over half a turn, rays a pixel apart, in units of pixels.
///
/// # Shapes
/// - `image`: `[side * side]`
/// - result: `[angles * rays]`, `rays` = [`rays`]`(side)`
#[must_use]
pub(crate) fn project(image: &[f32], side: usize, angles: usize) -> Vec<f32> {
    let rays = rays(side);
    let centre = (side as f32 - 1.0) / 2.0;
    let middle = (rays as f32 - 1.0) / 2.0;
    let mut out = vec![0f32; angles * rays];
    out.par_chunks_mut(rays).enumerate().for_each(|(a, line)| {
        let (sin, cos) = (std::f32::consts::PI * a as f32 / angles as f32).sin_cos();
        for (r, o) in line.iter_mut().enumerate() {
            let s = r as f32 - middle;
            let mut sum = 0.0;
            for t in 0..rays {
                let t = t as f32 - middle;
                let (x, y) = (centre + s * cos - t * sin, centre + s * sin + t * cos);
                if x < 0.0 || y < 0.0 || x > side as f32 - 1.001 || y > side as f32 - 1.001 {
                    continue;
                }
                let (x0, y0) = (x as usize, y as usize);
                let (fx, fy) = (x - x0 as f32, y - y0 as f32);
                let at = y0 * side + x0;
                sum += (image[at] * (1.0 - fx) + image[at + 1] * fx) * (1.0 - fy)
                    + (image[at + side] * (1.0 - fx) + image[at + side + 1] * fx) * fy;
            }
            *o = sum;
        }
    });
    out
}

/// Rays that cover a square's diagonal.
#[must_use]
pub(crate) fn rays(side: usize) -> usize {
    (side as f32 * std::f32::consts::SQRT_2).ceil() as usize + 1
}

/// Filtered back-projection with the band-limited ramp of Ram and Lakshminarayanan (1971).
///
/// # Shapes
/// As [`project`], the other way.
#[must_use]
pub(crate) fn back_project(sinogram: &[f32], side: usize, angles: usize) -> Vec<f32> {
    let rays = rays(side);
    // h(0) = 1/4, h(odd n) = -1 / (pi n)^2, 0 at other even n.
    let ramp: Vec<f32> = (0..rays)
        .map(|n| match n {
            0 => 0.25,
            n if n % 2 == 1 => -1.0 / (std::f32::consts::PI * n as f32).powi(2),
            _ => 0.0,
        })
        .collect();
    let filtered: Vec<Vec<f32>> = sinogram
        .par_chunks(rays)
        .map(|line| (0..rays).map(|i| line.iter().enumerate().map(|(j, v)| v * ramp[i.abs_diff(j)]).sum()).collect())
        .collect();
    let (centre, middle) = ((side as f32 - 1.0) / 2.0, (rays as f32 - 1.0) / 2.0);
    let turns: Vec<(f32, f32)> =
        (0..angles).map(|a| (std::f32::consts::PI * a as f32 / angles as f32).sin_cos()).collect();
    let mut out = vec![0f32; side * side];
    out.par_chunks_mut(side).enumerate().for_each(|(y, line)| {
        let y = y as f32 - centre;
        for (x, o) in line.iter_mut().enumerate() {
            let x = x as f32 - centre;
            let mut sum = 0.0;
            for ((sin, cos), line) in turns.iter().zip(&filtered) {
                let s = x * cos + y * sin + middle;
                let i = s as usize;
                if s >= 0.0 && i + 1 < rays {
                    let f = s - i as f32;
                    sum += line[i] * (1.0 - f) + line[i + 1] * f;
                }
            }
            *o = sum * std::f32::consts::PI / angles as f32;
        }
    });
    out
}

/// A slice in HU as fewer photons would show it: the noise of the photons, back-projected, on top of the slice.
///
/// Projection and back-projection are linear, so only the noise takes the way: the slice itself is not blurred by it.
/// Rays of a slice of another shape than a square are reckoned on the square that holds it.
#[must_use]
pub(crate) fn low_dose(
    hu: &[f32],
    columns: usize,
    pixel_mm: f32,
    photons: f32,
    angles: usize,
    random: &mut StdRng,
) -> Vec<f32> {
    let rows = hu.len() / columns.max(1);
    let side = rows.max(columns);
    let per_pixel = WATER_PER_MM * pixel_mm;
    let mut square = vec![0f32; side * side];
    for y in 0..rows {
        for x in 0..columns {
            square[y * side + x] = (1.0 + hu[y * columns + x] / 1000.0).max(0.0) * per_pixel;
        }
    }
    let mut noise = project(&square, side, angles);
    for line in &mut noise {
        // ln of a Poisson number of mean n: deviation 1 / sqrt(n); 1 photon is the least a detector tells from none.
        let expected = (photons * (-*line).exp()).max(1.0);
        *line = normal(random) / expected.sqrt();
    }
    let grain = back_project(&noise, side, angles);
    (0..rows * columns).map(|i| hu[i] + 1000.0 * grain[(i / columns) * side + i % columns] / per_pixel).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn a_disc_comes_back() {
        let side = 64;
        let disc: Vec<f32> = (0..side * side)
            .map(|i| {
                let (x, y) = ((i % side) as f32 - 31.5, (i / side) as f32 - 31.5);
                if x * x + y * y < 400.0 { 1.0 } else { 0.0 }
            })
            .collect();
        let sinogram = project(&disc, side, 120);
        // Through the centre: the diameter, 40 pixels.
        let rays = rays(side);
        assert!((sinogram[rays / 2] - 40.0).abs() < 1.5, "{}", sinogram[rays / 2]);
        let back = back_project(&sinogram, side, 120);
        let mean = |inside: &dyn Fn(f32) -> bool| {
            let chosen: Vec<f32> = (0..side * side)
                .filter(|i| {
                    let (x, y) = ((i % side) as f32 - 31.5, (i / side) as f32 - 31.5);
                    inside((x * x + y * y).sqrt())
                })
                .map(|i| back[i])
                .collect();
            chosen.iter().sum::<f32>() / chosen.len() as f32
        };
        assert!((mean(&|r| r < 15.0) - 1.0).abs() < 0.03);
        assert!(mean(&|r| r > 24.0 && r < 30.0).abs() < 0.05);
    }

    #[test]
    fn fewer_photons_make_more_noise_and_no_shift() {
        let water = vec![0f32; 48 * 48];
        let spread = |photons: f32| {
            let v = low_dose(&water, 48, 4.0, photons, 60, &mut StdRng::seed_from_u64(2));
            let mean = v.iter().sum::<f32>() / v.len() as f32;
            assert!(mean.abs() < 10.0, "mean {mean}");
            (v.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / v.len() as f32).sqrt()
        };
        let (few, many) = (spread(1e4), spread(1e6));
        assert!((few / many - 10.0).abs() < 0.5, "{few} and {many}");
    }
}

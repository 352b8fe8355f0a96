//! A segmentation model on a volume: resampled as its card says, whole or by windows, labels back at its own voxels.

use crate::answer::is_background;
use crate::arch::{Output, Pass, Takes};
use crate::card::{Activation, Card, Intensity, Task};
use crate::{Error, Model, Result, RunCx};
use candle_core::{Device, Tensor};
use lightbox_core::{BitPlane, Mask, Volume, VoxelPos};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

/// Masks of a volume.
#[derive(Debug, Clone)]
pub struct VolumeAnswer {
    /// One per label that is not the background: its name, its mask in the volume's own voxels, mL.
    pub masks: Vec<(String, Mask, f64)>,
    /// Milliseconds by stage: `prepare`, `network`, `masks`.
    pub timings_ms: Vec<(String, f64)>,
}

/// The network's grid over a volume.
pub(crate) struct Grid {
    /// Index 0, 1 and 2 of the network's input.
    pub(crate) dims: [usize; 3],
    /// Voxel of the volume per step along each of these, and of index 0, 0, 0: columns, rows, slices.
    origin: [f64; 3],
    steps: [[f64; 3]; 3],
}

impl Grid {
    pub(crate) fn of(card: &Card, volume: &Volume) -> Result<Self> {
        let geometry = volume.geometry();
        let spec = &card.input;
        let axes = spec.orientation.as_deref().unwrap_or("IPL");
        let directions: Vec<[f64; 3]> = axes
            .chars()
            .map(|c| match c {
                'L' => [1.0, 0.0, 0.0],
                'R' => [-1.0, 0.0, 0.0],
                'P' => [0.0, 1.0, 0.0],
                'A' => [0.0, -1.0, 0.0],
                'S' => [0.0, 0.0, 1.0],
                _ => [0.0, 0.0, -1.0],
            })
            .collect();
        // How far the volume reaches from its centre along each direction, mm.
        let own = geometry.dims();
        let centre = geometry.centre().0;
        let mut reach = [0f64; 3];
        for corner in 0..8 {
            let at = |axis: usize| if corner >> axis & 1 == 0 { -0.5 } else { own[axis] as f64 - 0.5 };
            let p = geometry.to_patient(VoxelPos::new(at(0), at(1), at(2))).0 - centre;
            for (r, d) in reach.iter_mut().zip(&directions) {
                *r = r.max((p.x * d[0] + p.y * d[1] + p.z * d[2]).abs());
            }
        }
        let spacing = spec.spacing_mm.unwrap_or([1.0; 3]);
        let fixed = [spec.slices, spec.rows, spec.columns];
        let mut dims = fixed;
        if spec.window_overlap.is_some() {
            for a in 0..3 {
                dims[a] = ((2.0 * reach[a] / spacing[a]).ceil() as usize).max(fixed[a]);
            }
        }
        if dims.iter().try_fold(1usize, |n, d| n.checked_mul(*d)).is_none_or(|n| n > 1 << 28) {
            return Err(Error::Image {
                reason: format!("resampled it would have {dims:?} voxels, which are too many"),
            });
        }
        let voxel = |offset: [f64; 3]| {
            let mut p = centre;
            for (a, d) in directions.iter().enumerate() {
                p.x += offset[a] * d[0];
                p.y += offset[a] * d[1];
                p.z += offset[a] * d[2];
            }
            let v = geometry.to_voxel(lightbox_core::PatientPos(p)).0;
            [v.x, v.y, v.z]
        };
        // Index n / 2 lies on the centre, as in FreeSurfer's conformed volumes.
        let start = [0, 1, 2].map(|a| -((dims[a] / 2) as f64) * spacing[a]);
        let origin = voxel(start);
        let steps = [0, 1, 2].map(|a| {
            let mut next = start;
            next[a] += spacing[a];
            let v = voxel(next);
            [v[0] - origin[0], v[1] - origin[1], v[2] - origin[2]]
        });
        Ok(Self { dims, origin, steps })
    }

    pub(crate) fn voxel(&self, i: [f64; 3]) -> [f64; 3] {
        [0, 1, 2].map(|a| self.origin[a] + (0..3).map(|k| i[k] * self.steps[k][a]).sum::<f64>())
    }

    /// The volume at the grid, trilinear; NaN outside.
    pub(crate) fn sample(&self, volume: &Volume) -> Vec<f32> {
        let [_, rows, columns] = self.dims;
        let dims = volume.geometry().dims();
        let mut out = vec![f32::NAN; self.dims.iter().product()];
        out.par_chunks_exact_mut(rows * columns).enumerate().for_each(|(s, plane)| {
            for (i, o) in plane.iter_mut().enumerate() {
                let v = self.voxel([s as f64, (i / columns) as f64, (i % columns) as f64]);
                let inside = (0..3).all(|a| v[a] > -0.5 && v[a] < dims[a] as f64 - 0.5);
                if inside {
                    let value = volume.trilinear(VoxelPos::new(v[0], v[1], v[2]));
                    *o = if value.is_finite() { value } else { 0.0 };
                }
            }
        });
        out
    }
}

/// Values of the grid to the network's range. What lies outside of the volume is 0 where the range depends on the
/// volume's own values, as the published tools fill up before they look at them; else it is the card's `pad`.
fn to_range(values: &mut [f32], card: &Card) -> Result<()> {
    let fixed = matches!(card.input.intensity, Intensity::Range { .. });
    let fill = |values: &mut [f32], with: f32| {
        values.par_iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = with);
    };
    if !fixed {
        fill(values, 0.0);
    }
    crate::prepare::intensity(values, &card.input, None, None)?;
    crate::prepare::shifted(values, &card.input, 0);
    if fixed {
        fill(values, card.input.pad);
    }
    Ok(())
}

impl Model {
    /// Outlines structures in a volume.
    ///
    /// # Errors
    /// [`Error::Image`] where volume and model do not go together; [`Error::Cancelled`].
    pub fn segment_volume(&self, volume: &Volume, cx: &RunCx<'_>) -> Result<VolumeAnswer> {
        let card = self.card();
        crate::answer::want(card, Task::Segmentation)?;
        if card.architecture.takes() != Takes::Volume(1) {
            let reason = format!("'{}' takes single images of {} channels", card.id, card.architecture.inputs());
            return Err(Error::Image { reason });
        }
        if !volume.is_complete() {
            return Err(Error::Image { reason: "slices of the volume are missing".into() });
        }
        if volume.geometry().dims()[2] < 2 {
            return Err(Error::Image { reason: format!("'{}' takes a volume, this is a single slice", card.id) });
        }
        let mut timings_ms = Vec::with_capacity(3);
        let mut clock = Instant::now();
        let mut stage = |name: &str| {
            timings_ms.push((name.to_owned(), clock.elapsed().as_secs_f64() * 1e3));
            clock = Instant::now();
        };
        (cx.progress)(0.0, "Preparing the volume");
        let grid = Grid::of(card, volume)?;
        let mut values = grid.sample(volume);
        to_range(&mut values, card)?;
        cx.check()?;
        stage("prepare");
        let labels = match card.input.window_overlap {
            None => self.whole(values, grid.dims, cx)?,
            Some(overlap) => self.by_windows(&values, grid.dims, overlap, cx)?,
        };
        stage("network");
        (cx.progress)(0.95, "Making masks");
        let masks = masks(card, &grid, &labels, volume);
        stage("masks");
        (cx.progress)(1.0, "Done");
        Ok(VolumeAnswer { masks, timings_ms })
    }

    /// The card's atlas (`baseline.atlas`) laid over a volume: what the plain method says.
    ///
    /// # Errors
    /// [`Error::Card`] where the weights hold none.
    pub(crate) fn atlas_volume(&self, volume: &Volume) -> Result<VolumeAnswer> {
        let absent = || Error::Card { id: self.card().id.clone(), reason: "its weights lack the atlas".into() };
        let atlas = self.extras().get("baseline.atlas").ok_or_else(absent)?;
        let (k, d, h, w) = atlas.dims4()?;
        let grid = Grid::of(self.card(), volume)?;
        let values: Vec<f32> = atlas.flatten_all()?.to_vec1()?;
        let size = d * h * w;
        // The atlas in the middle of a larger grid.
        let labels: Vec<u16> = (0..grid.dims.iter().product())
            .map(|i: usize| {
                let at = [i / (grid.dims[1] * grid.dims[2]), i / grid.dims[2] % grid.dims[1], i % grid.dims[2]];
                let own = [d, h, w];
                let place = [0, 1, 2].map(|a| at[a] as i64 - (grid.dims[a] / 2) as i64 + (own[a] / 2) as i64);
                if (0..3).any(|a| place[a] < 0 || place[a] >= own[a] as i64) {
                    return 0;
                }
                let v = (place[0] as usize * h + place[1] as usize) * w + place[2] as usize;
                (1..k).fold(0, |best, l| if values[l * size + v] > values[best * size + v] { l } else { best }) as u16
            })
            .collect();
        Ok(VolumeAnswer { masks: masks(self.card(), &grid, &labels, volume), timings_ms: Vec::new() })
    }

    fn whole(&self, values: Vec<f32>, [d, h, w]: [usize; 3], cx: &RunCx<'_>) -> Result<Vec<u16>> {
        let x = Tensor::from_vec(values, (1, 1, d, h, w), &Device::Cpu)?;
        self.label_map(&x, &mut Pass::new(*cx))
    }

    /// One number per voxel; a single sigmoid label is 1 where it passes its threshold.
    fn label_map(&self, x: &Tensor, pass: &mut Pass<'_>) -> Result<Vec<u16>> {
        if self.card().post.activation == Activation::Softmax
            && let Some(labels) = self.network().labels(x, pass)
        {
            return labels;
        }
        match self.network().run(x, pass)? {
            Output::Masks(t) => winners(self.card(), &t.get(0)?),
            _ => Err(Error::Image { reason: format!("'{}' outlines nothing", self.card().id) }),
        }
    }

    /// Windows of the card's size; where they overlap the mean of the networks' numbers counts.
    ///
    /// The sums of one layer of windows are held at a time: slices that no later window reaches become labels at once, so
    /// that memory does not grow with the slices beyond input and labels.
    fn by_windows(&self, values: &[f32], dims: [usize; 3], overlap: f64, cx: &RunCx<'_>) -> Result<Vec<u16>> {
        let card = self.card();
        let window = [card.input.slices, card.input.rows, card.input.columns];
        let starts: [Vec<usize>; 3] = [0, 1, 2].map(|a| starts(dims[a], window[a], overlap));
        // How many windows cover each index of an axis.
        let covers: [Vec<f32>; 3] = [0, 1, 2].map(|a| {
            let of = |i: usize| starts[a].iter().filter(|s| (**s..**s + window[a]).contains(&i)).count() as f32;
            (0..dims[a]).map(of).collect()
        });
        let (k, plane) = (card.labels.len(), dims[1] * dims[2]);
        let total = starts.iter().map(Vec::len).product::<usize>().max(1);
        let mut sums: VecDeque<Vec<f32>> = VecDeque::new();
        let mut labels = Vec::with_capacity(dims[0] * plane);
        let mut done = 0;
        for (n, s0) in starts[0].iter().copied().enumerate() {
            sums.resize_with(window[0], || vec![0f32; k * plane]);
            for r0 in starts[1].iter().copied() {
                for c0 in starts[2].iter().copied() {
                    cx.check()?;
                    (cx.progress)(0.05 + 0.9 * done as f32 / total as f32, "Running the network");
                    done += 1;
                    let mut part = Vec::with_capacity(window.iter().product());
                    for s in 0..window[0] {
                        for r in 0..window[1] {
                            let from = ((s0 + s) * dims[1] + r0 + r) * dims[2] + c0;
                            part.extend_from_slice(&values[from..from + window[2]]);
                        }
                    }
                    let out = self.window(part, window, cx)?;
                    let size = out.len() / k.max(1);
                    for (s, sum) in sums.iter_mut().enumerate() {
                        for (label, sum) in sum.chunks_exact_mut(plane).enumerate() {
                            for r in 0..window[1] {
                                let source = &out[label * size + (s * window[1] + r) * window[2]..][..window[2]];
                                let target = &mut sum[(r0 + r) * dims[2] + c0..][..window[2]];
                                target.iter_mut().zip(source).for_each(|(t, s)| *t += s);
                            }
                        }
                    }
                }
            }
            let next = starts[0].get(n + 1).copied().unwrap_or(dims[0]);
            for s in s0..next {
                let Some(mut sum) = sums.pop_front() else { break };
                for (i, v) in sum.iter_mut().enumerate() {
                    let (r, c) = (i % plane / dims[2], i % dims[2]);
                    *v /= covers[0][s] * covers[1][r] * covers[2][c];
                }
                labels.extend(winners(card, &Tensor::from_vec(sum, (k, plane), &Device::Cpu)?)?);
            }
        }
        Ok(labels)
    }

    /// The network's numbers for one window, `[labels * slices * rows * columns]`.
    fn window(&self, part: Vec<f32>, [d, h, w]: [usize; 3], cx: &RunCx<'_>) -> Result<Vec<f32>> {
        let card = self.card();
        let x = Tensor::from_vec(part, (1, 1, d, h, w), &Device::Cpu)?;
        let quiet = RunCx { cancelled: cx.cancelled, progress: &|_, _| {} };
        let Output::Masks(t) = self.network().run(&x, &mut Pass::new(quiet))? else {
            return Err(Error::Image { reason: format!("'{}' outlines nothing", card.id) });
        };
        if t.dims() != [1, card.labels.len(), d, h, w] {
            let reason =
                format!("'{}' gives an outline of shape {:?} for a window of {d} x {h} x {w}", card.id, t.dims());
            return Err(Error::Image { reason });
        }
        Ok(t.flatten_all()?.to_vec1()?)
    }
}

/// Where windows begin along an axis; the last one ends with it.
fn starts(size: usize, window: usize, overlap: f64) -> Vec<usize> {
    let step = ((window as f64 * (1.0 - overlap)) as usize).max(1);
    let last = size.saturating_sub(window);
    let mut all: Vec<usize> = (0..last).step_by(step).collect();
    all.push(last);
    all
}

fn winners(card: &Card, logits: &Tensor) -> Result<Vec<u16>> {
    if logits.dim(0)? > 1 {
        return crate::arch::net::largest(logits);
    }
    let threshold = card.labels.first().map_or(0.5, |l| l.threshold);
    let values: Vec<f32> = logits.flatten_all()?.to_vec1()?;
    Ok(values.into_iter().map(|v| u16::from(crate::segment::sigmoid(v) >= threshold)).collect())
}

/// Labels at the volume's own voxels: those of the nearest voxel of the grid.
fn masks(card: &Card, grid: &Grid, labels: &[u16], volume: &Volume) -> Vec<(String, Mask, f64)> {
    let own = volume.geometry().dims();
    // The grid's index from a voxel: the inverse of a 3 x 3 matrix.
    let s = glam_inverse(grid.steps);
    let planes: Vec<Vec<u16>> = (0..own[2])
        .into_par_iter()
        .map(|z| {
            let mut plane = vec![0u16; own[0] * own[1]];
            for (i, o) in plane.iter_mut().enumerate() {
                let v = [(i % own[0]) as f64, (i / own[0]) as f64, z as f64];
                let d = [0, 1, 2].map(|a| v[a] - grid.origin[a]);
                let at = [0, 1, 2].map(|k| (0..3).map(|a| d[a] * s[a][k]).sum::<f64>().round());
                if (0..3).all(|k| at[k] >= 0.0 && at[k] < grid.dims[k] as f64) {
                    *o = labels[(at[0] as usize * grid.dims[1] + at[1] as usize) * grid.dims[2] + at[2] as usize];
                }
            }
            plane
        })
        .collect();
    let millilitre = volume.geometry().voxel_volume_mm3() / 1000.0;
    let single = card.labels.len() == 1;
    card.labels
        .iter()
        .enumerate()
        .filter(|(l, label)| *l > 0 || !is_background(&label.name))
        .map(|(l, label)| {
            let number = if single { 1 } else { l as u16 };
            let mut mask = Mask::new(own);
            let mut voxels = 0usize;
            for (z, plane) in planes.iter().enumerate() {
                let bits: Vec<bool> = plane.iter().map(|p| *p == number).collect();
                let n = bits.iter().filter(|b| **b).count();
                if n > 0 {
                    voxels += n;
                    mask.set_plane(z, Some(Arc::new(BitPlane::from_bools(&bits))));
                }
            }
            (label.name.clone(), mask, voxels as f64 * millilitre)
        })
        .collect()
}

/// `inverse[voxel axis][grid axis]` of `steps[grid axis][voxel axis]`.
fn glam_inverse(steps: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let m = steps;
    let minor = |a: usize, b: usize, c: usize, d: usize| m[a][c] * m[b][d] - m[a][d] * m[b][c];
    let determinant = m[0][0] * minor(1, 2, 1, 2) - m[0][1] * minor(1, 2, 0, 2) + m[0][2] * minor(1, 2, 0, 1);
    let mut out = [[0.0; 3]; 3];
    for (i, row) in out.iter_mut().enumerate() {
        for (j, o) in row.iter_mut().enumerate() {
            let (a, b) = ((j + 1) % 3, (j + 2) % 3);
            let (c, d) = ((i + 1) % 3, (i + 2) % 3);
            *o = (m[a][c] * m[b][d] - m[a][d] * m[b][c]) / determinant;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::published::template;

    #[test]
    fn fixed_ranges_are_shifted_and_padded_as_the_card_says() {
        // nnU-Net's CT: clipped to fixed HU, then (x - mean) / deviation of the training set; 0 around the volume.
        let mut card = template("monai_unet_spleen").unwrap();
        card.input.intensity =
            Intensity::Range { low: -900.0, high: 300.0, to_low: -900.0, to_high: 300.0, clip: true };
        (card.input.mean, card.input.std) = (vec![100.0], vec![50.0]);
        card.check().unwrap();
        let mut values = [-1000.0, 150.0, 1000.0, f32::NAN];
        to_range(&mut values, &card).unwrap();
        assert_eq!(values, [-20.0, 1.0, 4.0, 0.0]);
        // MONAI's: HU -57 to 164 become 0 to 1.
        let mut values = [-57.0, 164.0, 53.5, f32::NAN];
        to_range(&mut values, &template("monai_unet_spleen").unwrap()).unwrap();
        assert!(values.iter().zip([0.0, 1.0, 0.5, 0.0]).all(|(v, w)| (v - w).abs() < 1e-6), "{values:?}");
        // Quantiles are those of the filled volume.
        let mut values = [f32::NAN, 10.0, 20.0, 30.0];
        let mut card = template("model18cls").unwrap();
        (card.input.clip_low, card.input.clip_high) = (0.0, 1.0);
        to_range(&mut values, &card).unwrap();
        assert!(values.iter().zip([0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]).all(|(v, w)| (v - w).abs() < 1e-6), "{values:?}");
    }

    #[test]
    fn windows_cover_an_axis_and_end_with_it() {
        assert_eq!(starts(10, 4, 0.5), [0, 2, 4, 6]);
        assert_eq!(starts(11, 4, 0.5), [0, 2, 4, 6, 7]);
        assert_eq!(starts(4, 4, 0.9), [0]);
        assert_eq!(starts(9, 4, 0.0), [0, 4, 5]);
    }
}

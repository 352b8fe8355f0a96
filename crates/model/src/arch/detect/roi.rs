//! Features of boxes: RoIAlign (He et al. 2017) and RoIPool (Girshick 2015), as torchvision computes them.

use super::boxes::{Rect, area};
use crate::Result;
use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// One image's map as a slice.
pub(crate) struct Map {
    values: Vec<f32>,
    channels: usize,
    rows: usize,
    columns: usize,
    /// Map pixels per image pixel.
    scale: f32,
}

impl Map {
    /// `x`: `[1, channels, rows, columns]`.
    pub(crate) fn new(x: &Tensor, scale: f32) -> Result<Self> {
        let (_, channels, rows, columns) = x.dims4()?;
        Ok(Self { values: x.flatten_all()?.to_vec1()?, channels, rows, columns, scale })
    }

    /// A map whose scale is the power of two next to the ratio of the sizes (torchvision's `MultiScaleRoIAlign`).
    pub(crate) fn over(x: &Tensor, image_rows: usize) -> Result<Self> {
        Self::new(x, scale(x, image_rows)?)
    }

    pub(crate) fn scale(&self) -> f32 {
        self.scale
    }
}

/// Map pixels per image pixel, as the power of two next to the ratio of the rows.
pub(crate) fn scale(map: &Tensor, image_rows: usize) -> Result<f32> {
    Ok((map.dim(2)? as f32 / image_rows as f32).log2().round_ties_even().exp2())
}

/// Which map a box is taken from: `floor(4 + log2(sqrt(area) / 224))`, counted from the finest.
pub(crate) fn level(b: &Rect, finest_scale: f32, levels: usize) -> usize {
    let lowest = -finest_scale.log2();
    let k = (4.0 + (area(b).max(0.0).sqrt() / 224.0).log2() + 1e-6).floor();
    (k.clamp(lowest, lowest + levels as f32 - 1.0) - lowest) as usize
}

/// Four pixels and their weights.
type Taps = [(usize, f32); 4];

fn taps(y: f32, x: f32, rows: usize, columns: usize) -> Option<Taps> {
    if y < -1.0 || y > rows as f32 || x < -1.0 || x > columns as f32 || rows == 0 || columns == 0 {
        return None;
    }
    let axis = |v: f32, n: usize| {
        let v = v.max(0.0);
        let low = v as usize;
        if low + 1 >= n { (n - 1, n - 1, 0.0) } else { (low, low + 1, v - low as f32) }
    };
    let ((y0, y1, ly), (x0, x1, lx)) = (axis(y, rows), axis(x, columns));
    let (hy, hx) = (1.0 - ly, 1.0 - lx);
    let at = |y: usize, x: usize| y * columns + x;
    Some([(at(y0, x0), hy * hx), (at(y0, x1), hy * lx), (at(y1, x0), ly * hx), (at(y1, x1), ly * lx)])
}

/// RoIAlign, `aligned=False`, `sampling_ratio` 2.
///
/// # Shapes
/// Result: `[boxes, channels, size, size]`; each box from the map that `map_of` names.
pub(crate) fn align(maps: &[Map], boxes: &[Rect], map_of: &[usize], size: usize) -> Result<Tensor> {
    const SAMPLES: usize = 2;
    let channels = maps.first().map_or(0, |m| m.channels);
    let cell = size * size;
    let mut out = vec![0f32; boxes.len() * channels * cell];
    if !out.is_empty() {
        out.par_chunks_mut(channels * cell).enumerate().for_each(|(i, out)| {
            let (b, map) = (&boxes[i], &maps[map_of[i]]);
            let s = map.scale;
            let (x0, y0) = (b[0] * s, b[1] * s);
            let (w, h) = ((b[2] * s - x0).max(1.0), (b[3] * s - y0).max(1.0));
            let (bin_w, bin_h) = (w / size as f32, h / size as f32);
            let plane = map.rows * map.columns;
            for py in 0..size {
                for px in 0..size {
                    let mut all: Vec<Taps> = Vec::with_capacity(SAMPLES * SAMPLES);
                    for iy in 0..SAMPLES {
                        let y = y0 + py as f32 * bin_h + (iy as f32 + 0.5) * bin_h / SAMPLES as f32;
                        for ix in 0..SAMPLES {
                            let x = x0 + px as f32 * bin_w + (ix as f32 + 0.5) * bin_w / SAMPLES as f32;
                            all.extend(taps(y, x, map.rows, map.columns));
                        }
                    }
                    for c in 0..channels {
                        let values = &map.values[c * plane..][..plane];
                        let sum: f32 = all.iter().flatten().map(|(at, w)| values[*at] * w).sum();
                        out[c * cell + py * size + px] = sum / (SAMPLES * SAMPLES) as f32;
                    }
                }
            }
        });
    }
    Ok(Tensor::from_vec(out, (boxes.len(), channels, size, size), &Device::Cpu)?)
}

/// RoIPool: the largest value in each of `size` x `size` cells of whole map pixels.
///
/// # Shapes
/// Result: `[boxes, channels, size, size]`
pub(crate) fn pool(map: &Map, boxes: &[Rect], size: usize) -> Result<Tensor> {
    let per = map.channels * size * size;
    let mut out = vec![0f32; boxes.len() * per];
    if !out.is_empty() {
        out.par_chunks_mut(per).zip(boxes).for_each(|(out, b)| {
            map.largest(b, size, |cell, at| out[cell] = map.values[at]);
        });
    }
    Ok(Tensor::from_vec(out, (boxes.len(), map.channels, size, size), &Device::Cpu)?)
}

/// As [`pool`] for boxes `(image, box)` of a batch, with a gradient for the map: each cell takes the number at the place
/// of its largest one.
///
/// # Shapes
/// - `x`: `[batch, channels, rows, columns]`
/// - result: `[boxes, channels, size, size]`
pub(crate) fn pool_batch(x: &Tensor, places: &[(usize, Rect)], scale: f32, size: usize) -> Result<Tensor> {
    let (batch, channels, rows, columns) = x.dims4()?;
    let maps = (0..batch).map(|b| Map::new(&x.narrow(0, b, 1)?.detach(), scale)).collect::<Result<Vec<_>>>()?;
    let (per, image) = (channels * size * size, channels * rows * columns);
    let mut index = vec![0u32; places.len() * per];
    let mut filled = vec![0f32; places.len() * per];
    if !index.is_empty() {
        index.par_chunks_mut(per).zip(filled.par_chunks_mut(per)).zip(places).for_each(
            |((index, filled), (b, rect))| {
                maps[*b].largest(rect, size, |cell, at| {
                    index[cell] = (b * image + at) as u32;
                    filled[cell] = 1.0;
                });
            },
        );
    }
    let n = index.len();
    let taken = x.contiguous()?.flatten_all()?.index_select(&Tensor::from_vec(index, n, &Device::Cpu)?, 0)?;
    // A cell beyond the map holds nothing.
    let taken = if filled.contains(&0.0) { (taken * Tensor::from_vec(filled, n, &Device::Cpu)?)? } else { taken };
    Ok(taken.reshape((places.len(), channels, size, size))?)
}

impl Map {
    /// Calls `f(cell, place)` for each cell of a box that holds a pixel, over all channels, with the place of its largest
    /// value.
    fn largest(&self, b: &Rect, size: usize, mut f: impl FnMut(usize, usize)) {
        let (cells, plane) = (size * size, self.rows * self.columns);
        let edge = |v: f32| (v * self.scale).round() as i64;
        let (x0, y0, x1, y1) = (edge(b[0]), edge(b[1]), edge(b[2]), edge(b[3]));
        let (w, h) = ((x1 - x0 + 1).max(1) as f32, (y1 - y0 + 1).max(1) as f32);
        let (bin_w, bin_h) = (w / size as f32, h / size as f32);
        let span = |p: usize, bin: f32, start: i64, n: usize| {
            let low = (p as f32 * bin).floor() as i64 + start;
            let high = ((p + 1) as f32 * bin).ceil() as i64 + start;
            (low.clamp(0, n as i64) as usize, high.clamp(0, n as i64) as usize)
        };
        for py in 0..size {
            let (ya, yb) = span(py, bin_h, y0, self.rows);
            for px in 0..size {
                let (xa, xb) = span(px, bin_w, x0, self.columns);
                if ya >= yb || xa >= xb {
                    continue;
                }
                for c in 0..self.channels {
                    let values = &self.values[c * plane..][..plane];
                    let mut best = ya * self.columns + xa;
                    for y in ya..yb {
                        for at in y * self.columns + xa..y * self.columns + xb {
                            if values[at] > values[best] {
                                best = at;
                            }
                        }
                    }
                    f(c * cells + py * size + px, c * plane + best);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp_tensor() -> Tensor {
        let values: Vec<f32> = (0..64).map(|i| i as f32).collect();
        Tensor::from_vec(values, (1, 1, 8, 8), &Device::Cpu).unwrap()
    }

    fn ramp() -> Map {
        Map::new(&ramp_tensor(), 0.5).unwrap()
    }

    // torchvision 0.29.2, x = arange(64).view(1, 1, 8, 8), boxes [[2, 2, 10, 14]], spatial_scale 0.5, output 2:
    // roi_align(..., sampling_ratio=2) and roi_pool(...).
    #[test]
    fn values_are_torchvisions() {
        let boxes = [[2.0, 2.0, 10.0, 14.0]];
        let aligned: Vec<f32> = align(&[ramp()], &boxes, &[0], 2).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(aligned, [22.0, 24.0, 46.0, 48.0]);
        let pooled: Vec<f32> = pool(&ramp(), &boxes, 2).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(pooled, [35.0, 37.0, 59.0, 61.0]);
        let of_batch = pool_batch(&ramp_tensor(), &[(0, boxes[0])], 0.5, 2).unwrap();
        assert_eq!(of_batch.flatten_all().unwrap().to_vec1::<f32>().unwrap(), pooled);
        // Outside the map nothing is found.
        let far = [[900.0, 900.0, 910.0, 910.0]];
        let none: Vec<f32> = align(&[ramp()], &far, &[0], 1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(none, [0.0]);
    }
}

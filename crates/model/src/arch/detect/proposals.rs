//! Where objects may be, without a network: windows of several sizes, or selective search (Uijlings et al. 2013).
//!
//! Selective search parts the image into smooth regions (Felzenszwalb, Huttenlocher 2004), then joins neighbours that
//! are alike, again and again; the box of every region on the way is a proposal.

use super::boxes::Rect;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How proposals are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proposals {
    /// Regions that are alike, joined.
    #[default]
    SelectiveSearch,
    /// Square, upright and lying windows of half, a quarter and an eighth of the shorter side, half overlapping.
    Windows,
    /// Bright and dark parts at many cuts ([`super::blobs`]).
    Blobs,
}

impl Proposals {
    /// At most `most` boxes of a grey image.
    #[must_use]
    pub fn find(self, grey: &[f32], columns: usize, rows: usize, most: usize) -> Vec<Rect> {
        let mut all = self.all(grey, columns, rows, SEARCHED_PX);
        all.truncate(most);
        all
    }

    /// As [`Self::find`], with the longer side at which regions are searched, and only boxes whose longer side is
    /// between two fractions of the image's.
    #[must_use]
    pub fn find_sized(
        self,
        grey: &[f32],
        [columns, rows]: [usize; 2],
        searched_px: usize,
        fractions: [f32; 2],
        most: usize,
    ) -> Vec<Rect> {
        let mut all = self.all(grey, columns, rows, searched_px);
        let [low, high] = fractions.map(|f| f * columns.max(rows) as f32);
        all.retain(|b| (low..=high).contains(&(b[2] - b[0]).max(b[3] - b[1])));
        all.truncate(most);
        all
    }

    fn all(self, grey: &[f32], columns: usize, rows: usize, searched_px: usize) -> Vec<Rect> {
        match self {
            Self::Windows => windows(columns, rows),
            Self::Blobs => super::blobs::regions(grey, columns, rows),
            Self::SelectiveSearch => selective_search(grey, columns, rows, searched_px),
        }
    }
}

/// Largest first.
fn windows(columns: usize, rows: usize) -> Vec<Rect> {
    let mut all = Vec::new();
    let (w, h) = (columns as f32, rows as f32);
    for part in [2.0f32, 4.0, 8.0] {
        let side = w.min(h) / part;
        for (bw, bh) in [(side, side), (side / 1.5, side * 1.5), (side * 1.5, side / 1.5)] {
            let steps = |n: f32, b: f32| ((n - b) / (side / 2.0)).max(0.0) as usize;
            for y in 0..=steps(h, bh) {
                for x in 0..=steps(w, bw) {
                    let (x0, y0) = (x as f32 * side / 2.0, y as f32 * side / 2.0);
                    all.push([x0, y0, (x0 + bw).min(w), (y0 + bh).min(h)]);
                }
            }
        }
    }
    all
}

/// Longer side of the image that is searched, where nobody asks for finer structure.
pub(crate) const SEARCHED_PX: usize = 160;
/// Levels of the histograms that regions are compared by.
const LEVELS: usize = 25;

fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

/// Number of each pixel's region, counted from 0, and how many there are.
fn segments(values: &[f32], columns: usize, rows: usize, scale: f32, smallest: usize) -> (Vec<usize>, usize) {
    let n = columns * rows;
    let mut edges = Vec::with_capacity(2 * n);
    for i in 0..n {
        if i % columns + 1 < columns {
            edges.push(((values[i] - values[i + 1]).abs(), i, i + 1));
        }
        if i + columns < n {
            edges.push(((values[i] - values[i + columns]).abs(), i, i + columns));
        }
    }
    edges.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    let mut parent: Vec<usize> = (0..n).collect();
    let mut size = vec![1usize; n];
    let mut bound = vec![scale; n];
    let mut join = |parent: &mut [usize], a: usize, b: usize, weight: f32, bound: &mut [f32]| {
        parent[b] = a;
        size[a] += size[b];
        bound[a] = weight + scale / size[a] as f32;
    };
    for (weight, a, b) in &edges {
        let (a, b) = (root(&mut parent, *a), root(&mut parent, *b));
        if a != b && *weight <= bound[a] && *weight <= bound[b] {
            join(&mut parent, a, b, *weight, &mut bound);
        }
    }
    let mut counts = vec![0usize; n];
    for i in 0..n {
        counts[root(&mut parent, i)] += 1;
    }
    // Specks go to a neighbour.
    for (_, a, b) in &edges {
        let (a, b) = (root(&mut parent, *a), root(&mut parent, *b));
        if a != b && (counts[a] < smallest || counts[b] < smallest) {
            parent[b] = a;
            counts[a] += counts[b];
        }
    }
    let mut number = vec![usize::MAX; n];
    let mut regions = 0;
    let labels = (0..n)
        .map(|i| {
            let r = root(&mut parent, i);
            if number[r] == usize::MAX {
                number[r] = regions;
                regions += 1;
            }
            number[r]
        })
        .collect();
    (labels, regions)
}

#[derive(Clone)]
struct Region {
    size: f32,
    rect: [usize; 4],
    histogram: [f32; LEVELS],
}

impl Region {
    fn joined(&self, other: &Self) -> Self {
        let (a, b) = (self.rect, other.rect);
        let size = self.size + other.size;
        let mut histogram = [0.0; LEVELS];
        for (k, h) in histogram.iter_mut().enumerate() {
            *h = (self.histogram[k] * self.size + other.histogram[k] * other.size) / size;
        }
        Self { size, rect: [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])], histogram }
    }

    /// Intensity, size and fill, each 0 to 1.
    fn likeness(&self, other: &Self, image: f32) -> f32 {
        let intensity: f32 = self.histogram.iter().zip(&other.histogram).map(|(a, b)| a.min(*b)).sum();
        let whole = self.joined(other).rect;
        let area = ((whole[2] - whole[0]) * (whole[3] - whole[1])) as f32;
        let fill = 1.0 - (area - self.size - other.size) / image;
        intensity + (1.0 - (self.size + other.size) / image) + fill
    }
}

fn selective_search(grey: &[f32], columns: usize, rows: usize, searched_px: usize) -> Vec<Rect> {
    if columns == 0 || rows == 0 || grey.len() != columns * rows {
        return Vec::new();
    }
    let shrink = (searched_px as f64 / columns.max(rows) as f64).min(1.0);
    let w = ((columns as f64 * shrink).round() as usize).max(1);
    let h = ((rows as f64 * shrink).round() as usize).max(1);
    let small = crate::image::resize(grey, columns, rows, w, h);
    let (low, high) = small.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, m), v| (l.min(*v), m.max(*v)));
    let unit: Vec<f32> = small.iter().map(|v| if high > low { (v - low) / (high - low) } else { 0.0 }).collect();
    let mut found: Vec<[usize; 4]> = Vec::new();
    let mut seen = BTreeSet::new();
    for scale in [1.0f32, 4.0] {
        let (labels, n) = segments(&unit, w, h, scale, 12);
        let mut regions: Vec<Region> = vec![Region { size: 0.0, rect: [w, h, 0, 0], histogram: [0.0; LEVELS] }; n];
        for (i, l) in labels.iter().enumerate() {
            let (x, y) = (i % w, i / w);
            let r = &mut regions[*l];
            r.size += 1.0;
            r.rect = [r.rect[0].min(x), r.rect[1].min(y), r.rect[2].max(x + 1), r.rect[3].max(y + 1)];
            r.histogram[((unit[i] * LEVELS as f32) as usize).min(LEVELS - 1)] += 1.0;
        }
        for r in &mut regions {
            let size = r.size.max(1.0);
            r.histogram.iter_mut().for_each(|v| *v /= size);
        }
        let mut pairs = BTreeSet::new();
        for i in 0..w * h {
            for j in [(i % w + 1 < w).then(|| i + 1), (i + w < w * h).then(|| i + w)].into_iter().flatten() {
                if labels[i] != labels[j] {
                    pairs.insert((labels[i].min(labels[j]), labels[i].max(labels[j])));
                }
            }
        }
        let image = (w * h) as f32;
        let mut live: Vec<(f32, usize, usize)> =
            pairs.iter().map(|(a, b)| (regions[*a].likeness(&regions[*b], image), *a, *b)).collect();
        let mut order: Vec<[usize; 4]> = regions.iter().map(|r| r.rect).collect();
        while let Some(best) = (0..live.len()).max_by(|a, b| live[*a].0.total_cmp(&live[*b].0).then(b.cmp(a))) {
            let (_, a, b) = live[best];
            let whole = regions[a].joined(&regions[b]);
            order.push(whole.rect);
            regions.push(whole);
            let new = regions.len() - 1;
            let near: BTreeSet<usize> = live
                .iter()
                .filter(|(_, p, q)| [a, b].contains(p) || [a, b].contains(q))
                .flat_map(|(_, p, q)| [*p, *q])
                .filter(|r| *r != a && *r != b)
                .collect();
            live.retain(|(_, p, q)| ![a, b].contains(p) && ![a, b].contains(q));
            live.extend(near.into_iter().map(|r| (regions[r].likeness(&regions[new], image), r, new)));
        }
        // Late regions are whole objects more often than early ones.
        found.extend(order.into_iter().rev().filter(|r| seen.insert(*r)));
    }
    let back = |v: usize, n: usize, small: usize| v as f32 * n as f32 / small as f32;
    found
        .into_iter()
        .map(|r| [back(r[0], columns, w), back(r[1], rows, h), back(r[2], columns, w), back(r[3], rows, h)])
        .filter(|b| b[2] - b[0] >= 4.0 && b[3] - b[1] >= 4.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::boxes::iou;
    use super::*;

    #[test]
    fn selective_search_finds_what_stands_out() {
        let (columns, rows) = (200, 120);
        let disks = [(50.0f32, 40.0f32, 20.0f32), (140.0, 80.0, 30.0)];
        let grey: Vec<f32> = (0..columns * rows)
            .map(|i| {
                let (x, y) = ((i % columns) as f32, (i / columns) as f32);
                let inside = disks.iter().any(|(cx, cy, r)| (x - cx).hypot(y - cy) < *r);
                let noise = ((i * 7919) % 101) as f32 / 101.0;
                if inside { 200.0 + 5.0 * noise } else { 60.0 + 5.0 * noise }
            })
            .collect();
        let found = Proposals::SelectiveSearch.find(&grey, columns, rows, 500);
        for (cx, cy, r) in disks {
            let wanted = [cx - r, cy - r, cx + r, cy + r];
            let best = found.iter().map(|b| iou(b, &wanted)).fold(0.0, f32::max);
            assert!(best > 0.8, "{best} of {}", found.len());
        }
        assert!(Proposals::SelectiveSearch.find(&[1.0; 16], 4, 4, 9).len() <= 9);
        assert!(Proposals::SelectiveSearch.find(&[], 0, 0, 9).is_empty());
    }

    #[test]
    fn windows_cover_the_image() {
        let all = Proposals::Windows.find(&[], 100, 60, 10_000);
        assert!(all.iter().all(|b| b[0] >= 0.0 && b[1] >= 0.0 && b[2] <= 100.0 && b[3] <= 60.0 && b[2] > b[0]));
        for p in [[1.0f32, 1.0], [98.0, 58.0], [50.0, 30.0]] {
            assert!(all.iter().any(|b| b[0] <= p[0] && p[0] < b[2] && b[1] <= p[1] && p[1] < b[3]), "{p:?}");
        }
    }
}

//! From probabilities to masks: thresholds, connected parts, holes, sides. Pure functions on row-major planes.

use crate::card::{Card, PostSpec};
use crate::{Result, RunCx};

/// Connected parts of a mask (edges touch; corners alone do not).
///
/// # Shapes
/// - `mask`: `[rows * columns]`
/// - result: `[rows * columns]`, 0 outside, parts numbered from 1; and the pixels of each part, part 1 first
pub fn components(mask: &[bool], columns: usize) -> (Vec<u32>, Vec<usize>) {
    let mut part = vec![0u32; mask.len()];
    let mut areas = Vec::new();
    let mut open = Vec::new();
    for start in 0..mask.len() {
        if !mask[start] || part[start] != 0 {
            continue;
        }
        let number = areas.len() as u32 + 1;
        let mut area = 0;
        part[start] = number;
        open.push(start);
        while let Some(at) = open.pop() {
            area += 1;
            let column = at % columns;
            let neighbours = [
                (column > 0).then(|| at - 1),
                (column + 1 < columns).then(|| at + 1),
                at.checked_sub(columns),
                (at + columns < mask.len()).then(|| at + columns),
            ];
            for next in neighbours.into_iter().flatten() {
                if mask[next] && part[next] == 0 {
                    part[next] = number;
                    open.push(next);
                }
            }
        }
        areas.push(area);
    }
    (part, areas)
}

/// Keeps the `count` largest parts that have at least `minimum_area` pixels; `count` 0 keeps all of them.
pub fn keep_largest(mask: &mut [bool], columns: usize, count: usize, minimum_area: usize) {
    let (part, areas) = components(mask, columns);
    let mut order: Vec<usize> = (0..areas.len()).filter(|i| areas[*i] >= minimum_area).collect();
    // Stable: of two equal parts the upper one stays.
    order.sort_by_key(|i| std::cmp::Reverse(areas[*i]));
    if count > 0 {
        order.truncate(count);
    }
    let mut keep = vec![false; areas.len() + 1];
    order.iter().for_each(|i| keep[i + 1] = true);
    mask.iter_mut().zip(&part).for_each(|(m, p)| *m = keep[*p as usize]);
}

/// Fills what is enclosed: background that no path along edges connects to the border.
pub fn fill_holes(mask: &mut [bool], columns: usize) {
    if columns == 0 || mask.is_empty() {
        return;
    }
    let rows = mask.len() / columns;
    let background: Vec<bool> = mask.iter().map(|m| !m).collect();
    let (part, areas) = components(&background, columns);
    let mut outside = vec![false; areas.len() + 1];
    for column in 0..columns {
        outside[part[column] as usize] = true;
        outside[part[(rows - 1) * columns + column] as usize] = true;
    }
    for row in 0..rows {
        outside[part[row * columns] as usize] = true;
        outside[part[row * columns + columns - 1] as usize] = true;
    }
    mask.iter_mut().zip(&part).for_each(|(m, p)| *m = *m || !outside[*p as usize]);
}

/// Parts a mask of a paired organ into its image-left and image-right half.
///
/// Whole connected parts go to the side where their centre lies, seen from the middle of the two largest parts.
/// Where there is only one large part (the two touch, or one is absent), it is cut along the column with the least
/// of it between its outer quarters, if it is wide enough to be both.
///
/// # Shapes
/// `mask` and both results: `[rows * columns]`
pub fn split_sides(mask: &[bool], columns: usize) -> (Vec<bool>, Vec<bool>) {
    let (part, areas) = components(mask, columns);
    let mut order: Vec<usize> = (0..areas.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(areas[*i]));
    let mut column_sums = vec![0usize; areas.len()];
    for (i, p) in part.iter().enumerate().filter(|(_, p)| **p > 0) {
        column_sums[*p as usize - 1] += i % columns;
    }
    let centre = |i: usize| column_sums[i] as f64 / areas[i] as f64;
    let middle = (columns as f64 - 1.0) / 2.0;
    let Some(&largest) = order.first() else { return (mask.to_vec(), mask.to_vec()) };
    // A second part counts as the other lung from a tenth of the first one's area on.
    let second = order.get(1).copied().filter(|s| areas[*s] * 10 >= areas[largest]);
    let cut = match second {
        Some(second) => (centre(largest) + centre(second)) / 2.0,
        None => joined_cut(&part, largest as u32 + 1, columns).unwrap_or(middle),
    };
    let whole = second.is_some();
    let (mut left, mut right) = (vec![false; mask.len()], vec![false; mask.len()]);
    for (i, p) in part.iter().enumerate().filter(|(_, p)| **p > 0) {
        let place = if whole { centre(*p as usize - 1) } else { (i % columns) as f64 };
        if place < cut { left[i] = true } else { right[i] = true }
    }
    (left, right)
}

/// The column (between pixels) at which a single part is to be cut; `None` where it lies on one side of the image.
fn joined_cut(part: &[u32], number: u32, columns: usize) -> Option<f64> {
    let mut profile = vec![0usize; columns];
    for (i, _) in part.iter().enumerate().filter(|(_, p)| **p == number) {
        profile[i % columns] += 1;
    }
    let first = profile.iter().position(|n| *n > 0)?;
    let last = profile.iter().rposition(|n| *n > 0)?;
    let width = last - first + 1;
    // One lung is at most about 0.45 of the image's width.
    if width * 2 < columns {
        let centre = (first + last) as f64 / 2.0;
        // Wholly to one side: nothing to cut.
        return Some(if centre < columns as f64 / 2.0 { columns as f64 } else { -1.0 });
    }
    let quarter = width / 4;
    let inner = first + quarter..=last - quarter;
    let least = inner.clone().map(|c| profile[c]).min()?;
    let candidates: Vec<usize> = inner.filter(|c| profile[*c] == least).collect();
    let n = candidates.len();
    Some((candidates[(n - 1) / 2] + candidates[n / 2]) as f64 / 2.0)
}

/// A probability plane to one mask, as the card says, at the plane's own resolution.
///
/// # Shapes
/// `probability` and result: `[rows * columns]`
///
/// # Errors
/// [`crate::Error::Cancelled`], asked between the steps: each takes under 100 ms at 3000 x 3000 pixels.
pub fn mask_from_probability(
    probability: &[f32],
    columns: usize,
    threshold: f32,
    post: &PostSpec,
    cx: &RunCx<'_>,
) -> Result<Vec<bool>> {
    let mut mask: Vec<bool> = probability.iter().map(|p| *p >= threshold).collect();
    let minimum = (post.minimum_area_fraction * mask.len() as f64).ceil() as usize;
    cx.check()?;
    if post.largest_components > 0 || minimum > 1 {
        keep_largest(&mut mask, columns, post.largest_components, minimum);
    }
    cx.check()?;
    if post.fill_holes {
        fill_holes(&mut mask, columns);
    }
    cx.check()?;
    Ok(mask)
}

/// The label names that a card's masks get, sides split.
pub fn label_names(card: &Card) -> Vec<String> {
    card.labels
        .iter()
        .flat_map(|l| match &l.sides {
            Some(sides) => vec![sides.right.clone(), sides.left.clone()],
            None => vec![l.name.clone()],
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(text: &str) -> (Vec<bool>, usize) {
        let rows: Vec<&str> = text.split_whitespace().collect();
        (rows.concat().chars().map(|c| c == '#').collect(), rows[0].len())
    }

    #[test]
    fn parts_touch_by_edges_only() {
        let (mask, columns) = plane("##.. ..#. #..#");
        let (part, areas) = components(&mask, columns);
        assert_eq!(areas, [2, 1, 1, 1]);
        assert_eq!(part[0], part[1]);
        // The end of a row does not touch the start of the next.
        let (mask, columns) = plane("..# #..");
        assert_eq!(components(&mask, columns).1, [1, 1]);
    }

    #[test]
    fn largest_parts_stay_and_holes_close() {
        let (mut mask, columns) = plane("###.# #.#.. ###.. ....# ##..#");
        keep_largest(&mut mask, columns, 2, 2);
        assert_eq!(mask, plane("###.. #.#.. ###.. ....# ....#").0);
        fill_holes(&mut mask, columns);
        assert_eq!(mask, plane("###.. ###.. ###.. ....# ....#").0);
    }

    #[test]
    fn sides_come_from_components() {
        let (mask, columns) = plane("##....## ##....## #.....## ...#....");
        let (left, right) = split_sides(&mask, columns);
        assert_eq!(left, plane("##...... ##...... #....... ...#....").0);
        assert_eq!(right, plane("......## ......## ......## ........").0);
        // Off-centre: the cut lies between the parts, not in the middle of the image.
        let (mask, columns) = plane("....##.## ....##.##");
        let (left, right) = split_sides(&mask, columns);
        assert_eq!(left, plane("....##... ....##...").0);
        assert_eq!(right, plane(".......## .......##").0);
    }

    #[test]
    fn joined_and_single_lungs() {
        let (mask, columns) = plane("###..### ###..### ########");
        let (left, right) = split_sides(&mask, columns);
        assert_eq!(left.iter().filter(|m| **m).count(), 10);
        assert_eq!(right.iter().filter(|m| **m).count(), 10);
        let (mask, columns) = plane("........ .....##. .....##.");
        let (left, right) = split_sides(&mask, columns);
        assert!(left.iter().all(|m| !m));
        assert_eq!(right, mask);
        let empty = vec![false; 6];
        assert_eq!(split_sides(&empty, 3), (empty.clone(), empty));
    }
}

//! Frames at the same positions told apart: times, echoes, b-values, phases; and true duplicates found.

use crate::heads::{KEY_KINDS, KeyKind, KeyValue};
use crate::stacks::Item;
use crate::warning::{Warning, WarningKind};

/// Sorts frames by `height` along the normal, in mm, and splits them so that in each part every position occurs once.
/// Parts come with a label that tells them apart.
pub(crate) fn by_position<'a>(
    mut items: Vec<Item<'a>>,
    height: impl Fn(&Item<'_>) -> f64,
    warnings: &mut Vec<Warning>,
) -> Vec<(String, Vec<Item<'a>>)> {
    items.sort_by(|a, b| height(a).total_cmp(&height(b)).then_with(|| a.running().cmp(&b.running())));
    let heights: Vec<f64> = items.iter().map(&height).collect();
    let levels = levels(&heights);
    let most = multiplicity(&levels, |_| true);
    if most <= 1 {
        return vec![(String::new(), items)];
    }
    if let Some(parts) = by_keys(&items, &levels, most) {
        return parts.into_iter().map(|(label, p)| (label, p.into_iter().map(|i| items[i]).collect())).collect();
    }
    let positions = levels.last().map_or(0, |l| l + 1);
    let even = (0..positions).all(|p| levels.iter().filter(|l| **l == p).count() == most);
    if even {
        // Every position occurs equally often, and nothing but the running number tells the rounds apart.
        let text = format!(
            "every position occurs {most} times and only the instance number tells the images apart; they are shown as {most} stacks"
        );
        warnings.push(Warning { kind: WarningKind::DuplicateSlice, text });
        return (0..most)
            .map(|round| {
                let part = rank(&levels, round).into_iter().map(|i| items[i]).collect();
                (format!("part {}", round + 1), part)
            })
            .collect();
    }
    let first: Vec<usize> = rank(&levels, 0);
    let extra = items.len() - first.len();
    let place = levels.windows(2).position(|w| w[0] == w[1]).map_or(0, |i| levels[i]);
    let text = format!(
        "{extra} {} at a position that another has too (first at slice {}); the one with the lowest instance number is shown",
        if extra == 1 { "image lies" } else { "images lie" },
        place + 1
    );
    warnings.push(Warning { kind: WarningKind::DuplicateSlice, text });
    vec![(String::new(), first.into_iter().map(|i| items[i]).collect())]
}

/// Number of the position of each of the sorted heights. The same position: closer than 0.01 mm or 1 % of the median step.
fn levels(heights: &[f64]) -> Vec<usize> {
    let mut steps: Vec<f64> = heights.windows(2).map(|w| w[1] - w[0]).filter(|s| *s > 0.01).collect();
    steps.sort_by(f64::total_cmp);
    let median = steps.get(steps.len() / 2).copied().unwrap_or(0.0);
    let tolerance = (0.01 * median).max(0.01);
    let mut out = Vec::with_capacity(heights.len());
    let mut level = 0;
    let mut start = heights.first().copied().unwrap_or(0.0);
    for &h in heights {
        if h - start > tolerance {
            level += 1;
            start = h;
        }
        out.push(level);
    }
    out
}

/// How often the most frequent position occurs among the frames that `keep` keeps.
fn multiplicity(levels: &[usize], keep: impl Fn(usize) -> bool) -> usize {
    let mut most = 0;
    let mut here = (usize::MAX, 0);
    for (_, &l) in levels.iter().enumerate().filter(|(i, _)| keep(*i)) {
        here = if here.0 == l { (l, here.1 + 1) } else { (l, 1) };
        most = most.max(here.1);
    }
    most
}

/// The `round`th frame of each position, in the given order.
fn rank(levels: &[usize], round: usize) -> Vec<usize> {
    let mut out = Vec::new();
    let mut here = (usize::MAX, 0);
    for (i, &l) in levels.iter().enumerate() {
        here = if here.0 == l { (l, here.1 + 1) } else { (l, 0) };
        if here.1 == round {
            out.push(i);
        }
    }
    out
}

type Parts = Vec<(String, Vec<usize>)>;

/// Tries each key, then pairs and triples of keys.
fn by_keys(items: &[Item<'_>], levels: &[usize], most: usize) -> Option<Parts> {
    let varying: Vec<KeyKind> = KEY_KINDS.into_iter().filter(|k| values(items, *k).len() > 1).collect();
    let find = |kinds: &[KeyKind]| partition(items, levels, kinds, most);
    for &a in &varying {
        if let Some(parts) = find(&[a]) {
            return Some(parts);
        }
        // Times that differ a little from slice to slice: the first at each position, the second, …
        if matches!(a, KeyKind::Time | KeyKind::Trigger | KeyKind::AcquisitionTime | KeyKind::ContentTime)
            && let Some(parts) = by_rank(items, levels, a, most)
        {
            return Some(parts);
        }
    }
    for (i, &a) in varying.iter().enumerate() {
        for (j, &b) in varying.iter().enumerate().skip(i + 1) {
            if let Some(parts) = find(&[a, b]) {
                return Some(parts);
            }
            for &c in varying.iter().skip(j + 1) {
                if let Some(parts) = find(&[a, b, c]) {
                    return Some(parts);
                }
            }
        }
    }
    None
}

fn value<'a>(item: &Item<'a>, kind: KeyKind) -> Option<&'a KeyValue> {
    item.frame.keys.iter().find(|k| k.0 == kind).map(|k| &k.1)
}

fn compare(a: &Option<&KeyValue>, b: &Option<&KeyValue>) -> std::cmp::Ordering {
    match (a, b) {
        (Some(KeyValue::Number(x)), Some(KeyValue::Number(y))) => x.total_cmp(y),
        (Some(KeyValue::Text(x)), Some(KeyValue::Text(y))) => x.cmp(y),
        (None, None) => std::cmp::Ordering::Equal,
        (None, _) => std::cmp::Ordering::Less,
        (_, None) => std::cmp::Ordering::Greater,
        (Some(KeyValue::Number(_)), _) => std::cmp::Ordering::Less,
        (Some(KeyValue::Text(_)), _) => std::cmp::Ordering::Greater,
    }
}

/// The distinct values of a key, ascending.
fn values<'a>(items: &[Item<'a>], kind: KeyKind) -> Vec<Option<&'a KeyValue>> {
    let mut all: Vec<Option<&KeyValue>> = items.iter().map(|i| value(i, kind)).collect();
    all.sort_by(compare);
    all.dedup();
    all
}

/// Parts by the values of some keys, if in each part every position occurs once and there are not more parts than images
/// at a position: a key that differs from slice to slice tells no volumes apart.
fn partition(items: &[Item<'_>], levels: &[usize], kinds: &[KeyKind], most: usize) -> Option<Parts> {
    // One look-up table a key, not one a frame.
    let tables: Vec<Vec<Option<&KeyValue>>> = kinds.iter().map(|k| values(items, *k)).collect();
    if tables.iter().map(Vec::len).product::<usize>() > most.saturating_mul(most).max(64) {
        return None;
    }
    let codes: Vec<Vec<usize>> = items
        .iter()
        .map(|item| {
            kinds
                .iter()
                .zip(&tables)
                .map(|(k, t)| {
                    let v = value(item, *k);
                    t.binary_search_by(|x| compare(x, &v)).unwrap_or(0)
                })
                .collect()
        })
        .collect();
    let mut distinct = codes.clone();
    distinct.sort();
    distinct.dedup();
    if distinct.len() > most {
        return None;
    }
    let mut out = Vec::new();
    for code in distinct {
        if multiplicity(levels, |i| codes[i] == code) > 1 {
            return None;
        }
        let members: Vec<usize> = (0..items.len()).filter(|i| codes[*i] == code).collect();
        let label: Vec<String> =
            kinds.iter().zip(&tables).zip(&code).filter_map(|((k, t), c)| t[*c].map(|v| label(*k, v, *c))).collect();
        out.push((label.join(", "), members));
    }
    Some(out)
}

/// Parts by the order of a key at each position, where every position occurs equally often with different values.
fn by_rank(items: &[Item<'_>], levels: &[usize], kind: KeyKind, most: usize) -> Option<Parts> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by(|a, b| {
        levels[*a].cmp(&levels[*b]).then_with(|| compare(&value(&items[*a], kind), &value(&items[*b], kind)))
    });
    if !order.len().is_multiple_of(most) {
        return None;
    }
    let mut parts: Parts = (0..most).map(|n| (format!("time {}", n + 1), Vec::new())).collect();
    for group in order.chunks(most) {
        let same_level = group.iter().all(|i| levels[*i] == levels[group[0]]);
        let differ = group
            .windows(2)
            .all(|w| value(&items[w[0]], kind).is_some() && value(&items[w[0]], kind) != value(&items[w[1]], kind));
        if !same_level || !differ {
            return None;
        }
        for (part, i) in parts.iter_mut().zip(group) {
            part.1.push(*i);
        }
    }
    Some(parts)
}

/// How a key's value reads; `nth` counts from 0.
fn label(kind: KeyKind, v: &KeyValue, nth: usize) -> String {
    let number = |v: f64| if v.fract() == 0.0 { format!("{v:.0}") } else { format!("{v}") };
    match (kind, v) {
        (KeyKind::Time, KeyValue::Number(v)) => format!("time {}", number(*v)),
        (KeyKind::Echo, KeyValue::Number(v)) => format!("echo {}", number(*v)),
        (KeyKind::EchoTime, KeyValue::Number(v)) => format!("TE {} ms", number(*v)),
        (KeyKind::BValue, KeyValue::Number(v)) => format!("b {}", number(*v)),
        (KeyKind::Acquisition, KeyValue::Number(v)) => format!("acquisition {}", number(*v)),
        (KeyKind::Trigger, KeyValue::Number(v)) => format!("trigger {} ms", number(*v)),
        (KeyKind::AcquisitionTime | KeyKind::ContentTime, _) => format!("time {}", nth + 1),
        (KeyKind::Direction, _) => format!("direction {}", nth + 1),
        (KeyKind::Stack, KeyValue::Text(t)) => format!("stack {t}"),
        (KeyKind::ImageType, KeyValue::Text(t)) => t.clone(),
        (_, KeyValue::Number(v)) => number(*v),
        (_, KeyValue::Text(t)) => t.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn close_heights_are_one_level() {
        assert_eq!(levels(&[0.0, 0.001, 2.5, 2.5005, 5.0]), [0, 0, 1, 1, 2]);
        assert_eq!(levels(&[0.0]), [0]);
        assert_eq!(multiplicity(&[0, 0, 1, 2, 2, 2], |_| true), 3);
        assert_eq!(rank(&[0, 0, 1, 2, 2, 2], 0), [0, 2, 3]);
        assert_eq!(rank(&[0, 0, 1, 2, 2, 2], 1), [1, 4]);
    }
}

//! One block of memory for all results of a plan.

use super::{Node, Op};
use crate::pool::round_up;

/// Where the result of a node lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It is the input.
    Input,
    /// At this number of the block.
    Block(usize),
}

/// Lays out results of `sizes` numbers (the last is of node `output`); returns each one's place and the size of the
/// block. With `joined`, parts of a concatenation lie inside it, so that it need not be made.
///
/// Memory is shared by results that are never needed at the same time: larger ones are placed first, each at the lowest
/// place that is free while it is needed.
pub(super) fn lay_out(nodes: &[Node], sizes: &[usize], output: usize, joined: bool) -> (Vec<Place>, usize) {
    let n = nodes.len();
    // The buffer of each node and its place in it.
    let mut home: Vec<(usize, usize)> = (0..n).map(|i| (i, 0)).collect();
    if joined {
        for (i, node) in nodes.iter().enumerate() {
            if !matches!(node.op, Op::Cat) {
                continue;
            }
            let mut offset = 0;
            for &f in &node.from {
                let once = node.from.iter().filter(|g| **g == f).count() == 1;
                let free = home[f] == (f, 0) && !matches!(nodes[f].op, Op::Input | Op::Cat);
                if once && free {
                    home[f] = (i, offset);
                }
                offset += sizes[f];
            }
        }
    }
    // From the first node that writes into a buffer to the last that reads any part of it.
    let mut life: Vec<Option<(usize, usize)>> = vec![None; n];
    let mut extend = |buffer: usize, at: usize| {
        let l = life[buffer].get_or_insert((at, at));
        *l = (l.0.min(at), l.1.max(at));
    };
    for (i, node) in nodes.iter().enumerate() {
        extend(home[i].0, i);
        node.from.iter().for_each(|f| extend(home[*f].0, i));
    }
    extend(home[output].0, n);
    let mut order: Vec<usize> = (0..n).filter(|i| home[*i].0 == *i && !matches!(nodes[*i].op, Op::Input)).collect();
    order.sort_by_key(|i| std::cmp::Reverse(sizes[*i]));
    let mut placed: Vec<(usize, usize, (usize, usize))> = Vec::new(); // start, end, life
    let mut start = vec![0usize; n];
    let mut total = 0;
    for i in order {
        let Some(mine) = life[i] else { continue };
        // Whole cache lines, and room for whole vectors behind.
        let size = round_up(sizes[i] + 16, 16);
        let mut taken: Vec<(usize, usize)> =
            placed.iter().filter(|p| p.2.0 <= mine.1 && mine.0 <= p.2.1).map(|p| (p.0, p.1)).collect();
        taken.sort_unstable();
        let mut at = 0;
        for (a, b) in taken {
            if at + size <= a {
                break;
            }
            at = at.max(b);
        }
        placed.push((at, at + size, mine));
        start[i] = at;
        total = total.max(at + size);
    }
    let places = (0..n)
        .map(|i| match nodes[i].op {
            Op::Input => Place::Input,
            _ => Place::Block(start[home[i].0] + home[i].1),
        })
        .collect();
    (places, total)
}

//! Layers that ride along with others.

use super::{Node, Op};
use crate::elementwise::Map;
use crate::gemm::Act;
use candle_core::{Result, Tensor};

/// The nodes with norms folded and activations and sums fused, and where the output went.
///
/// A layer is taken into the one before it where that one has no other consumer.
pub(super) fn fuse(nodes: Vec<Node>, output: usize) -> Result<(Vec<Node>, usize)> {
    let mut uses = vec![0usize; nodes.len()];
    for node in &nodes {
        node.from.iter().for_each(|f| uses[*f] += 1);
    }
    uses[output] += 1;
    let mut done: Vec<Node> = Vec::new();
    // Where each old node went, and how many consumers that has left.
    let mut at = vec![0usize; nodes.len()];
    let mut left: Vec<usize> = Vec::new();
    for (i, mut node) in nodes.into_iter().enumerate() {
        node.from.iter_mut().for_each(|f| *f = at[*f]);
        let sole = |n: usize| left[n] == 1;
        let merged = match &node.op {
            Op::Affine(scale, shift, Act::None) if sole(node.from[0]) => {
                let n = node.from[0];
                fold(&mut done[n], scale, shift)?.then_some(n)
            }
            Op::Map(Map::Act(act)) if sole(node.from[0]) => {
                let n = node.from[0];
                take_act(&mut done[n].op, *act).then_some(n)
            }
            Op::Add(_) => {
                let (a, b) = (node.from[0], node.from[1]);
                // The later one takes the earlier as its residual.
                let (last, other) = if a > b { (a, b) } else { (b, a) };
                let fits = matches!(&done[last].op, Op::Conv(l) if l.act == Act::None) && done[last].from.len() == 1;
                if fits && last != other && sole(last) {
                    done[last].from.push(other);
                    Some(last)
                } else {
                    None
                }
            }
            _ => None,
        };
        at[i] = match merged {
            Some(n) => {
                left[n] = uses[i];
                n
            }
            None => {
                done.push(node);
                left.push(uses[i]);
                done.len() - 1
            }
        };
    }
    Ok((done, at[output]))
}

/// Folds `* scale + shift` into a convolution, rounding once; false where there is none.
fn fold(node: &mut Node, scale: &[f64], shift: &[f64]) -> Result<bool> {
    if node.from.len() != 1 {
        return Ok(false);
    }
    // `axis` of the weights are the norm's channels.
    let weight_of = |weight: &Tensor, axis: usize| -> Result<Tensor> {
        let inner = weight.dims()[axis + 1..].iter().product::<usize>().max(1);
        let old = weight.detach().flatten_all()?.to_vec1::<f32>()?;
        let by = |(i, v): (usize, &f32)| (f64::from(*v) * scale[i / inner % scale.len()]) as f32;
        Tensor::from_vec(old.iter().enumerate().map(by).collect(), weight.dims(), &candle_core::Device::Cpu)
    };
    let bias_of = |bias: Option<&Tensor>| -> Result<Tensor> {
        let old = match bias {
            Some(b) => b.flatten_all()?.to_vec1::<f32>()?,
            None => vec![0.0; scale.len()],
        };
        let new: Vec<f32> =
            old.iter().zip(scale).zip(shift).map(|((b, s), t)| (f64::from(*b) * s + t) as f32).collect();
        Tensor::from_vec(new, scale.len(), &candle_core::Device::Cpu)
    };
    match &node.op {
        Op::Conv(l) if l.act == Act::None && l.weight.dim(0)? == scale.len() => {
            let (weight, bias) = (weight_of(&l.weight, 0)?, bias_of(l.bias.as_ref())?);
            node.op = Op::Conv(crate::ops::ConvLayer::new(weight, Some(bias), l.spec, l.act));
            Ok(true)
        }
        Op::ConvTransposed(l) if l.act == Act::None && l.spec.groups == 1 && l.weight.dim(1)? == scale.len() => {
            let (weight, bias) = (weight_of(&l.weight, 1)?, bias_of(l.bias.as_ref())?);
            node.op = Op::ConvTransposed(crate::ops::ConvTransposedLayer::new(weight, Some(bias), l.spec, l.act));
            Ok(true)
        }
        _ => Ok(false),
    }
}

/// Gives an activation to a layer that has none.
fn take_act(op: &mut Op, new: Act) -> bool {
    match op {
        Op::Conv(l) if l.act == Act::None => {
            *l = crate::ops::ConvLayer::new(l.weight.clone(), l.bias.clone(), l.spec, new);
        }
        Op::ConvTransposed(l) if l.act == Act::None => {
            *l = crate::ops::ConvTransposedLayer::new(l.weight.clone(), l.bias.clone(), l.spec, new);
        }
        Op::Linear(l) if l.act == Act::None => {
            *l = crate::ops::LinearLayer::new(l.weight.clone(), l.bias.clone(), new);
        }
        Op::Affine(_, _, act @ Act::None) | Op::Add(act @ Act::None) => *act = new,
        _ => return false,
    }
    true
}

//! Custom ops made of two functions: slices forward, tensors backward.

use super::shape::tensor;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use std::borrow::Cow;

/// A slice and its shape.
pub(super) type Arg<'a> = (&'a [f32], &'a Shape);
type Value = Result<(Vec<f32>, Shape)>;

/// The numbers behind (storage, layout) in order; copies only where the layout is strided.
fn numbers<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<Cow<'a, [f32]>> {
    let CpuStorage::F32(data) = storage else { bail!("expected f32, got {:?}", storage.dtype()) };
    if let Some((start, end)) = layout.contiguous_offsets() {
        return Ok(Cow::Borrowed(&data[start..end]));
    }
    let mut out = CpuStorage::F32(vec![0.0; layout.shape().elem_count()]);
    storage.copy_strided_src(&mut out, 0, layout)?;
    match out {
        CpuStorage::F32(values) => Ok(Cow::Owned(values)),
        _ => bail!("expected f32"),
    }
}

struct Op<F, B> {
    name: &'static str,
    forward: F,
    backward: B,
}

impl<F, B> CustomOp1 for Op<F, B>
where
    F: Fn(Arg) -> Value + Send + Sync,
    B: Fn(&Tensor, &Tensor, &Tensor) -> Result<Option<Tensor>> + Send + Sync,
{
    fn name(&self) -> &'static str {
        self.name
    }
    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let (v, shape) = (self.forward)((&numbers(s, l)?, l.shape()))?;
        Ok((CpuStorage::F32(v), shape))
    }
    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.backward)(x, y, grad)
    }
}

impl<F, B> CustomOp2 for Op<F, B>
where
    F: Fn(Arg, Arg) -> Value + Send + Sync,
    B: Fn([&Tensor; 2], &Tensor, &Tensor) -> Result<[Option<Tensor>; 2]> + Send + Sync,
{
    fn name(&self) -> &'static str {
        self.name
    }
    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (v, shape) = (self.forward)((&numbers(s1, l1)?, l1.shape()), (&numbers(s2, l2)?, l2.shape()))?;
        Ok((CpuStorage::F32(v), shape))
    }
    fn bwd(&self, a: &Tensor, b: &Tensor, y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [a, b] = (self.backward)([a, b], y, grad)?;
        Ok((a, b))
    }
}

impl<F, B> CustomOp3 for Op<F, B>
where
    F: Fn(Arg, Arg, Arg) -> Value + Send + Sync,
    B: Fn([&Tensor; 3], &Tensor, &Tensor) -> Result<[Option<Tensor>; 3]> + Send + Sync,
{
    fn name(&self) -> &'static str {
        self.name
    }
    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (a, b, c) = (numbers(s1, l1)?, numbers(s2, l2)?, numbers(s3, l3)?);
        let (v, shape) = (self.forward)((&a, l1.shape()), (&b, l2.shape()), (&c, l3.shape()))?;
        Ok((CpuStorage::F32(v), shape))
    }
    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [a, b, c] = (self.backward)([a, b, c], y, grad)?;
        Ok((a, b, c))
    }
}

/// Applies an op of one argument; `backward(x, y, grad)` gives the gradient of `x`.
pub(super) fn apply1(
    name: &'static str,
    x: &Tensor,
    forward: impl Fn(Arg) -> Value + Send + Sync + 'static,
    backward: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Option<Tensor>> + Send + Sync + 'static,
) -> Result<Tensor> {
    x.apply_op1(Op { name, forward, backward })
}

/// Applies an op of two arguments.
pub(super) fn apply2(
    name: &'static str,
    [a, b]: [&Tensor; 2],
    forward: impl Fn(Arg, Arg) -> Value + Send + Sync + 'static,
    backward: impl Fn([&Tensor; 2], &Tensor, &Tensor) -> Result<[Option<Tensor>; 2]> + Send + Sync + 'static,
) -> Result<Tensor> {
    a.apply_op2(b, Op { name, forward, backward })
}

/// Applies an op of three arguments.
pub(super) fn apply3(
    name: &'static str,
    [a, b, c]: [&Tensor; 3],
    forward: impl Fn(Arg, Arg, Arg) -> Value + Send + Sync + 'static,
    backward: impl Fn([&Tensor; 3], &Tensor, &Tensor) -> Result<[Option<Tensor>; 3]> + Send + Sync + 'static,
) -> Result<Tensor> {
    a.apply_op3(b, c, Op { name, forward, backward })
}

/// A gradient as large as `like`.
pub(super) fn grad_like(values: Vec<f32>, like: &Tensor) -> Result<Option<Tensor>> {
    tensor(values, like.shape()).map(Some)
}

//! Convolutions on the CPU, f32, NCHW: the only unsafe code of this crate.
//!
//! candle's own `conv2d` spends most of its time in one-thread layout copies, so a training step is several
//! times slower than it need be. These kernels pack the im2col matrix straight into cache-sized panels and
//! multiply them with a register-blocked micro-kernel; they take plain slices, so each is tested without candle.
//!
//! * [`gemm`]: the micro-kernel (AVX-512, AVX2 and portable Rust, chosen at run time) and its epilogue
//! * [`conv2d`]: forward, any kernel, stride, padding and dilation
//! * [`grad`]: gradients of input and weights
//! * [`ops`]: the candle custom op; the only file here that knows a `Tensor`
#![allow(
    unsafe_code,
    reason = "register-blocked kernels write disjoint parts of one buffer from several threads through raw pointers"
)]

pub(crate) mod conv2d;
pub(crate) mod gemm;
pub(crate) mod grad;
pub(crate) mod ops;
pub(crate) mod threads;

pub(crate) use ops::ConvOp;

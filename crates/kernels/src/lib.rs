//! Fast layers for candle on small machines, and their gradients.
//!
//! candle's own layers on the CPU spend most of their time in one-thread copies; it has no three-dimensional
//! convolutions, and two of its gradients are wrong (README). These are candle custom ops, so that tensors, graphs and
//! `Tensor::backward` stay candle's. From the bottom up:
//!
//! - [`isa`]: which instruction set runs; `simd`: one vector type for each
//! - [`ops`]: what models call; [`graph`]: models written once, run layer by layer or as a fused plan
//! - [`nets`]: the networks of the benchmark
//! - [`pool`]: threads, cancellation, scratch
//! - `gemm`: the register block; `implicit`, `small`, `winograd`: convolutions on it; `conv`: which of them runs where
//!
//! This is the one crate with `unsafe` (beside a memory map in the loader): kernels write disjoint parts of one buffer
//! from several threads through raw pointers, and use the processor's vectors.
#![allow(unsafe_code, reason = "the room of the unsafe code; every block says why it holds")]

pub mod bench;
pub(crate) mod conv;
pub(crate) mod elementwise;
pub(crate) mod gemm;
pub(crate) mod grad;
pub mod graph;
pub(crate) mod implicit;
pub(crate) mod int8;
pub mod isa;
pub(crate) mod linear;
pub mod nets;
pub(crate) mod norm;
pub mod ops;
pub mod pool;
pub(crate) mod pooling;
pub(crate) mod roi;
pub(crate) mod simd;
pub(crate) mod small;
pub(crate) mod spec;
pub(crate) mod upsample;
pub(crate) mod winograd;

#[cfg(test)]
mod conv_tests;
#[cfg(test)]
mod reference;

pub use gemm::Act;
pub use spec::ConvSpec;

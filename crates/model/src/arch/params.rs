//! Where a network's tensors come from.
//!
//! One constructor both lists what an architecture needs (name and shape of each tensor, without any memory) and
//! takes it from a file, so that the list cannot disagree with the network.

use super::Tensors;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::cell::RefCell;
use std::fmt::Display;

/// Name and shape of each tensor, in the order of the layers.
pub type Shapes = Vec<(String, Vec<usize>)>;

/// A source of tensors with a prefix for their names.
#[derive(Clone)]
pub struct Params<'a> {
    prefix: String,
    source: Source<'a>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    /// Only names and shapes are wanted.
    List(&'a RefCell<Shapes>),
    /// Tensors whose names and shapes were checked.
    Tensors(&'a Tensors),
}

impl<'a> Params<'a> {
    /// Takes tensors whose names and shapes were checked.
    #[must_use]
    pub fn of(tensors: &'a Tensors) -> Self {
        Self { prefix: String::new(), source: Source::Tensors(tensors) }
    }

    /// Runs a constructor for the names and shapes that it asks for.
    ///
    /// # Errors
    /// What the constructor says.
    pub fn list<T>(constructor: impl FnOnce(&Params<'_>) -> Result<T>) -> Result<Shapes> {
        let list = RefCell::new(Shapes::new());
        constructor(&Params { prefix: String::new(), source: Source::List(&list) })?;
        Ok(list.into_inner())
    }

    /// The tensors of a part: `NAME.` before each name.
    #[must_use]
    pub fn at(&self, name: impl Display) -> Self {
        Self { prefix: format!("{}{name}.", self.prefix), source: self.source }
    }

    /// The tensor `PREFIX.name`; while listing, a stand-in of zeros that takes no memory.
    ///
    /// # Errors
    /// [`Error::Tensor`] where it is absent or of another shape.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let name = format!("{}{name}", self.prefix);
        match self.source {
            Source::List(list) => {
                list.borrow_mut().push((name, shape.to_vec()));
                Ok(Tensor::zeros(1, DType::F32, &Device::Cpu)?.broadcast_as(shape)?)
            }
            Source::Tensors(tensors) => match tensors.get(&name) {
                Some(tensor) if tensor.dims() == shape => Ok(tensor.clone()),
                _ => Err(Error::Tensor(candle_core::Error::CannotFindTensor { path: name }.bt())),
            },
        }
    }

    /// Whether only names and shapes are wanted, so that no work need be done on the tensors.
    #[must_use]
    pub fn is_listing(&self) -> bool {
        matches!(self.source, Source::List(_))
    }
}

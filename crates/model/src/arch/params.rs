//! Where a network's tensors come from.
//!
//! One constructor both lists what an architecture needs (name and shape of each tensor, without any memory) and
//! takes it from a file, so that the list cannot disagree with the network.

use super::Tensors;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, PoisonError};

/// Name and shape of each tensor, in the order of the layers.
pub type Shapes = Vec<(String, Vec<usize>)>;

/// Mean and variance of each batch norm's input in one pass of a training, by the norm's name.
#[derive(Clone, Debug, Default)]
pub struct BatchStatistics(Arc<Mutex<BTreeMap<String, (Vec<f32>, Vec<f32>)>>>);

impl BatchStatistics {
    /// Keeps those of the norm `name`.
    pub(crate) fn keep(&self, name: &str, statistics: (Vec<f32>, Vec<f32>)) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), statistics);
    }

    /// Takes what was kept.
    pub(crate) fn take(&self) -> BTreeMap<String, (Vec<f32>, Vec<f32>)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

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
    /// The same under training: norms use the batch's own statistics and tell them.
    Training(&'a Tensors, &'a BatchStatistics),
}

impl<'a> Params<'a> {
    /// Takes tensors whose names and shapes were checked.
    #[must_use]
    pub fn of(tensors: &'a Tensors) -> Self {
        Self { prefix: String::new(), source: Source::Tensors(tensors) }
    }

    /// Takes tensors under training: what the network gives then carries a graph to each of them.
    #[must_use]
    pub fn training(tensors: &'a Tensors, statistics: &'a BatchStatistics) -> Self {
        Self { prefix: String::new(), source: Source::Training(tensors, statistics) }
    }

    /// Where a batch norm under training keeps its statistics, and the norm's name.
    pub(crate) fn statistics(&self) -> Option<(BatchStatistics, String)> {
        match self.source {
            Source::Training(_, statistics) => Some((statistics.clone(), self.prefix.trim_end_matches('.').to_owned())),
            _ => None,
        }
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
            Source::Tensors(tensors) | Source::Training(tensors, _) => match tensors.get(&name) {
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

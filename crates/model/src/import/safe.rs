//! safetensors.

use super::floats::Kind;
use super::{Container, Found};
use safetensors::{Dtype, SafeTensors};
use std::path::Path;

/// A file in memory: its header was checked against its length.
pub(crate) struct Safe {
    bytes: Vec<u8>,
    found: Vec<Found>,
}

impl Safe {
    pub(crate) fn open(path: &Path) -> Result<Self, String> {
        let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| e.to_string())?;
        let found = file.iter().map(|(name, v)| Found { name: name.into(), shape: v.shape().to_vec() }).collect();
        Ok(Self { bytes, found })
    }
}

impl Container for Safe {
    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>, String> {
        let file = SafeTensors::deserialize(&self.bytes).map_err(|e| e.to_string())?;
        let view = file.tensor(&self.found[index].name).map_err(|e| e.to_string())?;
        let kind = match view.dtype() {
            Dtype::F64 => Kind::F64,
            Dtype::F32 => Kind::F32,
            Dtype::F16 => Kind::F16,
            Dtype::BF16 => Kind::Bf16,
            other => return Err(format!("the tensor '{}' holds {other:?}", self.found[index].name)),
        };
        Ok(kind.floats(view.data()))
    }

    fn kind(&self) -> &'static str {
        "safetensors"
    }
}

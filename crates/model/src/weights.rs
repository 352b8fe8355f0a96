//! Weights as safetensors: read with hash, names, shapes and numbers checked; written whole.

use crate::arch::Tensors;
use crate::files::{sha256_file, sha256_hex};
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use safetensors::{Dtype, SafeTensors, View, tensor::TensorView};
use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

/// Tensors whose names begin so belong to the card's plain method, not to the network.
pub(crate) const BASELINE_PREFIX: &str = "baseline.";
/// And so those of the gate for images of another kind.
pub(crate) const GATE_PREFIX: &str = "gate.";

/// Whether a tensor is none of the network's.
pub(crate) fn is_extra(name: &str) -> bool {
    name.starts_with(BASELINE_PREFIX) || name.starts_with(GATE_PREFIX)
}

/// Larger files are refused before they are read; no model here comes near.
const LARGEST_WEIGHTS_BYTES: u64 = 4 << 30;

/// The bytes of a weights file whose hash is `sha256`.
pub(crate) fn read_checked(id: &str, path: &Path, sha256: &str) -> Result<Vec<u8>> {
    let length = std::fs::metadata(path).map_err(Error::read(path))?.len();
    if length > LARGEST_WEIGHTS_BYTES {
        return Err(Error::Weights { reason: format!("{length} bytes are too many"), path: path.into() });
    }
    let bytes = std::fs::read(path).map_err(Error::read(path))?;
    // Before the hash, because "cut short" says more than "another hash".
    SafeTensors::deserialize(&bytes).map_err(|e| Error::Weights { reason: e.to_string(), path: path.into() })?;
    let found = sha256_hex(&bytes);
    if !found.eq_ignore_ascii_case(sha256) {
        return Err(Error::WrongHash { id: id.into(), expected: sha256.into(), found });
    }
    Ok(bytes)
}

/// All tensors of a file as f32.
pub(crate) fn parse(id: &str, bytes: &[u8], path: &Path, device: &Device) -> Result<Tensors> {
    let file =
        SafeTensors::deserialize(bytes).map_err(|e| Error::Weights { reason: e.to_string(), path: path.into() })?;
    let mut tensors = Tensors::new();
    for (name, view) in file.iter() {
        let values = floats(id, name, &view)?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::TensorNotFinite { id: id.into(), tensor: name.into() });
        }
        tensors.insert(name.into(), Tensor::from_vec(values, view.shape(), device)?);
    }
    Ok(tensors)
}

fn floats(id: &str, name: &str, view: &TensorView<'_>) -> Result<Vec<f32>> {
    let data = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()),
        Dtype::F16 => {
            // candle owns the only half-precision conversion at hand.
            let half = Tensor::from_raw_buffer(data, candle_core::DType::F16, &[data.len() / 2], &Device::Cpu)?;
            Ok(half.to_dtype(candle_core::DType::F32)?.to_vec1()?)
        }
        other => Err(Error::TensorType { id: id.into(), tensor: name.into(), found: format!("{other:?}") }),
    }
}

/// Checks names and shapes against what an architecture needs.
pub(crate) fn check(id: &str, tensors: &Tensors, needed: &[(String, Vec<usize>)]) -> Result<()> {
    for (name, expected) in needed {
        match tensors.get(name) {
            None => {
                return Err(Error::MissingTensor { id: id.into(), tensor: name.clone(), expected: expected.clone() });
            }
            Some(tensor) if tensor.dims() != expected.as_slice() => {
                return Err(Error::TensorShape {
                    id: id.into(),
                    tensor: name.clone(),
                    found: tensor.dims().to_vec(),
                    expected: expected.clone(),
                });
            }
            Some(_) => {}
        }
    }
    let known = |name: &String| is_extra(name) || needed.iter().any(|(n, _)| n == name);
    match tensors.keys().find(|name| !known(name)) {
        Some(tensor) => Err(Error::ExtraTensor { id: id.into(), tensor: tensor.clone() }),
        None => Ok(()),
    }
}

/// The tensors as bytes of a safetensors file, with text fields where given.
pub(crate) fn to_bytes(tensors: &Tensors, fields: Option<HashMap<String, String>>) -> Result<Vec<u8>> {
    let mut raw = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        raw.push((name.as_str(), tensor.dims().to_vec(), bytes));
    }
    let views = raw
        .iter()
        .map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)))
        .collect::<std::result::Result<Vec<_>, safetensors::SafeTensorError>>();
    views
        .and_then(|views| safetensors::serialize(views, fields))
        .map_err(|e| Error::Tensor(candle_core::Error::Msg(e.to_string())))
}

/// A tensor that becomes bytes only when they are written, one at a time; in half precision where so asked.
struct Written<'a> {
    tensor: &'a Tensor,
    half: bool,
}

impl View for Written<'_> {
    fn dtype(&self) -> Dtype {
        if self.half { Dtype::F16 } else { Dtype::F32 }
    }

    fn shape(&self) -> &[usize] {
        self.tensor.dims()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        // f32 on the CPU, checked by the caller; an empty answer would be found by the length check of the writer.
        let flat = self.tensor.flatten_all();
        Cow::Owned(if self.half {
            let values = flat.and_then(|t| t.to_dtype(candle_core::DType::F16)?.to_vec1::<half::f16>());
            values.unwrap_or_default().iter().flat_map(|v| v.to_le_bytes()).collect()
        } else {
            let values: Vec<f32> = flat.and_then(|t| t.to_vec1()).unwrap_or_default();
            values.iter().flat_map(|v| v.to_le_bytes()).collect()
        })
    }

    fn data_len(&self) -> usize {
        (if self.half { 2 } else { 4 }) * self.tensor.elem_count()
    }
}

/// Writes a safetensors file and says its SHA-256.
pub(crate) fn write(path: &Path, tensors: &Tensors) -> Result<String> {
    write_as(path, tensors, false)
}

/// As [`write`]; where `half`, matrices and kernels as f16. Biases, norms and statistics stay f32: they are few, and a
/// variance of 1e-6 is none any more in f16.
pub(crate) fn write_as(path: &Path, tensors: &Tensors, half: bool) -> Result<String> {
    write_with(path, tensors, None, half)
}

/// As [`write_as`], with text fields in the file's head.
pub(crate) fn write_with(
    path: &Path,
    tensors: &Tensors,
    fields: Option<HashMap<String, String>>,
    half: bool,
) -> Result<String> {
    let views =
        tensors.iter().map(|(name, tensor)| (name.as_str(), Written { tensor, half: half && tensor.rank() > 1 }));
    let part = path.with_extension("part");
    let written = safetensors::serialize_to_file(views, fields, &part).map_err(|e| match e {
        safetensors::SafeTensorError::IoError(e) => Error::write(path)(e),
        e => Error::Tensor(candle_core::Error::Msg(e.to_string())),
    });
    let done = written.and_then(|()| {
        std::fs::File::open(&part).and_then(|f| f.sync_all()).map_err(Error::write(path))?;
        let sha256 = sha256_file(&part)?;
        std::fs::rename(&part, path).map_err(Error::write(path))?;
        Ok(sha256)
    });
    if done.is_err() {
        // The half-written neighbour is of no use; that it may fail to go changes nothing.
        let _ = std::fs::remove_file(&part);
    }
    done
}

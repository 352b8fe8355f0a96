//! One importer for every container that weights come in.
//!
//! A file is opened as a [`Container`]: names and shapes first, numbers only when they are wanted. [`convert`] finds
//! the network's names among the file's (nested dictionaries, prefixes, older layouts), reports by name what is
//! missing, left over or of another shape, and gives the tensors that a [`crate::Card`] describes.
//!
//! | file | told by |
//! |---|---|
//! | safetensors | a header length and `{` |
//! | PyTorch zip (`.pth`, `.pt`, `.ckpt`, `.bin`), TorchScript | `PK` and a `data.pkl` |
//! | PyTorch before 1.6 | its magic number as a pickle |
//! | TensorFlow.js layers model | JSON with `weightsManifest` |
//! | Darknet `.weights` | its version, where the card's architecture is `darknet` |

mod darknet;
mod floats;
mod keys;
mod pickle;
mod safe;
mod tfjs;
mod torch;

use crate::arch::{Architecture, Tensors};
use crate::card::Card;
use crate::{Error, Result};
use candle_core::{Device, Tensor};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A tensor of a file, not yet read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its name in the file.
    pub(crate) name: String,
    /// Its shape.
    pub(crate) shape: Vec<usize>,
}

/// A file of weights.
pub(crate) trait Container {
    /// Its tensors.
    fn found(&self) -> &[Found];
    /// The numbers of one of them, row-major; the error is the middle of a sentence.
    fn read(&mut self, index: usize) -> Result<Vec<f32>, String>;
    /// What kind of file it is, for the card.
    fn kind(&self) -> &'static str;
}

/// Larger files are refused before they are read; no model here comes near.
pub(crate) const LARGEST_BYTES: u64 = 4 << 30;

/// Opens a file, or several that belong together (a Darknet `.weights` with its `.cfg`).
pub(crate) fn open(files: &[PathBuf], architecture: &mut Architecture) -> Result<Box<dyn Container>> {
    let fault = |path: &Path, reason: String| Error::Weights { reason, path: path.to_owned() };
    let Some(path) = files.first() else {
        return Err(fault(Path::new(""), "no file was given".into()));
    };
    let length = std::fs::metadata(path).map_err(Error::read(path))?.len();
    if length > LARGEST_BYTES {
        return Err(fault(path, format!("{length} bytes are too many")));
    }
    if let Some(second) = files.get(1) {
        let Architecture::Darknet(config) = architecture else {
            return Err(fault(second, format!("{} has its weights in one file", architecture.name())));
        };
        let length = std::fs::metadata(second).map_err(Error::read(second))?.len();
        if length > 1 << 20 || files.len() > 2 {
            return Err(fault(second, "it is no Darknet .cfg".into()));
        }
        config.cfg = std::fs::read_to_string(second).map_err(Error::read(second))?;
        config.check().map_err(|reason| fault(second, reason))?;
    }
    let mut head = [0u8; 16];
    let mut file = std::fs::File::open(path).map_err(Error::read(path))?;
    let mut n = 0;
    while n < head.len() {
        match file.read(&mut head[n..]).map_err(Error::read(path))? {
            0 => break,
            more => n += more,
        }
    }
    drop(file);
    let opened: Result<Box<dyn Container>, String> = match &head[..n] {
        [] => Err("it is empty".into()),
        [b'P', b'K', ..] => torch::Zip::open(path).map(|c| Box::new(c) as _),
        head if head.starts_with(&torch::LEGACY_MAGIC) => torch::Legacy::open(path).map(|c| Box::new(c) as _),
        head if head.len() > 8 && head[8] == b'{' => safe::Safe::open(path).map(|c| Box::new(c) as _),
        head if head.starts_with(b"\x89HDF") => {
            Err("Keras HDF5 files are not read; convert it with tensorflowjs_converter to a model.json".into())
        }
        _ if let Architecture::Darknet(config) = &*architecture => {
            darknet::Weights::open(path, &config.in_file_order()).map(|c| Box::new(c) as _)
        }
        [b'{', ..] => tfjs::Layers::open(path).map(|c| Box::new(c) as _),
        head if head.starts_with(b"GGUF") => Err("GGUF files hold language models, not image networks".into()),
        [8, ..] if is_onnx(path) => {
            Err("ONNX graphs are not read; save the network's state_dict as .pth or .safetensors".into())
        }
        [0x80, 2..=5, ..] => Err("it is a pickle, but not one that PyTorch saved".into()),
        _ => Err("it is none of safetensors, PyTorch (.pth), TensorFlow.js (model.json), Darknet (.weights)".into()),
    };
    opened.map_err(|reason| fault(path, reason))
}

fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx"))
}

/// What an import did beside reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notes {
    /// Kind of the file.
    pub(crate) kind: &'static str,
    /// Tensors that only training needs and that were left out.
    pub(crate) left_out: usize,
}

/// The tensors that a card's architecture needs, out of a file. May set what the file decides in the card's
/// architecture (eps of frozen norms).
///
/// # Errors
/// [`Error::Tensors`] with all names that are missing, left over or of another shape, [`Error::TensorNotFinite`],
/// [`Error::Weights`].
pub(crate) fn convert(container: &mut dyn Container, card: &mut Card, path: &Path) -> Result<(Tensors, Notes)> {
    let names: Vec<&str> = container.found().iter().map(|f| f.name.as_str()).collect();
    card.architecture.adapt(&names);
    let needed = card.architecture.shapes();
    let plan = keys::plan(container.found(), &needed, &card.architecture);
    let plan = plan.map_err(|text| Error::Tensors { id: card.id.clone(), text })?;
    let mut tensors = Tensors::new();
    for (index, name, shape) in plan.chosen {
        let values = container.read(index).map_err(|reason| Error::Weights { reason, path: path.to_owned() })?;
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::TensorNotFinite { id: card.id.clone(), tensor: name });
        }
        tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
    }
    Ok((tensors, Notes { kind: container.kind(), left_out: plan.left_out }))
}

/// Files that together hold one network, each tensor in one of them.
pub(crate) struct Joined {
    parts: Vec<Box<dyn Container>>,
    found: Vec<Found>,
    /// Part and index there, by index here.
    places: Vec<(usize, usize)>,
}

impl Joined {
    pub(crate) fn new(parts: Vec<Box<dyn Container>>) -> Self {
        let mut found = Vec::new();
        let mut places = Vec::new();
        for (number, part) in parts.iter().enumerate() {
            for (index, tensor) in part.found().iter().enumerate() {
                found.push(tensor.clone());
                places.push((number, index));
            }
        }
        Self { parts, found, places }
    }
}

impl Container for Joined {
    fn found(&self) -> &[Found] {
        &self.found
    }

    fn read(&mut self, index: usize) -> Result<Vec<f32>, String> {
        let (part, index) = self.places[index];
        self.parts[part].read(index)
    }

    fn kind(&self) -> &'static str {
        self.parts.first().map_or("", |part| part.kind())
    }
}

//! What can go wrong with weights, cards, data and training, one clear sentence each.

use std::path::PathBuf;

/// `Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that this crate reports. Paths come last in each sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The caller's token said stop.
    #[error("cancelled")]
    Cancelled,
    /// A file could not be read.
    #[error("cannot read ({source}): {}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file could not be written.
    #[error("cannot write ({source}): {}", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The disk has no room; what was there before is still whole.
    #[error("the disk is full, nothing was replaced: {}", path.display())]
    DiskFull {
        /// The file that was being written.
        path: PathBuf,
    },
    /// No model has this id.
    #[error("there is no model '{id}'; at hand: {known}")]
    UnknownModel {
        /// The id asked for.
        id: String,
        /// The ids at hand, separated by commas.
        known: String,
    },
    /// A card that is no TOML or lacks something.
    #[error("the card is not readable: {reason}: {}", path.display())]
    CardSyntax {
        /// What the parser said, on one line.
        reason: String,
        /// The card.
        path: PathBuf,
    },
    /// A card that is readable but contradicts itself.
    #[error("the card of '{id}' is not usable: {reason}")]
    Card {
        /// The model's id.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// The weights are not the file that the card describes.
    #[error(
        "the weights of '{id}' do not match its card: sha256 is {found}, the card says {expected}; get the file again or correct the card"
    )]
    WrongHash {
        /// The model's id.
        id: String,
        /// The hash in the card, hex.
        expected: String,
        /// The hash of the file, hex.
        found: String,
    },
    /// Not a safetensors file, or cut short.
    #[error("the weights are damaged or not a safetensors file ({reason}): {}", path.display())]
    Weights {
        /// What the reader said.
        reason: String,
        /// The file.
        path: PathBuf,
    },
    /// The architecture needs a tensor that the file lacks.
    #[error("the weights of '{id}' lack the tensor '{tensor}' of shape {expected:?}")]
    MissingTensor {
        /// The model's id.
        id: String,
        /// The tensor's name.
        tensor: String,
        /// The shape that the architecture needs.
        expected: Vec<usize>,
    },
    /// A tensor of another shape than the architecture needs.
    #[error("the tensor '{tensor}' of '{id}' has shape {found:?}, the architecture needs {expected:?}")]
    TensorShape {
        /// The model's id.
        id: String,
        /// The tensor's name.
        tensor: String,
        /// The shape in the file.
        found: Vec<usize>,
        /// The shape that the architecture needs.
        expected: Vec<usize>,
    },
    /// A tensor of another number type than the architecture needs.
    #[error("the tensor '{tensor}' of '{id}' holds {found}, only F32 and F16 are read")]
    TensorType {
        /// The model's id.
        id: String,
        /// The tensor's name.
        tensor: String,
        /// The type in the file.
        found: String,
    },
    /// A number in the weights is not finite.
    #[error("the tensor '{tensor}' of '{id}' holds a number that is not finite; the file is damaged")]
    TensorNotFinite {
        /// The model's id.
        id: String,
        /// The tensor's name.
        tensor: String,
    },
    /// The file has a tensor that the architecture does not know.
    #[error("the weights of '{id}' hold the tensor '{tensor}', which its architecture does not know")]
    ExtraTensor {
        /// The model's id.
        id: String,
        /// The tensor's name.
        tensor: String,
    },
    /// The file's tensors are not those of the architecture.
    #[error("the weights do not fit the card of '{id}': {text}")]
    Tensors {
        /// The model's id.
        id: String,
        /// Which are missing, left over, or of another shape.
        text: String,
    },
    /// A model with this id is there already, or the id is taken by a shipped one.
    #[error("a model '{id}' is already there; remove it first or give the card another id")]
    AlreadyThere {
        /// The id.
        id: String,
    },
    /// A shipped model cannot be removed.
    #[error("'{id}' came with the program and cannot be removed")]
    Shipped {
        /// The id.
        id: String,
    },
    /// The image cannot be used as the input.
    #[error("the image cannot be used: {reason}")]
    Image {
        /// What is wrong.
        reason: String,
    },
    /// A text, or a language model, cannot be used.
    #[error("the language model cannot be used: {reason}")]
    Text {
        /// What is wrong.
        reason: String,
    },
    /// A model does not fit into the memory that is free.
    #[error(
        "the model needs {needed_mb} MB of memory, {free_mb} MB are free; close other programs or take a smaller one"
    )]
    Memory {
        /// Megabytes that it needs.
        needed_mb: u64,
        /// Megabytes that are free.
        free_mb: u64,
    },
    /// The data set is not as expected.
    #[error("the data set '{set}' cannot be used: {reason}")]
    Data {
        /// The data set's name.
        set: String,
        /// What is wrong.
        reason: String,
    },
    /// A recipe that is no TOML or asks for something impossible.
    #[error("the recipe cannot be used: {reason}")]
    Recipe {
        /// What is wrong.
        reason: String,
    },
    /// The loss became NaN or infinite.
    #[error(
        "training stopped at step {step}: the loss is not a finite number; lower the learning rate, then go on with --resume from the last checkpoint"
    )]
    LossNotFinite {
        /// The step, counted from 0.
        step: usize,
    },
    /// A checkpoint that does not belong to the recipe.
    #[error("the checkpoint cannot be resumed: {reason}")]
    Checkpoint {
        /// What is wrong.
        reason: String,
    },
    /// A device that this build does not have.
    #[error("the device '{name}' is not in this build; use 'cpu'")]
    Device {
        /// The device asked for.
        name: String,
    },
    /// candle refused an operation.
    #[error("the network failed: {0}")]
    Tensor(#[from] candle_core::Error),
}

impl Error {
    /// A reading error at `path`.
    pub(crate) fn read(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Read { path, source }
    }

    /// A writing error at `path`; a full disk gets its own sentence.
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::Write { path, source },
        }
    }
}

//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use lightbox_dicom::anonymize::Rectangle;

/// Lightbox: a radiology viewer with embedded AI. For research and education, not for diagnostic use.
#[derive(Debug, Parser)]
#[command(name = "lightbox", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// Files, folders or ZIPs to open in the window.
    pub(crate) paths: Vec<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Opens the window.
    Open {
        /// Files, folders, ZIPs.
        paths: Vec<PathBuf>,
    },
    /// Makes the built-in synthetic study, opens it and runs the built-in model on it.
    Demo {
        /// Draws the window into this PNG instead.
        #[arg(long)]
        screenshot: Option<PathBuf>,
        /// Draws the pictures of the README into this folder instead.
        #[arg(long, conflicts_with = "screenshot")]
        pictures: Option<PathBuf>,
        /// Size of the picture.
        #[arg(long, default_value = "1440x900", value_parser = size)]
        size: [u32; 2],
    },
    /// Draws the window, with nothing on the screen, into a PNG.
    Screenshot {
        /// Files, folders, ZIPs; none for the start screen.
        paths: Vec<PathBuf>,
        /// The picture.
        #[arg(long)]
        out: PathBuf,
        /// Size of the picture.
        #[arg(long, default_value = "1440x900", value_parser = size)]
        size: [u32; 2],
        /// JSON list of commands to carry out first.
        #[arg(long)]
        script: Option<PathBuf>,
    },
    /// Lists studies, series and instances.
    Scan {
        /// Files, folders, ZIPs.
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Writes the pixels of a file.
    Decode(Decode),
    /// Prints the attributes of a file.
    Header {
        /// The file.
        file: PathBuf,
        /// DICOM JSON model.
        #[arg(long)]
        json: bool,
    },
    /// Writes a series as NIfTI or NRRD.
    Volume(Volume),
    /// Draws one plane.
    Render(Render),
    /// Lists, shows, adds, removes and checks models.
    Models {
        #[command(subcommand)]
        action: Option<Models>,
        /// One JSON document.
        #[arg(long, global = true)]
        json: bool,
    },
    /// Runs a model.
    Infer(Infer),
    /// Measures a model against ground truth.
    Evaluate {
        /// The model's id, or its folder.
        model: String,
        /// A folder laid out as the shared data.
        #[arg(long)]
        data: Option<PathBuf>,
        /// The held-back persons, or every case.
        #[arg(long, value_enum, default_value = "test")]
        cases: Cases,
        /// Draws the ten worst cases into a PNG.
        #[arg(long)]
        gallery: Option<PathBuf>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Trains a model from a recipe.
    Train {
        /// The recipe.
        recipe: PathBuf,
        /// A folder laid out as the shared data.
        #[arg(long)]
        data: Option<PathBuf>,
        /// Where weights, card and curve go.
        #[arg(long)]
        out: PathBuf,
        /// Goes on from the last checkpoint.
        #[arg(long)]
        resume: bool,
        /// What computes.
        #[arg(long, default_value = "cpu", value_parser = ["cpu", "cuda", "metal"])]
        device: String,
    },
    /// Converts masks.
    Seg {
        #[command(subcommand)]
        action: Seg,
    },
    /// Drafts, reads and checks reports.
    Report {
        #[command(subcommand)]
        action: Report,
    },
    /// Answers from the local knowledge base, each with its source.
    Ask {
        /// The question.
        question: String,
        /// For whom.
        #[arg(long, value_parser = ["patient", "clinician"])]
        audience: Option<String>,
        /// A folder of Markdown, text and JSON lines of one's own (else LIGHTBOX_KNOWLEDGE).
        #[arg(long)]
        folder: Option<PathBuf>,
        /// Orders what is found by word vectors too.
        #[arg(long)]
        vectors: bool,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// What sources say of a contrast agent or drug.
    Drug {
        /// Generic or trade name.
        name: String,
        /// The patient's eGFR in mL/min/1.73 m².
        #[arg(long)]
        egfr: Option<f64>,
        /// Local rules (TOML) that stand before the others.
        #[arg(long)]
        rules: Option<PathBuf>,
        /// Recall notices in the shape of openFDA drug/enforcement.
        #[arg(long)]
        recalls: Option<PathBuf>,
        /// National drug code to match notices by.
        #[arg(long)]
        ndc: Option<String>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Writes de-identified copies (PS3.15 Annex E).
    Anonymize(Anonymize),
    /// DICOM over the network (not built yet).
    Pacs {
        /// query, retrieve or store, and what they need.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        rest: Vec<String>,
    },
    /// The project's own benchmarks.
    Bench {
        /// Which.
        #[arg(default_value = "view", value_parser = ["view", "dicom", "kernels", "nets", "train", "masks", "report"])]
        what: String,
        /// Of layers and nets, only cases whose name contains this.
        #[arg(long)]
        only: Option<String>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Decode {
    /// The file.
    pub(crate) file: PathBuf,
    /// Frame, 0-based, or `all`.
    #[arg(long, default_value = "0", value_parser = frame)]
    pub(crate) frame: FrameArg,
    /// How far the values are taken.
    #[arg(long, value_enum, default_value = "stored")]
    pub(crate) stage: StageArg,
    /// The raw array.
    #[arg(long)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StageArg {
    Stored,
    Modality,
    Display,
}

#[derive(Debug, Args)]
pub(crate) struct Volume {
    /// File, folder or ZIP.
    pub(crate) path: PathBuf,
    /// Series Instance UID.
    #[arg(long)]
    pub(crate) series: Option<String>,
    /// Volume of the series, 0-based.
    #[arg(long, default_value_t = 0)]
    pub(crate) volume: usize,
    /// Makes a regular volume of tilted or uneven slices.
    #[arg(long)]
    pub(crate) resample: bool,
    /// `.nii`, `.nii.gz` or `.nrrd`.
    #[arg(long)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    /// File, folder or ZIP.
    pub(crate) path: PathBuf,
    /// Series Instance UID.
    #[arg(long)]
    pub(crate) series: Option<String>,
    /// The plane.
    #[arg(long, value_enum, default_value = "native")]
    pub(crate) plane: PlaneArg,
    /// Slice, 0-based; the middle one if left out.
    #[arg(long)]
    pub(crate) slice: Option<usize>,
    /// Width and level, as in `1500,-600`.
    #[arg(long, value_parser = window, allow_hyphen_values = true)]
    pub(crate) window: Option<[f64; 2]>,
    /// Masks to lay over it: DICOM SEG, or numbers in a NIfTI or NRRD.
    #[arg(long, num_args = 1..)]
    pub(crate) overlay: Vec<PathBuf>,
    /// The picture.
    #[arg(long)]
    pub(crate) out: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum PlaneArg {
    Axial,
    Coronal,
    Sagittal,
    Native,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// Lists the models at hand.
    List,
    /// Prints a model's card.
    Show {
        /// Its id.
        id: String,
    },
    /// Prints a card to edit.
    Template {
        /// The architecture.
        arch: String,
    },
    /// Adds a model.
    Add {
        /// Its weights (for Darknet followed by the .cfg, where the card has another).
        files: Vec<PathBuf>,
        /// Its card.
        #[arg(long)]
        card: PathBuf,
    },
    /// Removes an added model.
    Remove {
        /// Its id.
        id: String,
    },
    /// Checks the weights of all models against their cards.
    Verify,
}

#[derive(Debug, Args)]
pub(crate) struct Infer {
    /// The model's id.
    pub(crate) model: String,
    /// Files, folders, ZIPs.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Folder for the results.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Prints the results too.
    #[arg(long)]
    pub(crate) json: bool,
    /// A map of what a classifier looked at.
    #[arg(long, value_parser = ["grad-cam", "occlusion", "integrated-gradients"])]
    pub(crate) explain: Option<String>,
    /// How far the answer moves with the image: test-time augmentation.
    #[arg(long, value_parser = ["tta"])]
    pub(crate) uncertainty: Option<String>,
    /// A click for a prompted model: X,Y or X,Y,SLICE in pixels; may be repeated.
    #[arg(long)]
    pub(crate) point: Vec<String>,
    /// The path is the network's own input as .npy; its outputs go to OUT/raw.
    #[arg(long)]
    pub(crate) raw: bool,
}

#[derive(Args)]
pub(crate) struct Anonymize {
    /// Files, folders, ZIPs, or a DICOMDIR.
    #[arg(required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Folder for the copies; new or empty.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// Profile.
    #[arg(long, default_value = "basic", value_parser = ["basic"])]
    pub(crate) profile: String,
    /// An option of the profile; repeatable.
    #[arg(long = "option", value_parser = ANONYMIZE_OPTIONS)]
    pub(crate) options: Vec<String>,
    /// Rectangle to be blanked in every image, in pixels: X,Y,WIDTH,HEIGHT; with `--option clean-pixel-data`; repeatable.
    #[arg(long = "mask", value_parser = rectangle)]
    pub(crate) masks: Vec<Rectangle>,
    /// Secret of at least 8 characters: with the same one, patients and UIDs get the same new names in a later run.
    /// Without it they get names that nobody can repeat.
    #[arg(long)]
    pub(crate) key: Option<String>,
    /// JSON report of what was done, without identifiers.
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
}

const ANONYMIZE_OPTIONS: [&str; 11] = [
    "clean-pixel-data",
    "clean-graphics",
    "clean-structured-content",
    "clean-descriptors",
    "retain-full-dates",
    "retain-modified-dates",
    "retain-patient-characteristics",
    "retain-device-identity",
    "retain-uids",
    "retain-safe-private",
    "retain-institution-identity",
];

impl std::fmt::Debug for Anonymize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret.
        f.debug_struct("Anonymize").field("options", &self.options).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Cases {
    Test,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum MaskFormat {
    Seg,
    Rtstruct,
    Nifti,
    Nrrd,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Seg {
    /// Converts a mask with the geometry of a reference series.
    Convert {
        /// The mask.
        input: PathBuf,
        /// The series that it lies on.
        #[arg(long)]
        reference: PathBuf,
        /// The format.
        #[arg(long, value_enum)]
        to: MaskFormat,
        /// The result.
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Report {
    /// Drafts a report from findings.
    Draft {
        /// The findings file.
        #[arg(long)]
        findings: PathBuf,
        /// The template's name.
        #[arg(long)]
        template: Option<String>,
        /// The study that fills what the header knows.
        #[arg(long)]
        study: Option<PathBuf>,
    },
    /// Writes a report as HTML, PDF, FHIR or DICOM.
    Export(Export),
    /// Says what a text says.
    Parse {
        /// The text.
        file: PathBuf,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Proposes the word that a text goes on with.
    Complete {
        /// The text before the cursor.
        text: String,
        /// How many.
        #[arg(long, default_value_t = 3)]
        count: usize,
        /// A network beside the n-gram: its id, or `none`; left out, the best one at hand.
        #[arg(long)]
        partner: Option<String>,
        /// A folder of one's own signed reports (.txt) that weigh in.
        #[arg(long)]
        history: Option<PathBuf>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Proposes the impression; what no finding holds is struck.
    Impression(Assist),
    /// Proposes the patient's letter in plain words; what no finding holds is struck.
    Letter(Assist),
    /// Other words for a term.
    Words {
        /// The term.
        term: String,
        /// How many.
        #[arg(long, default_value_t = 12)]
        count: usize,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// What each sentence is: finding, negative, comparison, recommendation, technique, history.
    Kinds {
        /// The text.
        file: PathBuf,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Checks a report.
    Check {
        /// The text.
        file: PathBuf,
        /// The study that fills what the header knows.
        #[arg(long)]
        study: Option<PathBuf>,
        /// The findings file.
        #[arg(long)]
        findings: Option<PathBuf>,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Assist {
    /// The report's text.
    pub(crate) file: Option<PathBuf>,
    /// The findings file.
    #[arg(long)]
    pub(crate) findings: Option<PathBuf>,
    /// A chat model (.gguf) that writes; without it rules do.
    #[arg(long)]
    pub(crate) model: Option<PathBuf>,
    /// One JSON document.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportForm {
    Text,
    Html,
    Pdf,
    Fhir,
    /// DICOM Basic Text SR.
    Sr,
    /// DICOM Comprehensive 3D SR (TID 1500) of the confirmed findings.
    SrMeasurements,
    /// DICOM Encapsulated PDF.
    EncapsulatedPdf,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The text.
    pub(crate) file: PathBuf,
    /// The form.
    #[arg(long, value_enum)]
    pub(crate) to: ExportForm,
    /// The result.
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// The study that it is about; the DICOM forms need it.
    #[arg(long)]
    pub(crate) study: Option<PathBuf>,
    /// The findings file; the measurements form needs it.
    #[arg(long)]
    pub(crate) findings: Option<PathBuf>,
    /// The name of the examination.
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Who signed; without a name it is a draft.
    #[arg(long)]
    pub(crate) reader: Option<String>,
    /// When it was signed, UTC, as in 2026-11-25T10:41:00Z.
    #[arg(long)]
    pub(crate) signed_at: Option<String>,
    /// The reader's organisation.
    #[arg(long)]
    pub(crate) organization: Option<String>,
}

/// A frame; none for all.
type FrameArg = Option<usize>;

fn frame(text: &str) -> Result<FrameArg, String> {
    match text {
        "all" => Ok(None),
        n => n.parse().map(Some).map_err(|_| "it is a number from 0, or `all`".to_owned()),
    }
}

fn size(text: &str) -> Result<[u32; 2], String> {
    let parts = text.split_once(['x', 'X']).ok_or("write it as WIDTHxHEIGHT, as in 1440x900")?;
    let side = |t: &str| t.trim().parse::<u32>().ok().filter(|v| (64..=8192).contains(v));
    match (side(parts.0), side(parts.1)) {
        (Some(w), Some(h)) => Ok([w, h]),
        _ => Err("both sides are whole numbers from 64 to 8192".into()),
    }
}

fn rectangle(text: &str) -> Result<Rectangle, String> {
    let numbers: Option<Vec<u32>> = text.split(',').map(|t| t.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[x, y, width, height]) if width > 0 && height > 0 => Ok(Rectangle { x, y, width, height }),
        _ => Err("write it as X,Y,WIDTH,HEIGHT in pixels, as in 0,0,512,40".into()),
    }
}

fn window(text: &str) -> Result<[f64; 2], String> {
    let parts = text.split_once(',').ok_or("write it as WIDTH,LEVEL, as in 1500,-600")?;
    let number = |t: &str| t.trim().parse::<f64>().ok().filter(|v| v.is_finite());
    match (number(parts.0), number(parts.1)) {
        (Some(w), Some(l)) if w > 0.0 => Ok([w, l]),
        _ => Err("both are numbers, and the width is above 0".into()),
    }
}

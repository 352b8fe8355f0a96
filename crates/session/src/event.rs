//! What jobs are asked to do, and what they tell.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use lightbox_core::{Frame, Segment, SegmentId, VolumeGeometry, Window};
use lightbox_dicom::{Series, Stack, StudyIndex};

use crate::ask::Found;
use crate::checks::{CheckSpec, Checked};
use crate::completion::{CompleteSpec, Completion};
use crate::export::ExportSpec;
use crate::heat::{ExplainBy, Explained};
use crate::ids::{JobId, StackId};
use crate::improving::{Count, Learnt};
use crate::journal::{Record, Recovery};
use crate::library::Thumbnail;
use crate::models::ModelInfo;
use crate::proposals::{Offer, OfferKind, OtherWords, ProposeSpec};
pub use crate::results::InferResult;
use crate::templates::OwnTemplate;
use crate::worker::own::{KeptReport, Own};

/// What follows from a command or an event, for whoever runs the jobs.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Start a job.
    Start(JobId, JobSpec),
    /// Ask a job to stop.
    Cancel(JobId),
    /// Ask a job to end with what it has.
    Finish(JobId),
    /// Load the frames nearest to this one first.
    Focus(StackId, usize),
    /// Write these records to the journal.
    Journal(Vec<Record>),
    /// Write these records, which hold all work there is, in the place of a journal that could not be written.
    JournalAnew(Vec<Record>),
    /// Keep the settings.
    SaveSettings(String),
    /// The program may end; `keep_journal` when work is not saved.
    Quit {
        /// Work is not saved: offer it at the next start.
        keep_journal: bool,
    },
}

/// A job.
#[derive(Debug, Clone)]
pub enum JobSpec {
    /// Looks for images under paths.
    Scan(Vec<PathBuf>),
    /// Writes the built-in study into the cache, then scans it.
    Demo,
    /// Loads the frames of a stack, those nearest to `focus` first.
    Load {
        /// Stack.
        stack: StackId,
        /// Its header.
        info: Arc<Stack>,
        /// Frame to begin with.
        focus: usize,
    },
    /// Makes small pictures of the middle frames.
    Thumbnails(Vec<(StackId, Arc<Stack>)>),
    /// Lists the models.
    Models,
    /// Runs a model on one frame.
    Infer(Box<InferSpec>),
    /// Looks at an answer of a model.
    Explain(Box<ExplainSpec>),
    /// Counts the approved masks that are kept for learning.
    CountCorrections,
    /// Keeps an approved mask for learning.
    AddCorrection(Box<CorrectionSpec>),
    /// Deletes what is kept for a model to learn from.
    ForgetCorrections(String),
    /// Lets a copy of a model learn.
    Improve {
        /// The model.
        model: Box<ModelInfo>,
        /// Updates.
        updates: usize,
    },
    /// Keeps a changed copy as a model of the user's.
    KeepImproved {
        /// The copy.
        offer: Arc<lightbox_model::train::correct::Offer>,
        /// Ids that are taken.
        taken: Vec<String>,
    },
    /// Saves segments as DICOM SEG.
    SaveSeg(Box<SaveSegSpec>),
    /// Reads a DICOM SEG and lays it onto one of these stacks.
    LoadSeg {
        /// File.
        path: PathBuf,
        /// Stacks that it may refer to.
        stacks: Vec<(StackId, Arc<Stack>)>,
    },
    /// Writes a report in a form.
    Export(Box<ExportSpec>),
    /// Holds a report against itself and the images.
    Check(Box<CheckSpec>),
    /// Looks what may follow the words that are being typed.
    Complete(Box<CompleteSpec>),
    /// Looks for other words for a word.
    OtherWords(String),
    /// Learns the phrases of a report that was signed.
    LearnPhrases(String),
    /// Forgets all phrases that were learnt.
    ForgetPhrases,
    /// Writes a proposal.
    Propose(Box<ProposeSpec>),
    /// Writes a letter.
    SaveLetter {
        /// File.
        path: PathBuf,
        /// Its sentences.
        text: String,
    },
    /// Writes a line of the audit log.
    Audit(String),
    /// Looks for an answer.
    Ask {
        /// In words.
        question: String,
        /// For whom.
        audience: Option<crate::ask::Audience>,
        /// The user's own folder.
        folder: Option<PathBuf>,
    },
    /// Reads the templates and rules that are kept.
    ReadOwn,
    /// Reads a template and keeps it.
    ImportTemplate(PathBuf),
    /// Writes a template.
    ExportTemplate {
        /// File.
        path: PathBuf,
        /// Content.
        page: String,
    },
    /// Reads recall notices and keeps them.
    ImportRecalls(PathBuf),
    /// Reads drug rules and keeps them.
    ImportDrugRules(PathBuf),
    /// Looks for signed reports on these studies.
    FindSigned(Vec<String>),
    /// Keeps a signed report, and the line of the audit log.
    KeepSigned {
        /// Study Instance UID.
        study: String,
        /// What is kept.
        report: Box<KeptReport>,
        /// What the log says.
        audit: String,
    },
    /// Looks for work that a killed session left.
    FindRecovery,
    /// Deletes a journal whose work was given up.
    DiscardRecovery(PathBuf),
    /// Leaves in a journal only what found no place, once the rest is on the disk in the journal of this session.
    RetireJournal {
        /// The journal.
        journal: PathBuf,
        /// What it still has to hold; it is deleted when that is nothing.
        left: Vec<Record>,
    },
}

/// Input of a model.
#[derive(Debug, Clone)]
pub struct InferSpec {
    /// The model.
    pub model: ModelInfo,
    /// Stack it runs on.
    pub stack: StackId,
    /// Frame of the stack to begin with.
    pub frame_index: usize,
    /// How many frames, one after the other; all of them at once for a model that takes volumes.
    pub count: usize,
    /// The frames that are loaded, by their place in the stack; the job reads the others.
    pub frames: Vec<Option<Arc<Frame>>>,
    /// Header.
    pub info: Arc<Stack>,
    /// Geometry of the stack.
    pub geometry: VolumeGeometry,
    /// Whether the left of the image is the patient's right; `None` when the header does not tell.
    pub left_is_patient_right: Option<bool>,
}

/// What is looked at, and how.
#[derive(Debug, Clone)]
pub struct ExplainSpec {
    /// Model and frame.
    pub on: InferSpec,
    /// How.
    pub by: ExplainBy,
    /// Number of the class; the most probable one while `None`.
    pub class: Option<usize>,
    /// The model has not answered on this frame: that comes first.
    pub run_first: bool,
}

/// An approved mask on its way into the set that a model learns from.
#[derive(Debug, Clone)]
pub struct CorrectionSpec {
    /// The model.
    pub model: ModelInfo,
    /// Stack.
    pub stack: StackId,
    /// Frame of the stack.
    pub frame_index: usize,
    /// Its pixels, where they are loaded.
    pub frame: Option<Arc<Frame>>,
    /// Header.
    pub info: Arc<Stack>,
    /// The masks; all belong to the model's label.
    pub masks: Vec<Arc<lightbox_core::BitPlane>>,
    /// Tells the person among all; hashed before it is written.
    pub person: String,
    /// Tells the image among all; hashed before it is written.
    pub image: String,
}

/// What a SEG is made of.
#[derive(Debug, Clone)]
pub struct SaveSegSpec {
    /// File.
    pub path: PathBuf,
    /// Stack.
    pub stack: StackId,
    /// Header of the stack.
    pub info: Arc<Stack>,
    /// Header of the series.
    pub series: Arc<Series>,
    /// The segments as they are now.
    pub segments: Vec<Segment>,
    /// Those of a model that nobody accepted.
    pub proposed: BTreeSet<SegmentId>,
    /// Revision of the document that they are from.
    pub revision: u64,
    /// Gestures on masks that this save covers.
    pub gestures: usize,
}

/// A frame that was decoded.
#[derive(Debug, Clone)]
pub struct LoadedFrame {
    /// Frame of the stack.
    pub index: usize,
    /// Its pixels.
    pub frame: Arc<Frame>,
    /// The window of its own, if the file has one.
    pub window: Option<Window>,
    /// What was wrong with its pixels and how it was mended; they are not as they were acquired then.
    pub note: Option<PixelNote>,
}

/// What is wrong with the pixels of a frame that is shown all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelNote {
    /// A part of them is missing and filled.
    pub cut_off: bool,
    /// One sentence without a capital, as the decoder says it.
    pub text: String,
}

/// What a job tells.
#[derive(Debug, Clone)]
pub struct JobEvent {
    /// The job.
    pub job: JobId,
    /// What.
    pub kind: EventKind,
}

/// What a job tells.
#[derive(Debug, Clone)]
pub enum EventKind {
    /// How far it is (0 to 1, `None` when it cannot know) and with what.
    Progress(Option<f32>, String),
    /// What a scan found.
    Scanned {
        /// The studies.
        index: Box<StudyIndex>,
        /// The paths.
        paths: Vec<PathBuf>,
        /// It is the built-in study: lay it out and run the model.
        demo: bool,
    },
    /// Frames of a stack.
    Frames(StackId, Vec<LoadedFrame>),
    /// All frames of a stack are there or could not be read; `failed` counts the latter, with the first reason.
    Loaded(StackId, usize, Option<String>),
    /// A small picture.
    Thumbnail(StackId, Arc<Thumbnail>),
    /// The models.
    Models(Vec<ModelInfo>),
    /// A model's result.
    Inferred(Box<InferResult>),
    /// What an answer rests on, or how far it moves.
    Explained(Box<Explained>),
    /// What is kept for models to learn from.
    Corrections(Vec<Count>),
    /// An approved mask is on the disk.
    CorrectionKept {
        /// Stack.
        stack: StackId,
        /// Frame of the stack.
        frame: usize,
        /// The model's id.
        model: String,
    },
    /// A point of the curve of a copy that learns.
    Learnt(Learnt),
    /// A copy has learnt and was measured.
    Improved {
        /// The model that was changed.
        model: String,
        /// What the reader has to know, a sentence each.
        notes: Vec<String>,
        /// The copy.
        offer: Arc<lightbox_model::train::correct::Offer>,
    },
    /// A changed copy is among the models, under this id.
    ImprovedKept(String),
    /// A SEG was saved, read back and found equal.
    SegSaved {
        /// Stack.
        stack: StackId,
        /// File.
        path: PathBuf,
        /// Segments read back equal.
        segments: usize,
        /// Gestures on masks that the save covers.
        gestures: usize,
        /// Wall clock as `HH:MM`.
        time: String,
    },
    /// A SEG was read.
    SegLoaded {
        /// Stack it lies on.
        stack: StackId,
        /// Its segments.
        segments: Vec<Segment>,
        /// Those that a program made and no reader confirmed.
        proposed: Vec<SegmentId>,
        /// File.
        path: PathBuf,
    },
    /// The text of a report was written.
    TextSaved {
        /// File.
        path: PathBuf,
        /// The study that it reports on.
        study: String,
        /// Changes that the save covers.
        changes: usize,
    },
    /// What a check found.
    Checked {
        /// Study Instance UID.
        study: String,
        /// What.
        checked: Box<Checked>,
    },
    /// Words that may follow.
    Completed(Completion),
    /// Other words for a word.
    OtherWords(OtherWords),
    /// The phrases that were learnt are gone.
    PhrasesForgotten,
    /// What was proposed.
    Proposed {
        /// Study Instance UID.
        study: String,
        /// What.
        kind: OfferKind,
        /// Its sentences.
        offer: Box<Offer>,
    },
    /// A letter was written.
    LetterSaved(PathBuf),
    /// An answer, or none.
    Answered(Box<Found>),
    /// Templates and rules that are kept.
    Own(Box<Own>),
    /// A template.
    Template(Box<OwnTemplate>),
    /// Recall notices, and from which file.
    Recalls(Vec<lightbox_report::drug::recall::Recall>, String),
    /// Drug rules, as the text of their file.
    DrugRules(String),
    /// A template was written.
    TemplateSaved(PathBuf),
    /// Signed reports, by Study Instance UID.
    SignedFound(Vec<(String, KeptReport)>),
    /// A signed report is on the disk.
    SignedKept(String),
    /// Work of an earlier session.
    Recovery(Option<Box<Recovery>>),
    /// The journal could not be written.
    JournalFailed(String),
    /// The journal holds all work again.
    JournalWhole,
    /// The job has ended well.
    Done,
    /// The job was stopped as asked.
    Cancelled,
    /// The job failed: one sentence.
    Failed(String),
}

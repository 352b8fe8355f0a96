//! Everything that a person can ask for. Closed, plain data: a script, a test and a button send the same.

use std::path::PathBuf;

use lightbox_core::{PatientPos, Plane, Rgb, SegmentId, Window};
use lightbox_report::document::{Place, SentenceId};
use serde::{Deserialize, Serialize};

use crate::annotation::AnnotationKind;
use crate::ask::Audience;
use crate::boxes::MarkState;
use crate::checks::Anchor;
use crate::drugs::Numbers;
use crate::export::Form;
use crate::ground::Thing;
use crate::heat::{ExplainBy, HeatId};
use crate::ids::{AnnotationId, JobId, StackId};
use crate::proposals::{Fate, OfferKind};
use crate::results::ResultId;
use crate::workspace::{
    BrushSettings, Layer, Layout, MaskStyle, Overwrite, PanelTab, ReportPage, Sheet, StudyListMode, TextLevel,
    ThemeChoice, Tool,
};

/// A file to write, and what to write into it. In a script either `"FILE"`, which means what is active when the command
/// is carried out, or `{"path": "FILE", "of": …}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "SaveToForm<T>")]
pub struct SaveTo<T> {
    /// The file.
    pub path: PathBuf,
    /// What is saved; what is active while `None`. A dialog names it: other things may be active when it answers.
    pub of: Option<T>,
}

impl<T> From<PathBuf> for SaveTo<T> {
    fn from(path: PathBuf) -> Self {
        Self { path, of: None }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum SaveToForm<T> {
    Path(PathBuf),
    Of {
        path: PathBuf,
        #[serde(default = "nothing")]
        of: Option<T>,
    },
}

fn nothing<T>() -> Option<T> {
    None
}

impl<T> From<SaveToForm<T>> for SaveTo<T> {
    fn from(form: SaveToForm<T>) -> Self {
        match form {
            SaveToForm::Path(path) => path.into(),
            SaveToForm::Of { path, of } => Self { path, of },
        }
    }
}

/// A wish. Slots are viewports, 0-based, left to right and top to bottom; `None` is the active one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    // Studies
    /// Opens files, folders, ZIPs.
    Open(Vec<PathBuf>),
    /// Makes the built-in study, opens it and runs the built-in model on its X-ray.
    OpenDemo,
    /// Closes a study; unsaved work on it stays in the journal.
    CloseStudy(String),
    /// Shows a stack in a viewport.
    Show {
        /// Viewport.
        slot: Option<usize>,
        /// Stack.
        stack: StackId,
    },
    /// Shows the stack `n` of the study list (0-based), for scripts.
    ShowNth {
        /// Viewport.
        slot: Option<usize>,
        /// Place in the list over all studies.
        n: usize,
        /// Planes; the acquired ones while `None`.
        #[serde(default)]
        plane: Option<Plane>,
    },

    // Layout and looks
    /// Arranges the viewports; empty ones are filled with the next planes or stacks.
    SetLayout(Layout),
    /// Makes a viewport the active one.
    Activate(usize),
    /// Links or unlinks the views.
    SetLinked(bool),
    /// Opens a tab of the right panel, or closes the panel.
    SetPanel(Option<PanelTab>),
    /// Shows the study list so.
    SetStudyList(StudyListMode),
    /// Corner text.
    SetText(TextLevel),
    /// Theme.
    SetTheme(ThemeChoice),

    // A viewport
    /// Chooses the planes.
    SetPlane {
        /// Viewport.
        slot: Option<usize>,
        /// Planes.
        plane: Plane,
    },
    /// Scrolls by planes.
    ScrollBy {
        /// Viewport.
        slot: Option<usize>,
        /// Planes; positive towards higher numbers.
        planes: i64,
    },
    /// Scrolls to a plane.
    ScrollTo {
        /// Viewport.
        slot: Option<usize>,
        /// Plane, 0-based.
        index: usize,
    },
    /// Sets the window.
    SetWindow {
        /// Viewport.
        slot: Option<usize>,
        /// Window.
        window: Window,
    },
    /// Takes preset `n` (0-based) of the list for this modality.
    Preset {
        /// Viewport.
        slot: Option<usize>,
        /// Preset.
        n: usize,
    },
    /// Window from the pixels of the plane shown (0.1 to 99.9 %).
    AutoWindow {
        /// Viewport.
        slot: Option<usize>,
    },
    /// Turns black and white.
    Invert {
        /// Viewport.
        slot: Option<usize>,
    },
    /// Sets magnification (1 fits) and shift.
    SetZoom {
        /// Viewport.
        slot: Option<usize>,
        /// Magnification on top of fitting.
        zoom: f64,
        /// Shift in mm of the plane (right, down).
        pan_mm: [f64; 2],
    },
    /// Fits the image.
    Fit {
        /// Viewport.
        slot: Option<usize>,
    },
    /// Window, zoom, shift and inversion as when opened.
    Reset {
        /// Viewport.
        slot: Option<usize>,
    },
    /// Puts the crosshair on a point; linked views scroll to it.
    PointAt {
        /// Viewport that the point was chosen in.
        slot: Option<usize>,
        /// The point.
        at: PatientPos,
    },

    // Tools and measurements
    /// Takes a tool into the hand.
    SetTool(Tool),
    /// Sets the brush.
    SetBrush(BrushSettings),
    /// Chooses what the brush takes from other segments.
    SetOverwrite(Overwrite),
    /// Adds a measurement on the plane that a viewport shows.
    AddAnnotation {
        /// Viewport.
        slot: Option<usize>,
        /// Kind.
        kind: AnnotationKind,
        /// Its points.
        points: Vec<PatientPos>,
    },
    /// Moves the points of a measurement.
    MoveAnnotation {
        /// Stack.
        stack: StackId,
        /// Measurement.
        id: AnnotationId,
        /// Its new points.
        points: Vec<PatientPos>,
    },
    /// Deletes a measurement.
    DeleteAnnotation {
        /// Stack.
        stack: StackId,
        /// Measurement.
        id: AnnotationId,
    },
    /// Scrolls a viewport to a measurement.
    GoToAnnotation {
        /// Stack.
        stack: StackId,
        /// Measurement.
        id: AnnotationId,
    },

    // Masks: of the stack in the active viewport unless a stack is named
    /// Adds an empty segment and makes it active.
    AddSegment {
        /// Name; numbered while `None`.
        name: Option<String>,
    },
    /// Makes a segment the one that tools change.
    SelectSegment(SegmentId),
    /// Names a segment.
    RenameSegment(SegmentId, String),
    /// Colours a segment.
    SetSegmentColour(SegmentId, Rgb),
    /// Shows or hides a segment.
    SetSegmentVisible(SegmentId, bool),
    /// Locks or unlocks a segment.
    SetSegmentLocked(SegmentId, bool),
    /// Deletes a segment (can be undone).
    DeleteSegment(SegmentId),
    /// Accepts a model's segment as the reader's finding.
    AcceptSegment(SegmentId),
    /// How masks are drawn.
    SetMaskStyle(MaskStyle),
    /// Begins a stroke with the brush or the eraser in the hand.
    StrokeBegin {
        /// Viewport.
        slot: Option<usize>,
        /// Where.
        at: PatientPos,
        /// Clears instead of painting.
        erase: bool,
    },
    /// Goes on with the stroke.
    StrokeTo {
        /// Where to.
        at: PatientPos,
    },
    /// Ends the stroke: one gesture to undo.
    StrokeEnd,
    /// Takes the stroke back that is being drawn, as if it had not begun.
    StrokeCancel,
    /// Takes the last gesture on the active stack back.
    Undo,
    /// Does it again.
    Redo,
    /// Saves the segments of a stack as DICOM SEG; read back before it counts as saved.
    SaveSeg(SaveTo<StackId>),
    /// Loads a DICOM SEG onto the series that it refers to.
    LoadSeg(PathBuf),

    // Models
    /// Runs a model on the stack of a viewport.
    RunModel {
        /// Viewport.
        slot: Option<usize>,
        /// The model's id.
        model: String,
        /// On all frames of the series, not only on the one shown.
        #[serde(default)]
        series: bool,
    },
    /// Takes a result away with all that came of it and nobody accepted.
    RemoveResult(ResultId),
    /// Decides on a box.
    DecideBox {
        /// Stack.
        stack: StackId,
        /// Its number there.
        id: u32,
        /// What becomes of it.
        state: MarkState,
    },
    /// Boxes with a lower score are not drawn and not listed, for this model.
    SetScoreFrom {
        /// The model's id.
        model: String,
        /// 0 to 1.
        score: f32,
    },
    /// What a viewport shows of an image that a model made.
    SetLayer {
        /// Viewport.
        slot: Option<usize>,
        /// The layer; the original while `None`.
        layer: Option<Layer>,
    },
    /// The original, the image that a model made, and their difference, side by side.
    CompareResult(ResultId),
    /// Looks at what a model's answer on the frame of a viewport rests on; where it has not answered there, it does first.
    Explain {
        /// Viewport.
        slot: Option<usize>,
        /// The model's id.
        model: String,
        /// How.
        by: ExplainBy,
        /// Number of the class in the card; the most probable one while `None`.
        #[serde(default)]
        class: Option<usize>,
    },
    /// Draws a map or not; one a frame is drawn.
    ShowHeat(HeatId, bool),
    /// How strongly a map is drawn, 0 to 0.4.
    SetHeatOpacity(HeatId, f32),
    /// Takes a map away.
    RemoveHeat(HeatId),
    /// Keeps the approved masks on the frame of a viewport for a model to learn from: pixels, mask and a salted hash of who it
    /// is, on this machine.
    UseForImproving {
        /// Viewport.
        slot: Option<usize>,
        /// The model's id.
        model: String,
    },
    /// Deletes what is kept for a model to learn from.
    ForgetCorrections(String),
    /// Lets a copy of a model learn from what is kept.
    Improve(String),
    /// Ends that with the best state so far, which is measured and offered.
    FinishImproving,
    /// Keeps the copy that is offered beside the old model, under an id of its own.
    KeepImproved,
    /// Gives the copy that is offered up.
    DiscardImproved,
    /// Opens a model's section in the AI tab.
    ChooseModel(String),
    /// Lists the models anew: something was added.
    ListModels,
    /// Stops a job.
    CancelJob(JobId),
    /// Stops the job that was started last and still runs (Escape).
    CancelLatest,

    // Report: that of the study in the active viewport, unless a study is named. Sentences have numbers that no other
    // report of the session uses, so a decision always meets the sentence that it was made on.
    /// Writes proposals from measurements, masks and the header into the report.
    DraftReport,
    /// Takes a proposed sentence.
    AcceptSentence(SentenceId),
    /// Refuses a sentence.
    RejectSentence(SentenceId),
    /// Rewrites a sentence.
    EditSentence(SentenceId, String),
    /// Adds a sentence of the reader's.
    InsertSentence {
        /// Section and place in it.
        section: usize,
        /// Place in the section.
        sentence: usize,
        /// Text.
        text: String,
        /// Study Instance UID; that of the active viewport while `None`.
        #[serde(default)]
        study: Option<String>,
    },
    /// Deletes a sentence.
    RemoveSentence(SentenceId),
    /// Saves the confirmed sentences of the report on a study (its Study Instance UID) as text.
    SaveReport(SaveTo<String>),
    /// Writes the report in a form.
    ExportReport {
        /// The form.
        form: Form,
        /// The file, and the study.
        to: SaveTo<String>,
    },
    /// Words as they stand in a field that is being typed in: they are checked, not taken. `None` when the field is left.
    Type {
        /// The field and its words.
        words: Option<(Anchor, String)>,
        /// Study Instance UID; that of the active viewport while `None`.
        #[serde(default)]
        study: Option<String>,
    },
    /// Asks what may follow the words of a field, which end at the cursor. `None` forgets what was asked and found.
    Complete {
        /// The field and its words.
        words: Option<(Anchor, String)>,
        /// Study Instance UID; that of the active viewport while `None`.
        #[serde(default)]
        study: Option<String>,
    },
    /// Shows words that may follow while typing, or does not.
    SetCompletes(bool),
    /// Forgets the phrases that were learnt from signed reports.
    ForgetPhrases,
    /// Looks for other words for a word.
    OtherWords(String),
    /// Proposes an impression from the findings, or a letter to the patient.
    Propose(OfferKind),
    /// Decides on a sentence that is proposed, by its place.
    DecideOffer {
        /// Of which proposal.
        kind: OfferKind,
        /// Place, 0-based.
        sentence: usize,
        /// What becomes of it.
        fate: Fate,
    },
    /// Takes a proposal off the page.
    CloseOffer(OfferKind),
    /// Writes the patient's letter, of the sentences that were taken.
    SaveLetter(SaveTo<String>),
    /// A language model of the user's own (GGUF) that writes proposals; `None` for none.
    SetChatModel(Option<PathBuf>),
    /// Keeps what a rule objects to, for a reason; an empty reason takes it back. Named by the rule and the words of the
    /// objection.
    Keep {
        /// `R01`.
        rule: String,
        /// What it says.
        message: String,
        /// Why it stays.
        reason: String,
    },
    /// Points at a sentence: its pixels are marked, and viewports that show its series scroll to them.
    Spotlight(Option<SentenceId>),
    /// The same, and the series comes to a viewport where it is not.
    GoToSentence(SentenceId),
    /// Shows the sentence about a thing on a stack.
    ShowSentenceOf {
        /// Stack.
        stack: StackId,
        /// The thing.
        thing: Thing,
    },
    /// Goes to the next objection or sentence that waits.
    NextOpen,
    /// Chooses a template, by its id; the report's sentences follow its order.
    SetTemplate(String),
    /// Reads a template of the form MRRT and keeps it.
    ImportTemplate(PathBuf),
    /// Writes the report's headings and sentences as a template of the form MRRT.
    ExportTemplate(SaveTo<String>),
    /// Puts what a guideline advises into the impression: by the short name of its source, and its finding.
    TakeAdvice {
        /// `Fleischner 2017`.
        source: String,
        /// The finding's id.
        #[serde(default)]
        finding: Option<String>,
    },
    /// The reader's name, for signatures.
    SetReader(String),
    /// Signs the report on the study in the active viewport.
    SignReport {
        /// What was corrected, for a version after the first.
        #[serde(default)]
        reason: Option<String>,
    },
    /// Begins to correct a signed report, or gives it up.
    Amend(bool),
    /// Opens a sheet over the window, or closes it.
    ShowSheet(Option<Sheet>),
    /// Turns to a page of the report's tab.
    SetReportPage(ReportPage),

    // Knowledge
    /// Asks the knowledge base.
    Ask {
        /// In words.
        question: String,
        /// For whom the answer is.
        #[serde(default)]
        audience: Option<Audience>,
    },
    /// A folder of the user's own to read too; `None` for none.
    SetKnowledgeFolder(Option<PathBuf>),
    /// Looks for drugs.
    FindDrug(String),
    /// Opens a drug by its name, or closes it.
    ChooseDrug(Option<String>),
    /// The patient's numbers, for the calculators.
    SetNumbers(Numbers),
    /// Reads recall notices.
    ImportRecalls(PathBuf),
    /// Reads drug rules of the place's own; they are kept and stand before the others.
    ImportDrugRules(PathBuf),

    // Recovery and the rest
    /// Brings the work of the last session back.
    Restore,
    /// Deletes the work of the last session.
    DiscardRecovery,
    /// Forgets a message.
    Dismiss(u64),
    /// Ends the program.
    Quit,
}

impl Command {
    /// Where [`Command::InsertSentence`] puts its text.
    #[must_use]
    pub fn place(section: usize, sentence: usize) -> Place {
        Place { section, sentence }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_may_name_a_file_alone_or_with_what_is_saved() {
        let script = r#"[{"save_seg": "a.dcm"}, {"save_seg": {"path": "a.dcm", "of": 3}}, {"save_report": "a.txt"},
            {"save_report": {"path": "a.txt"}}, {"save_report": {"path": "a.txt", "of": "1.2"}},
            {"insert_sentence": {"section": 1, "sentence": 0, "text": "Normal."}}]"#;
        let commands: Vec<Command> = serde_json::from_str(script).expect("a script");
        let seg = |of| Command::SaveSeg(SaveTo { path: "a.dcm".into(), of });
        let text = |of| Command::SaveReport(SaveTo { path: "a.txt".into(), of });
        let sentence = Command::InsertSentence { section: 1, sentence: 0, text: "Normal.".into(), study: None };
        let expected = [seg(None), seg(Some(StackId(3))), text(None), text(None), text(Some("1.2".into())), sentence];
        assert_eq!(commands, expected);
        let written = serde_json::to_string(&commands).expect("written");
        assert_eq!(serde_json::from_str::<Vec<Command>>(&written).expect("read"), commands);
    }
}

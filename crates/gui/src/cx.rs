//! What panels and views are given, and what they give back.
//!
//! They read [`Cx`] and push wishes into [`Out`]; nothing else. So the order in which they are drawn cannot matter, and
//! a test draws one without the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use egui::TextureId;
use lightbox_core::{PatientPos, Plane};
use lightbox_session::export::Form;
use lightbox_session::workspace::StudyListMode;
use lightbox_session::{AnnotationId, Command, Session, StackId};

use crate::theme::Tokens;

/// Everything that a panel may read.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    /// The state.
    pub session: &'a Session,
    /// Colours of the theme.
    pub tokens: &'a Tokens,
    /// The window's own state that several parts read.
    pub ui: &'a UiState,
    /// Thumbnails that are ready, with their sizes in pixels.
    pub thumbnails: &'a BTreeMap<StackId, (TextureId, [usize; 2])>,
    /// How much room there is.
    pub room: Room,
    /// What models run on: `CPU, 2 cores`.
    pub device: &'a str,
    /// Memory of this program, and of the machine; 0 where the system does not tell.
    pub memory_bytes: [u64; 2],
    /// Wall clock, `HH:MM`.
    pub clock: &'a str,
}

/// What follows from the width of the window.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Room {
    /// Width of the window in points.
    pub width_pt: f32,
    /// How the study list is really shown: an open right panel may shrink it below the reader's wish.
    pub studies: StudyListMode,
    /// The find field of the top bar is an icon (under 1360).
    pub find_is_icon: bool,
    /// Seldom used options of the active tool leave the top bar (under 1360).
    pub few_options: bool,
}

/// State of the window that is no part of the session: gone with the window, and nobody's work.
#[derive(Debug, Clone, Default)]
pub struct UiState {
    /// What lies under the pointer.
    pub hover: Option<Hover>,
    /// The measurement whose handles are shown.
    pub selected: Option<(StackId, AnnotationId)>,
    /// One sentence of the window's own, for the status bar, until the next press: why the hand did nothing.
    pub notice: Option<String>,
    /// Files are held over the window and would be opened.
    pub dropping: bool,
    /// Everything on the image is hidden while `H` is down.
    pub bare: bool,
    /// Masks are hidden by `G`.
    pub masks_hidden: bool,
    /// The box that was picked last.
    pub chosen_box: Option<(StackId, u32)>,
    /// The line of the header that a check pointed at, until the next press.
    pub tag: Option<Arc<str>>,
}

/// What lies under the pointer.
#[derive(Debug, Clone, PartialEq)]
pub struct Hover {
    /// The viewport.
    pub slot: usize,
    /// Its stack.
    pub stack: StackId,
    /// Its plane.
    pub plane: Plane,
    /// The point.
    pub at: PatientPos,
    /// Value with its unit, `−712 HU`; empty outside the image or while it is not loaded.
    pub value: String,
    /// Position in mm by letters, `L 84.2  P 31.0  H 142.5`, or `x 118.4  y 246.0 mm at the detector` where the image is
    /// not placed in the patient, or in px without a calibration.
    pub position: String,
    /// `voxel 141, 262, 87`, or `pixel 141, 262` on a single image, 0-based; empty outside.
    pub voxel: String,
    /// Segments at that voxel, topmost first.
    pub segments: Vec<String>,
}

/// What a panel wishes for.
#[derive(Debug, Default)]
pub struct Out {
    /// For the session.
    pub commands: Vec<Command>,
    /// For the window.
    pub requests: Vec<Request>,
}

impl Out {
    /// A wish for the session.
    pub fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    /// A file dialog.
    pub fn dialog(&mut self, dialog: DialogRequest) {
        self.requests.push(Request::Dialog(dialog));
    }

    /// Something of the window's own.
    pub fn request(&mut self, request: Request) {
        self.requests.push(request);
    }
}

/// A wish that the session does not know.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// A file dialog.
    Dialog(DialogRequest),
    /// The list of everything that can be found (Ctrl+K).
    Palette,
    /// The list of keys (F1).
    Keys,
    /// Shows handles on a measurement, or on none.
    Select(Option<(StackId, AnnotationId)>),
    /// The action of the table in `shortcuts`, as if its key were pressed.
    Action(crate::shortcuts::Action),
    /// Says a sentence in the status bar, until the next press of a button.
    Notice(String),
    /// Forgets that sentence.
    DismissNotice,
    /// Marks a box, or none.
    ChooseBox(Option<(StackId, u32)>),
    /// Marks a line of the header in the Info tab.
    PointAtTag(Arc<str>),
}

/// A file dialog. Its answer becomes the matching command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogRequest {
    /// A folder to open.
    OpenFolder,
    /// Files to open.
    OpenFiles,
    /// Where to save the segments of this stack. It is named when the dialog opens: another may be active when it answers.
    SaveSeg(StackId),
    /// A DICOM SEG to load.
    LoadSeg,
    /// Where to save the report on this study (its Study Instance UID).
    SaveReport(String),
    /// Where to write it in a form.
    ExportReport(String, Form),
    /// A template of the form MRRT to read.
    ImportTemplate,
    /// Where to write the report on this study as a template.
    ExportTemplate(String),
    /// Recall notices to read.
    ImportRecalls,
    /// Drug rules to read.
    ImportDrugRules,
    /// A folder for the knowledge base.
    KnowledgeFolder,
    /// A language model (GGUF) for proposals.
    ChatModel,
    /// Where to save the letter to the patient of this study.
    SaveLetter(String),
}

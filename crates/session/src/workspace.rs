//! What is on the screen and in the hand: layout, viewports, tool. Plain data, saved and restored.

use std::collections::BTreeMap;
use std::path::PathBuf;

use lightbox_core::{PatientPos, Plane, Window};
use serde::{Deserialize, Serialize};

use crate::ids::StackId;
use crate::results::ResultId;

/// How the viewports are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Layout {
    /// One viewport.
    #[default]
    One,
    /// Two side by side.
    OneByTwo,
    /// Three side by side.
    OneByThree,
    /// Four.
    TwoByTwo,
}

impl Layout {
    /// All, in menu order.
    pub const ALL: [Self; 4] = [Self::One, Self::OneByTwo, Self::OneByThree, Self::TwoByTwo];

    /// Columns and rows.
    #[must_use]
    pub fn grid(self) -> (usize, usize) {
        match self {
            Self::One => (1, 1),
            Self::OneByTwo => (2, 1),
            Self::OneByThree => (3, 1),
            Self::TwoByTwo => (2, 2),
        }
    }

    /// Number of viewports.
    #[must_use]
    pub fn slots(self) -> usize {
        let (c, r) = self.grid();
        c * r
    }

    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::One => "1 × 1",
            Self::OneByTwo => "1 × 2",
            Self::OneByThree => "1 × 3",
            Self::TwoByTwo => "2 × 2",
        }
    }
}

/// How an image that a model made is shown over the original.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct Layer {
    /// The result that it is from.
    pub result: ResultId,
    /// How.
    pub show: LayerShow,
}

/// How an image that a model made is shown.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerShow {
    /// This part of it, 0 to 1, over the original.
    Blend(f32),
    /// Original minus restored.
    Residual,
}

/// Pages of the report's tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum ReportPage {
    /// The sentences.
    #[default]
    Write,
    /// The knowledge base.
    Ask,
    /// Drugs and contrast agents.
    Drugs,
}

impl ReportPage {
    /// All, left to right.
    pub const ALL: [Self; 3] = [Self::Write, Self::Ask, Self::Drugs];

    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Write => "Report",
            Self::Ask => "Ask",
            Self::Drugs => "Drugs",
        }
    }
}

/// A sheet over the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sheet {
    /// Differences to the draft, reasons, name: before a signature.
    Sign,
    /// Differences to the draft alone.
    Differences,
    /// The signed versions.
    Versions,
}

/// What one viewport shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ViewState {
    /// The stack, `None` for an empty viewport.
    pub stack: Option<StackId>,
    /// The planes shown.
    pub plane: Plane,
    /// Plane within the stack, 0-based.
    pub index: usize,
    /// The reader's window; the stack's default while `None`.
    pub window: Option<Window>,
    /// Turned by the reader (on top of MONOCHROME1).
    pub inverted: bool,
    /// Magnification on top of fitting the image into the viewport; 1 fits.
    pub zoom: f64,
    /// Shift of the image's middle from the viewport's, in millimetres of the plane (right, down).
    pub pan_mm: [f64; 2],
    /// An image that a model made, over the original.
    pub layer: Option<Layer>,
}

/// The tool in the hand: what the left button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Tool {
    /// Drag changes width (across) and level (down).
    #[default]
    Window,
    /// Drag moves the image.
    Pan,
    /// Drag zooms.
    Zoom,
    /// Drag scrolls.
    Scroll,
    /// Click and drag place the linked crosshair.
    Crosshair,
    /// Two points.
    Length,
    /// Three points.
    Angle,
    /// A box that an ellipse fills.
    Ellipse,
    /// Paints the active segment.
    Brush,
    /// Clears the active segment.
    Eraser,
}

impl Tool {
    /// All, in the order of the strip.
    pub const ALL: [Self; 10] = [
        Self::Window,
        Self::Pan,
        Self::Zoom,
        Self::Scroll,
        Self::Crosshair,
        Self::Length,
        Self::Angle,
        Self::Ellipse,
        Self::Brush,
        Self::Eraser,
    ];

    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Window => "Window",
            Self::Pan => "Pan",
            Self::Zoom => "Zoom",
            Self::Scroll => "Scroll",
            Self::Crosshair => "Crosshair",
            Self::Length => "Length",
            Self::Angle => "Angle",
            Self::Ellipse => "Ellipse",
            Self::Brush => "Brush",
            Self::Eraser => "Eraser",
        }
    }
}

/// Tabs of the right panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PanelTab {
    /// Models and their results.
    Ai,
    /// Segments.
    Masks,
    /// Measurements.
    Measure,
    /// The report.
    Report,
    /// The header and the warnings.
    Info,
}

impl PanelTab {
    /// All, left to right.
    pub const ALL: [Self; 5] = [Self::Ai, Self::Masks, Self::Measure, Self::Report, Self::Info];

    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ai => "AI",
            Self::Masks => "Masks",
            Self::Measure => "Measure",
            Self::Report => "Report",
            Self::Info => "Info",
        }
    }
}

/// How the study list is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum StudyListMode {
    /// Rows with thumbnails and words.
    #[default]
    Full,
    /// A strip of thumbnails.
    Strip,
    /// Not at all.
    Hidden,
}

/// How much corner text is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum TextLevel {
    /// Everything.
    #[default]
    All,
    /// Without the patient.
    Some,
    /// Letters and scale bar only.
    None,
}

/// Colours of the furniture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum ThemeChoice {
    /// For reading rooms.
    #[default]
    Dark,
    /// For bright rooms.
    Light,
}

/// The brush.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BrushSettings {
    /// Radius in mm (pixels where the image is not calibrated).
    pub radius_mm: f64,
    /// A ball instead of a disc.
    pub ball: bool,
}

/// Which segments lose the voxels that the brush paints. Locked ones never do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Overwrite {
    /// All that are not locked.
    #[default]
    Unlocked,
    /// Those of them that are shown.
    Visible,
    /// None: segments may overlap.
    Nothing,
}

impl Overwrite {
    /// All, in menu order.
    pub const ALL: [Self; 3] = [Self::Unlocked, Self::Visible, Self::Nothing];

    /// Name as shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unlocked => "Unlocked",
            Self::Visible => "Visible",
            Self::Nothing => "Nothing",
        }
    }

    /// Whether a segment that is not locked loses voxels.
    #[must_use]
    pub fn takes_from(self, segment: &lightbox_core::Segment) -> bool {
        match self {
            Self::Unlocked => true,
            Self::Visible => segment.visible,
            Self::Nothing => false,
        }
    }
}

/// How masks are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MaskStyle {
    /// Opacity of the fill, 0 to 1; `None` takes the design's 0.13 on projections and 0.26 on slices.
    pub fill: Option<f32>,
    /// Whether the contour is drawn.
    pub outline: bool,
    /// Everything hidden for a look at the bare image.
    pub hidden: bool,
}

/// What is on the screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Workspace {
    /// Arrangement.
    pub layout: Layout,
    /// Four viewports; those beyond the layout keep their state.
    pub views: Vec<ViewState>,
    /// The viewport that keys and tools go to.
    pub active: usize,
    /// The place that the first viewport's image has in a larger layout, when it was brought forward for a smaller one.
    pub came_from: Option<usize>,
    /// Scrolling and pointing carry over to views of the same frame of reference.
    pub linked: bool,
    /// The crosshair and the frame of reference it lies in.
    pub crosshair: Option<(String, PatientPos)>,
    /// Tool of the left button.
    pub tool: Tool,
    /// Brush and eraser.
    pub brush: BrushSettings,
    /// What the brush takes from other segments.
    pub overwrite: Overwrite,
    /// Masks.
    pub masks: MaskStyle,
    /// Open tab of the right panel; `None` shows the rail.
    pub panel: Option<PanelTab>,
    /// Study list.
    pub study_list: StudyListMode,
    /// Corner text.
    pub text: TextLevel,
    /// Theme.
    pub theme: ThemeChoice,
    /// What was opened last, the newest first.
    pub recent: Vec<PathBuf>,
    /// Page of the report's tab.
    pub report_page: ReportPage,
    /// The sheet over the window.
    pub sheet: Option<Sheet>,
    /// Who signs.
    pub reader: String,
    /// A folder with texts of the user's own, for the knowledge base.
    pub knowledge: Option<PathBuf>,
    /// Words that may follow are shown while a sentence is typed.
    pub completes: bool,
    /// A language model of the user's own (GGUF) that writes proposals.
    pub chat_model: Option<PathBuf>,
    /// The model whose section is open in the AI tab; the one that ran last while `None`.
    pub chosen_model: Option<String>,
    /// By model: boxes with a lower score are not shown.
    pub score_from: BTreeMap<String, f32>,
}

/// How much of what was opened is remembered.
const RECENT: usize = 8;

impl Default for Workspace {
    fn default() -> Self {
        Self {
            layout: Layout::default(),
            views: vec![ViewState { zoom: 1.0, ..ViewState::default() }; 4],
            active: 0,
            came_from: None,
            linked: true,
            crosshair: None,
            tool: Tool::default(),
            brush: BrushSettings { radius_mm: 4.0, ball: false },
            overwrite: Overwrite::default(),
            masks: MaskStyle { fill: None, outline: true, hidden: false },
            panel: None,
            study_list: StudyListMode::default(),
            text: TextLevel::default(),
            theme: ThemeChoice::default(),
            recent: Vec::new(),
            report_page: ReportPage::default(),
            sheet: None,
            reader: String::new(),
            knowledge: None,
            completes: true,
            chat_model: None,
            chosen_model: None,
            score_from: BTreeMap::new(),
        }
    }
}

impl Workspace {
    /// Remembers what was opened.
    pub fn opened(&mut self, path: PathBuf) {
        self.recent.retain(|p| *p != path);
        self.recent.insert(0, path);
        self.recent.truncate(RECENT);
    }

    /// The active viewport.
    #[must_use]
    pub fn active_view(&self) -> &ViewState {
        &self.views[self.active.min(self.views.len() - 1)]
    }
}

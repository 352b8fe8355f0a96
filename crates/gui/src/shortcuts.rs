//! Every action with its words and its key: one table for keys, palette and the list of keys.

use egui::{Key, KeyboardShortcut, Modifiers};
use lightbox_core::Plane;
use lightbox_session::export::Form;
use lightbox_session::proposals::OfferKind;
use lightbox_session::workspace::{
    BrushSettings, Layout, PanelTab, ReportPage, Sheet, StudyListMode, TextLevel, ThemeChoice, Tool,
};
use lightbox_session::{Command, Session};

use crate::cx::{DialogRequest, Request};

/// Something that a key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Opens a folder.
    OpenFolder,
    /// Opens files.
    OpenFiles,
    /// Opens the built-in study.
    Demo,
    /// Saves the segments.
    SaveSeg,
    /// Loads segments.
    LoadSeg,
    /// Saves the report.
    SaveReport,
    /// Takes a tool.
    Tool(Tool),
    /// A preset, from 0.
    Preset(usize),
    /// Window from the pixels.
    AutoWindow,
    /// Turns black and white.
    Invert,
    /// Fits the image.
    Fit,
    /// Enlarges.
    ZoomIn,
    /// Shrinks.
    ZoomOut,
    /// As opened.
    Reset,
    /// Scrolls by planes.
    Scroll(i64),
    /// First plane.
    First,
    /// Last plane.
    Last,
    /// Next viewport.
    NextView,
    /// Planes of the series in the active viewport.
    Plane(Plane),
    /// A layout.
    Layout(Layout),
    /// Links the views.
    Link,
    /// A larger brush.
    BrushUp,
    /// A smaller brush.
    BrushDown,
    /// Undo.
    Undo,
    /// Redo.
    Redo,
    /// Masks on and off.
    Masks,
    /// Corner text: all, some, none.
    Text,
    /// Dark or light.
    Theme,
    /// Study list: rows, strip, hidden.
    Studies,
    /// Right panel.
    Panel,
    /// A tab of it.
    Tab(PanelTab),
    /// A draft of the report.
    Draft,
    /// The next objection or sentence that waits.
    NextOpen,
    /// The sheet before a signature.
    Sign,
    /// Differences to the draft.
    Differences,
    /// A proposal for the report.
    Propose(OfferKind),
    /// A page of the report's tab.
    Page(ReportPage),
    /// A form that the report goes out in.
    Export(Form),
    /// The palette.
    Palette,
    /// The list of keys.
    Keys,
    /// Ends the program.
    Quit,
}

/// A line of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// What.
    pub action: Action,
    /// Its words.
    pub text: &'static str,
    /// Its key.
    pub key: Option<KeyboardShortcut>,
    /// The key in words.
    pub key_text: &'static str,
}

const fn e(action: Action, text: &'static str, m: Modifiers, key: Key, key_text: &'static str) -> Entry {
    Entry { action, text, key: Some(KeyboardShortcut::new(m, key)), key_text }
}

const fn free(action: Action, text: &'static str) -> Entry {
    Entry { action, text, key: None, key_text: "" }
}

const NONE: Modifiers = Modifiers::NONE;
const CTRL: Modifiers = Modifiers::COMMAND;
const SHIFT: Modifiers = Modifiers::SHIFT;
const ALT: Modifiers = Modifiers::ALT;

/// All actions. Keys with more modifiers stand before those with fewer, since the first match wins.
pub const TABLE: &[Entry] = &[
    e(Action::OpenFiles, "Open files", CTRL.plus(SHIFT), Key::O, "Ctrl+Shift+O"),
    e(Action::OpenFolder, "Open folder", CTRL, Key::O, "Ctrl+O"),
    free(Action::Demo, "Open the demo"),
    e(Action::SaveSeg, "Save SEG", CTRL, Key::S, "Ctrl+S"),
    free(Action::LoadSeg, "Load SEG"),
    free(Action::SaveReport, "Save the report as text"),
    e(Action::Redo, "Redo", CTRL.plus(SHIFT), Key::Z, "Ctrl+Shift+Z"),
    e(Action::Redo, "Redo", CTRL, Key::Y, "Ctrl+Y"),
    e(Action::Undo, "Undo", CTRL, Key::Z, "Ctrl+Z"),
    e(Action::Palette, "Find anything", CTRL, Key::K, "Ctrl+K"),
    e(Action::Quit, "Quit", CTRL, Key::Q, "Ctrl+Q"),
    e(Action::Tool(Tool::Brush), "Brush", SHIFT, Key::B, "Shift+B"),
    e(Action::Tool(Tool::Eraser), "Eraser", SHIFT, Key::E, "Shift+E"),
    e(Action::Tool(Tool::Window), "Window", NONE, Key::W, "W"),
    free(Action::Tool(Tool::Pan), "Pan"),
    free(Action::Tool(Tool::Zoom), "Zoom"),
    free(Action::Tool(Tool::Scroll), "Scroll"),
    e(Action::Tool(Tool::Crosshair), "Crosshair", NONE, Key::X, "X"),
    e(Action::Tool(Tool::Length), "Length", NONE, Key::D, "D"),
    e(Action::Tool(Tool::Angle), "Angle", NONE, Key::A, "A"),
    e(Action::Tool(Tool::Ellipse), "Ellipse", NONE, Key::E, "E"),
    e(Action::BrushDown, "Smaller brush", NONE, Key::OpenBracket, "["),
    e(Action::BrushUp, "Larger brush", NONE, Key::CloseBracket, "]"),
    e(Action::Tab(PanelTab::Ai), "AI panel", ALT, Key::Num1, "Alt+1"),
    e(Action::Tab(PanelTab::Masks), "Masks panel", ALT, Key::Num2, "Alt+2"),
    e(Action::Tab(PanelTab::Measure), "Measure panel", ALT, Key::Num3, "Alt+3"),
    e(Action::Tab(PanelTab::Report), "Report panel", ALT, Key::Num4, "Alt+4"),
    e(Action::Tab(PanelTab::Info), "Info panel", ALT, Key::Num5, "Alt+5"),
    e(Action::AutoWindow, "Window from the image", NONE, Key::Num0, "0"),
    e(Action::Preset(0), "Window preset 1", NONE, Key::Num1, "1"),
    e(Action::Preset(1), "Window preset 2", NONE, Key::Num2, "2"),
    e(Action::Preset(2), "Window preset 3", NONE, Key::Num3, "3"),
    e(Action::Preset(3), "Window preset 4", NONE, Key::Num4, "4"),
    e(Action::Preset(4), "Window preset 5", NONE, Key::Num5, "5"),
    e(Action::Preset(5), "Window preset 6", NONE, Key::Num6, "6"),
    e(Action::Preset(6), "Window preset 7", NONE, Key::Num7, "7"),
    e(Action::Preset(7), "Window preset 8", NONE, Key::Num8, "8"),
    e(Action::Preset(8), "Window preset 9", NONE, Key::Num9, "9"),
    e(Action::Invert, "Invert", SHIFT, Key::I, "Shift+I"),
    e(Action::Text, "Corner text", NONE, Key::I, "I"),
    e(Action::Fit, "Fit", NONE, Key::Equals, "="),
    e(Action::ZoomIn, "Zoom in", NONE, Key::Plus, "+"),
    e(Action::ZoomOut, "Zoom out", NONE, Key::Minus, "−"),
    e(Action::Reset, "Reset the view", NONE, Key::R, "R"),
    e(Action::Scroll(-10), "Ten images back", CTRL, Key::ArrowUp, "Ctrl+↑"),
    e(Action::Scroll(10), "Ten images on", CTRL, Key::ArrowDown, "Ctrl+↓"),
    e(Action::Scroll(-1), "Previous image", NONE, Key::ArrowUp, "↑"),
    e(Action::Scroll(1), "Next image", NONE, Key::ArrowDown, "↓"),
    e(Action::Scroll(-10), "Ten images back", NONE, Key::PageUp, "PgUp"),
    e(Action::Scroll(10), "Ten images on", NONE, Key::PageDown, "PgDn"),
    e(Action::First, "First image", NONE, Key::Home, "Home"),
    e(Action::Last, "Last image", NONE, Key::End, "End"),
    e(Action::Link, "Link the views", NONE, Key::L, "L"),
    e(Action::Masks, "Show or hide masks", NONE, Key::G, "G"),
    free(Action::Plane(Plane::Axial), "Axial planes"),
    free(Action::Plane(Plane::Coronal), "Coronal planes"),
    free(Action::Plane(Plane::Sagittal), "Sagittal planes"),
    free(Action::NextView, "Next viewport"),
    free(Action::Layout(Layout::One), "Layout 1 × 1"),
    free(Action::Layout(Layout::OneByTwo), "Layout 1 × 2"),
    free(Action::Layout(Layout::OneByThree), "Layout 1 × 3"),
    free(Action::Layout(Layout::TwoByTwo), "Layout 2 × 2"),
    e(Action::Keys, "Keys", NONE, Key::F1, "F1"),
    e(Action::Studies, "Study list", NONE, Key::F3, "F3"),
    e(Action::Panel, "Right panel", NONE, Key::F4, "F4"),
    free(Action::Theme, "Dark or light"),
    free(Action::Draft, "Draft the report from the image"),
    e(Action::NextOpen, "Next open check of the report", NONE, Key::F8, "F8"),
    free(Action::Sign, "Sign the report"),
    free(Action::Differences, "Differences to the draft"),
    free(Action::Propose(OfferKind::Impression), "Propose an impression"),
    free(Action::Propose(OfferKind::Letter), "Write a patient letter"),
    free(Action::Page(ReportPage::Write), "Write the report"),
    free(Action::Page(ReportPage::Ask), "Ask the knowledge base"),
    free(Action::Page(ReportPage::Drugs), "Drugs and contrast agents"),
    free(Action::Export(Form::Html), "Export the report as HTML"),
    free(Action::Export(Form::Pdf), "Export the report as PDF"),
    free(Action::Export(Form::Sr), "Export the report as DICOM SR"),
    free(Action::Export(Form::SrMeasurements), "Export the measurements as DICOM SR"),
    free(Action::Export(Form::EncapsulatedPdf), "Export the report as DICOM encapsulated PDF"),
    free(Action::Export(Form::Fhir), "Export the report as FHIR"),
];

/// The words of a line as they are now: the windows on the keys 1 to 9 have the names of those of the image shown, and a
/// key without one is not listed. Without an image they are numbered.
#[must_use]
pub fn text_of(entry: &Entry, s: &Session) -> Option<String> {
    let Action::Preset(n) = entry.action else { return Some(entry.text.to_owned()) };
    let Some(open) = s.active_stack().and_then(|id| s.library.stack(id)) else { return Some(entry.text.to_owned()) };
    lightbox_session::presets(open).get(n).map(|(name, _)| format!("Window: {name}"))
}

/// What an action means now: commands for the session, requests for the window.
#[must_use]
pub fn carry_out(action: Action, s: &Session) -> (Vec<Command>, Vec<Request>) {
    let w = &s.workspace;
    let view = w.active_view();
    let slot = None;
    let command = |c: Command| (vec![c], Vec::new());
    let dialog = |d: DialogRequest| (Vec::new(), vec![Request::Dialog(d)]);
    let zoom = |f: f64| Command::SetZoom { slot, zoom: view.zoom * f, pan_mm: view.pan_mm };
    let brush = |f: f64| Command::SetBrush(BrushSettings { radius_mm: w.brush.radius_mm * f, ..w.brush });
    match action {
        Action::OpenFolder => dialog(DialogRequest::OpenFolder),
        Action::OpenFiles => dialog(DialogRequest::OpenFiles),
        Action::SaveSeg => s.active_stack().map(|id| dialog(DialogRequest::SaveSeg(id))).unwrap_or_default(),
        Action::LoadSeg => dialog(DialogRequest::LoadSeg),
        Action::SaveReport => {
            s.report_study().map(|uid| dialog(DialogRequest::SaveReport(uid.to_owned()))).unwrap_or_default()
        }
        Action::Palette => (Vec::new(), vec![Request::Palette]),
        Action::Keys => (Vec::new(), vec![Request::Keys]),
        Action::Demo => command(Command::OpenDemo),
        Action::Tool(tool) => command(Command::SetTool(tool)),
        Action::Preset(n) => command(Command::Preset { slot, n }),
        Action::AutoWindow => command(Command::AutoWindow { slot }),
        Action::Invert => command(Command::Invert { slot }),
        Action::Fit => command(Command::Fit { slot }),
        Action::ZoomIn => command(zoom(1.25)),
        Action::ZoomOut => command(zoom(0.8)),
        Action::Reset => command(Command::Reset { slot }),
        Action::Scroll(planes) => command(Command::ScrollBy { slot, planes }),
        Action::First => command(Command::ScrollTo { slot, index: 0 }),
        Action::Last => command(Command::ScrollTo { slot, index: usize::MAX }),
        Action::NextView => command(Command::Activate((w.active + 1) % w.layout.slots())),
        Action::Layout(layout) => command(Command::SetLayout(layout)),
        Action::Plane(plane) => command(Command::SetPlane { slot, plane }),
        Action::Link => command(Command::SetLinked(!w.linked)),
        Action::BrushUp => command(brush(1.25)),
        Action::BrushDown => command(brush(0.8)),
        Action::Undo => command(Command::Undo),
        Action::Redo => command(Command::Redo),
        Action::Masks => {
            let mut masks = w.masks;
            masks.hidden = !masks.hidden;
            command(Command::SetMaskStyle(masks))
        }
        Action::Text => command(Command::SetText(match w.text {
            TextLevel::All => TextLevel::Some,
            TextLevel::Some => TextLevel::None,
            TextLevel::None => TextLevel::All,
        })),
        Action::Theme => command(Command::SetTheme(match w.theme {
            ThemeChoice::Dark => ThemeChoice::Light,
            ThemeChoice::Light => ThemeChoice::Dark,
        })),
        Action::Studies => command(Command::SetStudyList(match w.study_list {
            StudyListMode::Full => StudyListMode::Strip,
            StudyListMode::Strip => StudyListMode::Hidden,
            StudyListMode::Hidden => StudyListMode::Full,
        })),
        Action::Panel => command(Command::SetPanel(if w.panel.is_some() { None } else { Some(PanelTab::Ai) })),
        Action::Tab(tab) => command(Command::SetPanel(if w.panel == Some(tab) { None } else { Some(tab) })),
        Action::Draft => command(Command::DraftReport),
        Action::NextOpen => command(Command::NextOpen),
        Action::Sign => command(Command::ShowSheet(Some(Sheet::Sign))),
        Action::Differences => command(Command::ShowSheet(Some(Sheet::Differences))),
        Action::Propose(kind) => command(Command::Propose(kind)),
        Action::Page(page) => command(Command::SetReportPage(page)),
        Action::Export(form) => {
            s.report_study().map(|uid| dialog(DialogRequest::ExportReport(uid.to_owned(), form))).unwrap_or_default()
        }
        Action::Quit => command(Command::Quit),
    }
}

/// Why an action does nothing now; `None` when it does.
#[must_use]
pub fn objection(action: Action, s: &Session) -> Option<&'static str> {
    let nothing = s.active_stack().is_none();
    match action {
        Action::OpenFolder
        | Action::OpenFiles
        | Action::Demo
        | Action::Palette
        | Action::Keys
        | Action::Quit
        | Action::Theme
        | Action::Studies
        | Action::Panel
        | Action::Tab(_)
        | Action::Text
        | Action::Link
        | Action::Layout(_)
        | Action::Page(_)
        | Action::Tool(_)
        | Action::NextView => None,
        Action::Undo if !s.active_document().is_some_and(|d| d.history.can_undo()) => Some("nothing to undo"),
        Action::Redo if !s.active_document().is_some_and(|d| d.history.can_redo()) => Some("nothing to redo"),
        Action::SaveSeg if s.active_document().is_none_or(|d| d.segments.is_empty()) => Some("no segments"),
        _ if nothing => Some("needs an open image"),
        Action::Sign | Action::Differences | Action::Export(_) | Action::SaveReport
            if !s.report().document.sentences().any(|x| x.is_confirmed()) =>
        {
            Some("no sentence is confirmed")
        }
        Action::Sign if s.report().is_read_only() => Some("it is signed"),
        Action::NextOpen if s.report().document.sentences().next().is_none() => Some("nothing is written"),
        Action::Plane(plane) => {
            let open = s.active_stack().and_then(|id| s.library.stack(id));
            open.is_some_and(|o| !o.planes().contains(&plane)).then_some("needs a volume")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_taken_twice() {
        for (i, a) in TABLE.iter().enumerate() {
            for b in &TABLE[i + 1..] {
                assert!(a.key.is_none() || a.key != b.key, "{} and {}", a.text, b.text);
            }
        }
    }

    #[test]
    fn tools_have_the_keys_that_their_tooltips_say() {
        for tool in Tool::ALL {
            let entry = TABLE.iter().find(|e| e.action == Action::Tool(tool)).expect("every tool is an action");
            assert_eq!(entry.key_text, crate::panels::tool_options::key(tool));
        }
    }
}

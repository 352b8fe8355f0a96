//! What of the workspace comes back at the next start.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::workspace::{
    BrushSettings, Layout, MaskStyle, Overwrite, PanelTab, StudyListMode, TextLevel, ThemeChoice, Tool, Workspace,
};

/// The kept part, versioned: what a newer version does not know is left at its default.
#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Settings {
    version: u32,
    layout: Layout,
    linked: bool,
    tool: Tool,
    brush: BrushSettings,
    overwrite: Overwrite,
    masks: MaskStyle,
    panel: Option<PanelTab>,
    study_list: StudyListMode,
    text: TextLevel,
    theme: ThemeChoice,
    recent: Vec<PathBuf>,
    reader: String,
    knowledge: Option<PathBuf>,
    completes: bool,
    chat_model: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::of(&Workspace::default())
    }
}

impl Settings {
    fn of(w: &Workspace) -> Self {
        Self {
            version: 1,
            layout: w.layout,
            linked: w.linked,
            tool: w.tool,
            brush: w.brush,
            overwrite: w.overwrite,
            masks: MaskStyle { hidden: false, ..w.masks },
            panel: w.panel,
            study_list: w.study_list,
            text: w.text,
            theme: w.theme,
            recent: w.recent.clone(),
            reader: w.reader.clone(),
            knowledge: w.knowledge.clone(),
            completes: w.completes,
            chat_model: w.chat_model.clone(),
        }
    }
}

/// As text for the settings file.
#[must_use]
pub fn to_text(workspace: &Workspace) -> String {
    serde_json::to_string_pretty(&Settings::of(workspace)).unwrap_or_default()
}

/// Puts settings from a file into a workspace; a broken file changes nothing.
pub fn restore(workspace: &mut Workspace, text: &str) {
    if let Ok(s) = serde_json::from_str::<Settings>(text) {
        workspace.layout = s.layout;
        workspace.linked = s.linked;
        workspace.tool = s.tool;
        workspace.brush = s.brush;
        workspace.overwrite = s.overwrite;
        workspace.masks = s.masks;
        workspace.panel = s.panel;
        workspace.study_list = s.study_list;
        workspace.text = s.text;
        workspace.theme = s.theme;
        workspace.recent = s.recent;
        workspace.reader = s.reader;
        workspace.knowledge = s.knowledge;
        workspace.completes = s.completes;
        workspace.chat_model = s.chat_model;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_and_a_broken_file_changes_nothing() {
        let mut w = Workspace { layout: Layout::TwoByTwo, theme: ThemeChoice::Light, ..Workspace::default() };
        let text = to_text(&w);
        let mut back = Workspace::default();
        restore(&mut back, &text);
        assert_eq!((back.layout, back.theme), (w.layout, w.theme));
        restore(&mut w, "{ not json");
        assert_eq!(w.layout, Layout::TwoByTwo);
        restore(&mut back, r#"{"layout":"One","unknown":3}"#);
        assert_eq!(back.layout, Layout::One);
    }
}

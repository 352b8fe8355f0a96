//! open, demo, screenshot.

use std::path::{Path, PathBuf};

use lightbox_gui::{ScreenshotOptions, WindowOptions};

use crate::output;

pub(super) fn open(paths: Vec<PathBuf>) -> Result<(), String> {
    if !has_display() {
        return Err(
            "There is no display here. `lightbox screenshot PATH --out FILE.png` draws the window into a picture."
                .into(),
        );
    }
    lightbox_gui::run(WindowOptions { paths, demo: false })
}

pub(super) fn demo(screenshot: Option<PathBuf>, size: [u32; 2]) -> Result<(), String> {
    if screenshot.is_none() && has_display() {
        return lightbox_gui::run(WindowOptions { paths: Vec::new(), demo: true });
    }
    let out = match screenshot {
        Some(out) => out,
        None => {
            output::note("There is no display here; the window is drawn into a picture instead.");
            std::env::current_dir().unwrap_or_default().join("lightbox-demo.png")
        }
    };
    draw(ScreenshotOptions { paths: Vec::new(), demo: true, size, commands: Vec::new(), out })
}

pub(super) fn pictures(dir: &Path, size: [u32; 2]) -> Result<(), String> {
    for path in lightbox_gui::readme_pictures(dir, size)? {
        output::line(&path.display().to_string());
    }
    Ok(())
}

pub(super) fn screenshot(
    paths: Vec<PathBuf>,
    out: PathBuf,
    size: [u32; 2],
    script: Option<PathBuf>,
) -> Result<(), String> {
    let commands = match script {
        Some(file) => {
            let text = std::fs::read_to_string(&file)
                .map_err(|e| format!("the script cannot be read ({}): {}", super::refusal(&e), file.display()))?;
            serde_json::from_str(&text)
                .map_err(|e| format!("the script is no list of commands ({e}): {}", file.display()))?
        }
        None => Vec::new(),
    };
    draw(ScreenshotOptions { paths, demo: false, size, commands, out })
}

fn draw(options: ScreenshotOptions) -> Result<(), String> {
    let out = options.out.clone();
    let painter = lightbox_gui::screenshot(&options)?;
    output::note(&format!("Drawn by {painter}."));
    output::line(&out.display().to_string());
    Ok(())
}

/// Whether a window could be opened at all.
fn has_display() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY")
}

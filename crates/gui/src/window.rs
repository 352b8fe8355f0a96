//! Opening the window, and drawing it without one.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};

use egui::vec2;
use lightbox_session::{Command, Places};
use winit::event_loop::EventLoop;

use crate::app::App;
use crate::offscreen::{Backend, Frames};
use crate::theme::Theme;
use crate::wheel::OneNotch;

/// What the window opens with.
#[derive(Debug, Clone, Default)]
pub struct WindowOptions {
    /// Files, folders, ZIPs.
    pub paths: Vec<PathBuf>,
    /// The built-in study instead.
    pub demo: bool,
}

/// What is drawn without a window.
#[derive(Debug, Clone)]
pub struct ScreenshotOptions {
    /// Files, folders, ZIPs.
    pub paths: Vec<PathBuf>,
    /// The built-in study instead.
    pub demo: bool,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Commands, each after what the last one started is done.
    pub commands: Vec<Command>,
    /// The picture.
    pub out: PathBuf,
}

/// How long a screenshot waits for its jobs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Opens the window and stays until it is closed. Draws with wgpu, with OpenGL where wgpu finds no graphics processor;
/// `LIGHTBOX_RENDERER` set to `wgpu` or `gl` decides otherwise.
///
/// # Errors
/// One sentence when it cannot be opened, as without a display.
pub fn run(options: WindowOptions) -> Result<(), String> {
    // Asked before the window is made: a process gets one event loop, so there is no second try after a first one failed.
    let renderer = match std::env::var("LIGHTBOX_RENDERER").as_deref() {
        Ok("wgpu") => eframe::Renderer::Wgpu,
        Ok("gl") => eframe::Renderer::Glow,
        // An emulated adapter draws a frame in a third of the time through OpenGL.
        _ if crate::offscreen::has_graphics_processor() => eframe::Renderer::Wgpu,
        _ => eframe::Renderer::Glow,
    };
    log::info!("drawing with {renderer}");
    open(&options, renderer)
        .map_err(|e| format!("No window can be opened: {e} Draw without one with `lightbox screenshot`."))
}

fn open(options: &WindowOptions, renderer: eframe::Renderer) -> Result<(), String> {
    let events = EventLoop::<eframe::UserEvent>::with_user_event().build().map_err(|_| no_display())?;
    let viewport = egui::ViewportBuilder::default()
        .with_title("Lightbox")
        .with_app_id("lightbox")
        .with_inner_size(vec2(1440.0, 900.0))
        .with_min_inner_size(vec2(800.0, 560.0))
        .with_drag_and_drop(true);
    let native = eframe::NativeOptions { viewport, renderer, ..Default::default() };
    let options = options.clone();
    // eframe keeps the result of a loop that is not its own to itself (and logs it).
    let opened = Rc::new(RefCell::new(Err("no graphics that it can draw with.".to_owned())));
    let told = Rc::clone(&opened);
    let create: eframe::AppCreator<'_> = Box::new(move |cc| {
        crate::fonts::install(&cc.egui_ctx);
        match App::new(&cc.egui_ctx, Places::default()) {
            Ok(mut app) => {
                app.open(options.paths, options.demo);
                *told.borrow_mut() = Ok(());
                Ok(Box::new(app))
            }
            Err(e) => {
                *told.borrow_mut() = Err(e.to_string());
                Err(e.into())
            }
        }
    });
    let app = eframe::create_native("lightbox", native, create, &events);
    events.run_app(&mut OneNotch::new(app)).map_err(|_| "the connection to the display broke.".to_owned())?;
    opened.replace(Ok(()))
}

/// Why there is no event loop. The error of the library names a place in its own source instead.
fn no_display() -> String {
    let named: Vec<String> = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .filter_map(|name| Some(format!("{name}={}", std::env::var(name).ok().filter(|v| !v.is_empty())?)))
        .collect();
    if named.is_empty() {
        "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set).".to_owned()
    } else {
        format!("the display does not answer ({}).", named.join(", "))
    }
}

/// Draws the window into a PNG, with nothing on the screen. Says what drew it.
///
/// # Errors
/// One sentence when it cannot be drawn or written, or its jobs do not end.
pub fn screenshot(options: &ScreenshotOptions) -> Result<String, String> {
    let [width, height] = options.size;
    let mut frames = Frames::new(width, height, 1.0, Theme::Dark, Backend::Auto).map_err(|e| e.to_string())?;
    let own = tempfile::tempdir().map_err(|e| format!("No folder for temporary files: {e}."))?;
    // A picture is nobody's work: its gestures must neither lie in the reader's journal nor be offered at the next start,
    // and the theme or the layout that a script asks for must not be the reader's from then on.
    let places = Places {
        journal: own.path().to_owned(),
        settings: own.path().join("settings.json"),
        kept: own.path().join("kept"),
        ..Places::default()
    };
    let jobs = lightbox_session::Jobs::threads(places, || {}).map_err(|e| e.to_string())?;
    let mut app = App::with_jobs(jobs);
    app.set_headless();
    // The models are listed before anything is opened, so that the demo finds the one that it runs.
    wait(&mut frames, &mut app)?;
    app.open(options.paths.clone(), options.demo);
    wait(&mut frames, &mut app)?;
    app.script(options.commands.iter().cloned());
    wait(&mut frames, &mut app)?;
    frames.settle(8, &mut app);
    frames.save_png(&options.out).map_err(|e| e.to_string())?;
    let name = frames.painter_name();
    app.quit();
    frames.step(&mut app);
    Ok(name)
}

/// Draws frames until nothing runs any more.
fn wait(frames: &mut Frames, app: &mut App) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        frames.step(app);
        if !app.is_busy() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err("The picture was not made: a job did not end within five minutes.".to_owned());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

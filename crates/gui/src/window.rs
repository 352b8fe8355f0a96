//! Opening the window.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use egui::vec2;
use lightbox_session::Places;
use winit::event_loop::EventLoop;

use crate::app::App;
use crate::wheel::OneNotch;

/// What the window opens with.
#[derive(Debug, Clone, Default)]
pub struct WindowOptions {
    /// Files, folders, ZIPs.
    pub paths: Vec<PathBuf>,
    /// The built-in study instead.
    pub demo: bool,
}

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

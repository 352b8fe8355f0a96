//! What a frame of the window costs while a model runs: logic, drawing and tessellation, without the driver.

use std::time::{Duration, Instant};

use lightbox_core::Window;
use lightbox_gui::app::App;
use lightbox_gui::offscreen::{Backend, Frames};
use lightbox_gui::theme::Theme;
use lightbox_session::{Command, Jobs, Places};

use super::{Row, percentile};

/// Frames counted: enough for a 99.9th percentile that is not simply the longest.
const FRAMES: usize = 3000;
/// One frame at 60 a second.
const FRAME: Duration = Duration::from_micros(16_667);
const PATIENCE: Duration = Duration::from_secs(300);

/// Draws the demo at 1440 x 900 while the model runs over and over, scrolling and windowing the CT in every frame.
pub(super) fn run(places: Places, rows: &mut Vec<Row>) -> Result<(), String> {
    let sentence = |e: &dyn std::fmt::Display| e.to_string();
    let mut frames = Frames::new(1440, 900, 1.0, Theme::Dark, Backend::Cpu).map_err(|e| sentence(&e))?;
    let jobs = Jobs::threads(places, || {}).map_err(|e| sentence(&e))?;
    let mut app = App::with_jobs(jobs);
    app.set_headless();
    wait(&mut frames, &mut app)?;
    app.open(Vec::new(), true);
    wait(&mut frames, &mut app)?;
    let Some(model) = app.session().results.last().map(|r| r.model.clone()) else {
        crate::output::note("No model fits the X-ray of the demo: the frames while one runs are left out.");
        return Ok(());
    };
    let (mut cpu, mut wall) = (Vec::with_capacity(FRAMES), Vec::with_capacity(FRAMES));
    let mut runs = 0;
    let end = Instant::now() + PATIENCE;
    while cpu.len() < FRAMES {
        let begin = Instant::now();
        if begin > end {
            return Err("the frames were not drawn within five minutes".into());
        }
        let running = app.session().is_busy();
        if !running {
            runs += 1;
            app.send(Command::RunModel { slot: Some(3), model: model.clone(), series: false });
        }
        let n = cpu.len();
        let width = 1000.0 + (n % 500) as f64;
        app.send(Command::SetWindow { slot: Some(0), window: Window::new(width, -200.0) });
        for slot in 0..3 {
            app.send(Command::ScrollBy { slot: Some(slot), planes: if n % 120 < 60 { 1 } else { -1 } });
        }
        let cpu_begin = thread_cpu_ms();
        frames.step(&mut app);
        if running {
            cpu.push(thread_cpu_ms() - cpu_begin);
            wall.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        std::thread::sleep(FRAME.saturating_sub(begin.elapsed()));
    }
    app.send(Command::Quit);
    frames.step(&mut app);
    let middle = percentile(&mut cpu, 0.5);
    let note = format!(
        "median {middle:.2} ms; by the clock 99.9 % {:.2} ms, median {:.2} ms; {FRAMES} frames, {runs} runs of {model}",
        percentile(&mut wall, 0.999),
        percentile(&mut wall, 0.5),
    );
    rows.push(Row::new("frame while the model runs, CPU, 99.9 %", percentile(&mut cpu, 0.999)).note(note));
    Ok(())
}

fn wait(frames: &mut Frames, app: &mut App) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    loop {
        frames.step(app);
        if !app.is_busy() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err("a job did not end within five minutes".into());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Time that this thread had a core, in ms; the wall clock where the system does not tell.
#[cfg(unix)]
fn thread_cpu_ms() -> f64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    t.tv_sec as f64 * 1000.0 + t.tv_nsec as f64 / 1e6
}

/// Time that this thread had a core, in ms; the wall clock where the system does not tell.
#[cfg(not(unix))]
fn thread_cpu_ms() -> f64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1000.0
}

//! The window drawn into pictures, with nothing on the screen: one as a script leaves it, and those of the README.

mod small;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lightbox_core::Plane;
use lightbox_session::card::Task;
use lightbox_session::heat::ExplainBy;
use lightbox_session::improving::keep_synthetic;
use lightbox_session::models::{Fit, ModelInfo};
use lightbox_session::workspace::{Layout, MaskStyle, StudyListMode};
use lightbox_session::{Command, Jobs, OpenStack, Places, Session, StackId};

use crate::app::App;
use crate::offscreen::{Backend, Frames};
use crate::theme::Theme;

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

/// How long a picture waits for its jobs; a copy that learns takes minutes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(1800);

/// Draws the window into a PNG. Says what drew it.
///
/// # Errors
/// One sentence when it cannot be drawn or written, or its jobs do not end.
pub fn screenshot(options: &ScreenshotOptions) -> Result<String, String> {
    let mut studio = Studio::new(options.size)?;
    studio.app.open(options.paths.clone(), options.demo);
    studio.wait()?;
    studio.app.script(options.commands.iter().cloned());
    studio.wait()?;
    studio.frames.settle(8, &mut studio.app);
    studio.frames.save_png(&options.out).map_err(|e| e.to_string())?;
    Ok(studio.end())
}

/// An application with folders of its own, driven by hand.
struct Studio {
    frames: Frames,
    app: App,
    own: tempfile::TempDir,
}

impl Studio {
    /// At rest, with the models listed: the demo finds the one that it runs.
    fn new([width, height]: [u32; 2]) -> Result<Self, String> {
        let frames = Frames::new(width, height, 1.0, Theme::Dark, Backend::Auto).map_err(|e| e.to_string())?;
        let own = tempfile::tempdir().map_err(|e| format!("No folder for temporary files: {e}."))?;
        // A picture is nobody's work: its gestures must neither lie in the reader's journal nor be offered at the next start,
        // and the theme or the layout that a script asks for must not be the reader's from then on.
        let places = Places {
            journal: own.path().to_owned(),
            settings: own.path().join("settings.json"),
            kept: own.path().join("kept"),
            ..Places::default()
        };
        let jobs = Jobs::threads(places, || {}).map_err(|e| e.to_string())?;
        let mut app = App::with_jobs(jobs);
        app.set_headless();
        let mut studio = Self { frames, app, own };
        studio.wait()?;
        Ok(studio)
    }

    fn session(&self) -> &Session {
        self.app.session()
    }

    /// Draws frames until nothing runs any more.
    fn wait(&mut self) -> Result<(), String> {
        let end = Instant::now() + PATIENCE;
        loop {
            self.frames.step(&mut self.app);
            if !self.app.is_busy() {
                return Ok(());
            }
            if Instant::now() > end {
                return Err(format!("The picture was not made: a job did not end within {} s.", PATIENCE.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends commands one after another and waits for each.
    fn send(&mut self, commands: impl IntoIterator<Item = Command>) -> Result<(), String> {
        for command in commands {
            self.app.send(command);
            self.wait()?;
        }
        Ok(())
    }

    /// The window as it is, as a file that a page can carry.
    fn shoot(&mut self, path: &Path) -> Result<(), String> {
        // A panel that scrolls takes a few frames.
        self.frames.settle(90, &mut self.app);
        let picture = self.frames.paint().map_err(|e| e.to_string())?;
        small::write(path, &picture).map_err(|e| format!("The picture cannot be written ({e}): {}", path.display()))
    }

    /// Says what drew.
    fn end(mut self) -> String {
        let name = self.frames.painter_name();
        self.app.quit();
        self.frames.step(&mut self.app);
        name
    }
}

/// Persons of the picture with the offer; they are synthetic.
const SYNTHETIC_PERSONS: usize = 12;

/// Draws the pictures of the README into a folder, each from the demo and the shipped models: those for which a model is at
/// hand. Their paths.
///
/// # Errors
/// One sentence when one cannot be drawn or written.
pub fn readme_pictures(dir: &Path, size: [u32; 2]) -> Result<Vec<PathBuf>, String> {
    std::fs::create_dir_all(dir).map_err(|e| format!("The folder cannot be made ({e}): {}", dir.display()))?;
    let mut studio = Studio::new(size)?;
    let mut made = Vec::new();
    let mut shoot = |studio: &mut Studio, name: &str| -> Result<(), String> {
        let path = dir.join(format!("{name}.png"));
        studio.shoot(&path)?;
        made.push(path);
        Ok(())
    };
    studio.app.open(Vec::new(), true);
    studio.wait()?;
    shoot(&mut studio, "demo")?;
    studio.send([Command::SetLayout(Layout::One), Command::SetStudyList(StudyListMode::Strip)])?;

    let masks = |s: &Session, hidden: bool| Command::SetMaskStyle(MaskStyle { hidden, ..s.workspace.masks });
    let (on, off) = (masks(studio.session(), false), masks(studio.session(), true));
    studio.send([off.clone()])?;
    if let Some((stack, model)) = shipped(studio.session(), Task::Classification, |_| true) {
        let look = |by| Command::Explain { slot: None, model: model.clone(), by, class: None };
        studio.send([show(stack), look(ExplainBy::Variation), look(ExplainBy::GradCam)])?;
        shoot(&mut studio, "heat-map")?;
        clear(&mut studio)?;
    }
    if let Some((stack, model)) = shipped(studio.session(), Task::Segmentation, |m| !m.explains().is_empty()) {
        let look = Command::Explain { slot: None, model: model.clone(), by: ExplainBy::Variation, class: None };
        studio.send([show(stack), on.clone(), look])?;
        shoot(&mut studio, "uncertainty")?;
        clear(&mut studio)?;
        studio.send([off.clone()])?;
    }
    if let Some((stack, model)) = shipped(studio.session(), Task::Detection, |_| true) {
        studio.send([show(stack), on.clone(), run(&model)])?;
        shoot(&mut studio, "boxes")?;
        studio.send([off])?;
    }
    if let Some((stack, model)) = shipped(studio.session(), Task::Reconstruction, |_| true) {
        studio.send([show(stack), run(&model)])?;
        let result = studio.session().results.iter().rev().find(|r| r.model == model && !r.images.is_empty());
        if let Some(id) = result.map(|r| r.id) {
            studio.send([Command::CompareResult(id)])?;
            shoot(&mut studio, "restored")?;
        }
        let none = (0..3).map(|slot| Command::SetLayer { slot: Some(slot), layer: None }).collect::<Vec<_>>();
        studio.send(none)?;
        studio.send([Command::Activate(0), Command::SetLayout(Layout::One)])?;
    }
    if let Some((stack, model)) = shipped(studio.session(), Task::Segmentation, ModelInfo::can_learn) {
        let info = studio.session().models.iter().find(|m| m.id == model).cloned();
        let info = info.ok_or("The model is not at hand any more.")?;
        keep_synthetic(&studio.own.path().join("kept"), &info, SYNTHETIC_PERSONS)?;
        studio.send([
            show(stack),
            on,
            Command::ChooseModel(model.clone()),
            Command::ListModels,
            Command::Improve(model),
        ])?;
        // The offer stands below the model's result.
        let [width, height] = size;
        studio.frames.resize(width, height + height / 4).map_err(|e| e.to_string())?;
        shoot(&mut studio, "improve")?;
    }
    studio.end();
    Ok(made)
}

fn show(stack: StackId) -> Command {
    Command::Show { slot: None, stack }
}

fn run(model: &str) -> Command {
    Command::RunModel { slot: None, model: model.to_owned(), series: false }
}

/// The next picture begins with a bare image.
fn clear(studio: &mut Studio) -> Result<(), String> {
    let all: Vec<Command> = studio.session().heats.iter().map(|h| Command::RemoveHeat(h.id)).collect();
    studio.send(all)
}

/// A shipped model of a task with the stack of the demo that it fits, X-rays first; of several that whose id is first.
fn shipped(s: &Session, task: Task, wanted: impl Fn(&ModelInfo) -> bool) -> Option<(StackId, String)> {
    let mut stacks: Vec<&OpenStack> = s.library.stacks().collect();
    stacks.sort_by_key(|open| open.planes().contains(&Plane::Coronal));
    stacks.into_iter().find_map(|open| {
        let study = s.library.study_of(open.id);
        let fits = |m: &&ModelInfo| {
            !m.added && m.card.task == task && wanted(m) && !matches!(m.fit(open, study), Fit::Unfit(_))
        };
        s.models.iter().find(fits).map(|m| (open.id, m.id.clone()))
    })
}

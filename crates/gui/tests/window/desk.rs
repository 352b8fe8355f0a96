//! The harness: the application under a test's hand.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use egui::{Event, Key, Modifiers, PointerButton, Pos2, Rect, Vec2, ViewportCommand, ViewportId};
use egui_kittest::kittest::{self, NodeT as _, Queryable};
use egui_kittest::{EventQueue, Node};
use image::RgbaImage;
use lightbox_gui::app::App;
use lightbox_gui::offscreen::{Backend, Frames};
use lightbox_gui::theme::Theme;
use lightbox_session::workspace::{PanelTab, ViewState};
use lightbox_session::{Command, Jobs, OpenStack, Places, Session};

/// Frames that the window may take to come to rest.
const PATIENCE: usize = 2000;

/// Size of the window in most tests, in points; a point is a pixel.
pub(crate) const SIZE: [u32; 2] = [1440, 900];

/// Ctrl, as winit tells it on Linux and Windows.
pub(crate) const CTRL: Modifiers = Modifiers { ctrl: true, command: true, ..Modifiers::NONE };

/// Where tests write: the target folder.
#[must_use]
pub(crate) fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// The folders of a session that keeps everything in `dir`. The built-in study takes seconds to write, so it is kept.
fn places(dir: &Path) -> Places {
    Places {
        journal: dir.join("journal"),
        demo: scratch().join("demo"),
        settings: dir.join("settings.json"),
        weights: vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights")],
        models: Some(dir.join("models")),
        kept: dir.join("kept"),
    }
}

/// A session with the built-in study open, as the demo leaves it: 2 × 2, the lungs found on the X-ray. Made once; what is
/// heavy in it is shared by its copies.
#[must_use]
pub(crate) fn demo() -> Session {
    static DEMO: OnceLock<Session> = OnceLock::new();
    let make = || {
        let dir = tempfile::tempdir().unwrap();
        let mut jobs = Jobs::inline(places(dir.path()));
        let mut session = Session::default();
        for effect in session.start() {
            jobs.run(effect);
        }
        jobs.settle(&mut session);
        jobs.apply(&mut session, Command::OpenDemo);
        jobs.settle(&mut session);
        // The demo opens beside its models; most tests want the images to be large.
        session.workspace.panel = None;
        session
    };
    DEMO.get_or_init(make).clone()
}

/// The application with a hand on it. Jobs run to their end where they are started.
pub(crate) struct Desk {
    app: App,
    frames: Frames,
    tree: kittest::State,
    queue: EventQueue,
    modifiers: Modifiers,
    /// Jobs are in the state that nobody runs; rest is not waited for.
    held: bool,
    /// The window was asked to close.
    pub(crate) closed: bool,
    /// Everything that is written goes here.
    pub(crate) dir: tempfile::TempDir,
}

impl Desk {
    /// A window of [`SIZE`] over a state.
    #[must_use]
    pub(crate) fn new(session: Session) -> Self {
        Self::sized(session, SIZE)
    }

    /// A window of [`SIZE`] with the built-in study.
    #[must_use]
    pub(crate) fn demo() -> Self {
        Self::new(demo())
    }

    /// The built-in study with one tab of the right panel open beside the series of this modality, alone.
    #[must_use]
    pub(crate) fn beside(modality: &str, tab: PanelTab) -> Self {
        let mut desk = Self::demo();
        desk.alone(modality);
        desk.send(Command::SetPanel(Some(tab)));
        desk
    }

    /// A window of a size over a state.
    #[must_use]
    pub(crate) fn sized(session: Session, [width, height]: [u32; 2]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = App::with_session(Jobs::inline(places(dir.path())), session);
        Self::with_app(app, dir, [width, height], false)
    }

    /// A window over a state in which a job runs, for ever: what it looks like meanwhile.
    #[must_use]
    pub(crate) fn held(session: Session) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let app = App::with_session(Jobs::inline(places(dir.path())), session);
        Self::with_app(app, dir, SIZE, true)
    }

    /// A window as the program starts it: no state yet, models and earlier work are looked for.
    #[must_use]
    pub(crate) fn started(dir: tempfile::TempDir) -> Self {
        let app = App::with_jobs(Jobs::inline(places(dir.path())));
        Self::with_app(app, dir, SIZE, false)
    }

    fn with_app(mut app: App, dir: tempfile::TempDir, [width, height]: [u32; 2], held: bool) -> Self {
        app.set_headless();
        let mut frames = Frames::new(width, height, 1.0, Theme::Dark, Backend::Cpu).unwrap();
        frames.ctx().enable_accesskit();
        let first = frames.step(&mut app).platform_output.accesskit_update.expect("AccessKit is on");
        let mut desk = Self {
            app,
            frames,
            tree: kittest::State::new(first),
            queue: EventQueue::default(),
            modifiers: Modifiers::NONE,
            held,
            closed: false,
            dir,
        };
        desk.settle();
        desk
    }

    /// The state.
    #[must_use]
    pub(crate) fn session(&self) -> &Session {
        self.app.session()
    }

    /// Sends a command as a script does, and waits until the window is at rest.
    pub(crate) fn send(&mut self, command: Command) {
        self.app.send(command);
        self.settle();
    }

    /// What a viewport shows.
    #[must_use]
    pub(crate) fn view(&self, slot: usize) -> &ViewState {
        &self.session().workspace.views[slot]
    }

    /// The stack that a viewport shows.
    #[must_use]
    pub(crate) fn open(&self, slot: usize) -> &OpenStack {
        let id = self.view(slot).stack.expect("the viewport shows a stack");
        self.session().library.stack(id).expect("it is open")
    }

    /// Shows the series of this modality alone, in its acquired planes, with nothing drawn on it.
    pub(crate) fn alone(&mut self, modality: &str) {
        let of = |s: &&OpenStack| s.series.modality == modality;
        let stack = self.session().library.stacks().find(of).expect("it is open").id;
        self.send(Command::SetLayout(lightbox_session::workspace::Layout::One));
        self.send(Command::Show { slot: Some(0), stack });
    }

    /// One frame.
    fn step(&mut self, events: &[Event]) -> bool {
        self.frames.input.events.extend_from_slice(events);
        let output = self.frames.step(&mut self.app);
        if let Some(update) = output.platform_output.accesskit_update {
            self.tree.update(update);
        }
        let root = output.viewport_output.get(&ViewportId::ROOT).expect("there is a window");
        self.closed |= root.commands.iter().any(|c| matches!(c, ViewportCommand::Close));
        root.repaint_delay.is_zero()
    }

    /// Draws frames until the window is at rest. Events that wait come one a frame, as a slow hand brings them.
    pub(crate) fn settle(&mut self) {
        let events = std::mem::take(&mut *self.queue.lock());
        for event in events {
            self.step(&[event]);
        }
        for _ in 0..PATIENCE {
            let again = self.step(&[]);
            if self.closed || !again && (self.held || !self.app.is_busy()) {
                return;
            }
        }
        let jobs: Vec<_> = self.session().jobs.iter().map(|job| &job.title).collect();
        panic!("the window does not come to rest: {:?}, jobs {jobs:?}", self.frames.ctx().repaint_causes());
    }

    /// Lets time pass, so that the next click is not the second half of a double click.
    pub(crate) fn wait(&mut self) {
        for _ in 0..30 {
            self.step(&[]);
        }
    }

    /// Events that all come within one frame, as after a stall; then rest.
    pub(crate) fn at_once(&mut self, events: &[Event]) {
        self.step(events);
        self.settle();
    }

    /// Events that come one a frame; then rest.
    pub(crate) fn events(&mut self, events: impl IntoIterator<Item = Event>) {
        self.queue.lock().extend(events);
        self.settle();
    }

    /// Clicks the only widget of this name.
    #[track_caller]
    pub(crate) fn click(&mut self, name: &str) {
        self.get_by_label(name).click();
        self.settle();
    }

    /// Clicks the only widget of this role and name: a title and the row below it may have the same words.
    #[track_caller]
    pub(crate) fn click_role(&mut self, role: egui::Role, name: &str) {
        self.get_by_role_and_label(role, name).click();
        self.settle();
    }

    /// The widgets that have this name.
    #[must_use]
    pub(crate) fn count(&self, name: &str) -> usize {
        self.query_all_by_label(name).count()
    }

    /// Whether a widget with these words in its name is there.
    #[must_use]
    pub(crate) fn says(&self, words: &str) -> bool {
        self.query_all_by_label_contains(words).next().is_some()
    }

    /// The place of the only widget of this name.
    #[track_caller]
    #[must_use]
    pub(crate) fn rect(&self, name: &str) -> Rect {
        self.get_by_label(name).rect()
    }

    /// The place of a viewport's image: the widget of that role with its number.
    #[track_caller]
    #[must_use]
    pub(crate) fn image(&self, slot: usize) -> Rect {
        let begins = format!("Viewport {}", slot + 1);
        let found = self
            .root()
            .children_recursive()
            .find(|n| n.accesskit_node().label().is_some_and(|l| l.starts_with(&begins)));
        found.unwrap_or_else(|| panic!("no {begins}")).rect()
    }

    /// Presses and releases a key with modifiers held.
    pub(crate) fn press(&mut self, modifiers: Modifiers, key: Key) {
        self.hold(modifiers);
        self.events([key_event(key, true, modifiers), key_event(key, false, modifiers)]);
        self.hold(Modifiers::NONE);
    }

    /// Holds modifiers from now on.
    pub(crate) fn hold(&mut self, modifiers: Modifiers) {
        self.modifiers = modifiers;
        self.events([Event::ModifiersChanged(modifiers)]);
    }

    /// Types into what has the focus.
    pub(crate) fn text(&mut self, text: &str) {
        self.events([Event::Text(text.to_owned())]);
    }

    /// Writes over what stands in the field that has the keys, and ends with Enter.
    pub(crate) fn write_over(&mut self, text: &str) {
        self.press(CTRL, Key::A);
        self.text(text);
        self.press(Modifiers::NONE, Key::Enter);
    }

    /// Presses a button at the first place, goes through the others and releases at the last, an event a frame.
    pub(crate) fn drag(&mut self, button: PointerButton, way: &[Pos2]) {
        let events = drag_events(button, way, self.modifiers);
        self.events(events);
    }

    /// Clicks a button at a place.
    pub(crate) fn click_at(&mut self, button: PointerButton, at: Pos2) {
        self.drag(button, &[at]);
    }

    /// Turns the wheel by notches at a place; positive is away from the hand.
    pub(crate) fn wheel(&mut self, at: Pos2, notches: f32) {
        let event = Event::MouseWheel {
            unit: egui::MouseWheelUnit::Line,
            delta: Vec2::new(0.0, notches),
            phase: egui::TouchPhase::Move,
            source: egui::MouseWheelSource::Unknown,
            modifiers: self.modifiers,
        };
        self.events([Event::PointerMoved(at), event]);
    }

    /// Drops a file or a folder onto the window.
    pub(crate) fn drop_file(&mut self, path: &Path) {
        self.frames.input.dropped_files.push(std::sync::Arc::new(Dropped(path.to_owned())));
        self.settle();
    }

    /// The window as it is now.
    #[must_use]
    pub(crate) fn picture(&mut self) -> RgbaImage {
        self.frames.paint().unwrap()
    }

    /// The window itself, as a node.
    #[must_use]
    pub(crate) fn root(&self) -> Node<'_> {
        Node::new(self.tree.root(), &self.queue, 1.0)
    }

    /// The messages of the session: title and detail.
    #[must_use]
    pub(crate) fn messages(&self) -> Vec<String> {
        self.session().problems.iter().map(|p| format!("{} {}", p.title, p.detail)).collect()
    }
}

#[derive(Debug)]
struct Dropped(PathBuf);

impl egui::DroppedFile for Dropped {
    fn path(&self) -> &Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        std::fs::read(&self.0).map_err(|e| e.to_string())
    }
}

/// The events of a drag: the way there, press, move, release.
#[must_use]
pub(crate) fn drag_events(button: PointerButton, way: &[Pos2], modifiers: Modifiers) -> Vec<Event> {
    let (first, last) = (way[0], way[way.len() - 1]);
    let press = |pos, pressed| Event::PointerButton { pos, button, pressed, modifiers };
    let moves = way[1..].iter().map(|p| Event::PointerMoved(*p));
    let start = [Event::PointerMoved(first), press(first, true)];
    start.into_iter().chain(moves).chain([press(last, false)]).collect()
}

fn key_event(key: Key, pressed: bool, modifiers: Modifiers) -> Event {
    Event::Key { key, physical_key: None, pressed, repeat: false, modifiers }
}

impl<'tree, 'node> Queryable<'tree, 'node, Node<'tree>> for Desk
where
    'node: 'tree,
{
    fn queryable_node(&'node self) -> Node<'tree> {
        self.root()
    }
}

/// A failed test leaves the window as it was.
impl Drop for Desk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let thread = std::thread::current();
        let name = thread.name().unwrap_or("test").replace("::", "-");
        let path: PathBuf = scratch().join(format!("failed-{name}.png"));
        if self.frames.save_png(&path).is_ok() {
            println!("the window as it was: {}", path.display());
        }
    }
}

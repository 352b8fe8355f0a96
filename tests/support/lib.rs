//! One vocabulary for the tests of the whole: a session with jobs that end where they begin, and the built-in study.

use std::path::{Path, PathBuf};

use lightbox_core::{PatientPos, PlanePos};
use lightbox_session::{Command, Jobs, OpenStack, Places, Session, StackId};

/// The root of the repository.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// The built-in study, written once for all tests: it takes seconds in a build without optimisation. Kept for the next run.
#[must_use]
pub fn demo_folder() -> PathBuf {
    static ONCE: std::sync::Once = std::sync::Once::new();
    let dir = std::env::temp_dir().join("lightbox-demo-for-tests");
    ONCE.call_once(|| {
        lightbox_dicom::phantom::write_demo_study(&dir).unwrap_or_else(|e| panic!("{e}"));
    });
    dir
}

/// A session with jobs that end where they begin.
pub struct Desk {
    /// The state.
    pub session: Session,
    /// The jobs.
    pub jobs: Jobs,
    /// Everything that is written goes here.
    pub dir: PathBuf,
}

impl Desk {
    /// A fresh start with `dir` for all that is written, and the shipped models.
    #[must_use]
    pub fn new(dir: &Path) -> Self {
        let places = Places {
            journal: dir.join("journal"),
            demo: demo_folder(),
            settings: dir.join("settings.json"),
            weights: vec![root().join("weights")],
            models: Some(dir.join("models")),
            kept: dir.join("kept"),
        };
        let mut jobs = Jobs::inline(places);
        let mut session = Session::default();
        for effect in session.start() {
            jobs.run(effect);
        }
        jobs.settle(&mut session);
        Self { session, jobs, dir: dir.to_owned() }
    }

    /// Sends a command and waits for what it started.
    pub fn send(&mut self, command: Command) {
        self.jobs.apply(&mut self.session, command);
        self.jobs.settle(&mut self.session);
    }

    /// The stack of this modality.
    ///
    /// # Panics
    /// When none is open.
    #[must_use]
    pub fn stack(&self, modality: &str) -> &OpenStack {
        let found = self.session.library.stacks().find(|s| s.series.modality == modality);
        found.unwrap_or_else(|| panic!("no {modality} is open"))
    }

    /// Shows the stack of this modality in the active viewport.
    pub fn show(&mut self, modality: &str) -> StackId {
        let stack = self.stack(modality).id;
        self.send(Command::Show { slot: None, stack });
        stack
    }

    /// A pixel of the plane in the active viewport, in the patient.
    ///
    /// # Panics
    /// When nothing is shown.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> PatientPos {
        let view = self.session.workspace.active_view();
        let open = view.stack.and_then(|id| self.session.library.stack(id));
        let open = open.unwrap_or_else(|| panic!("nothing is shown"));
        open.plane_stack(view.plane).grid(view.index).to_patient(PlanePos::new(x, y))
    }

    /// The texts of all messages.
    #[must_use]
    pub fn messages(&self) -> Vec<String> {
        self.session.problems.iter().map(|p| format!("{} {}", p.title, p.detail)).collect()
    }
}

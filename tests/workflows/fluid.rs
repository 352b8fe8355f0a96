//! The window stays alive while a job runs: proven by a job that is held, not by a clock.

use std::sync::{Arc, Condvar, Mutex};

use lightbox_core::{PlanePos, Window};
use lightbox_gui::app::App;
use lightbox_gui::offscreen::{Backend, Frames};
use lightbox_gui::theme::Theme;
use lightbox_session::{Command, Jobs, Places};
use lightbox_tests::{demo_folder, root};

/// Holds the thread of the models wherever it tells something, until opened.
#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    moved: Condvar,
}

impl Gate {
    fn close(&self, closed: bool) {
        *self.closed.lock().unwrap() = closed;
        self.moved.notify_all();
    }

    fn pass(&self) {
        if std::thread::current().name() == Some("lightbox-compute") {
            let closed = self.closed.lock().unwrap();
            drop(self.moved.wait_while(closed, |closed| *closed).unwrap());
        }
    }
}

fn idle(frames: &mut Frames, app: &mut App) {
    loop {
        frames.step(app);
        if !app.is_busy() {
            return;
        }
        std::thread::yield_now();
    }
}

#[test]
fn frames_are_drawn_and_commands_applied_while_a_model_runs() {
    let dir = tempfile::tempdir().unwrap();
    let gate = Arc::new(Gate::default());
    let held = Arc::clone(&gate);
    let places = Places {
        journal: dir.path().join("journal"),
        demo: demo_folder(),
        settings: dir.path().join("settings.json"),
        weights: vec![root().join("weights")],
        models: None,
        kept: dir.path().join("kept"),
    };
    let mut app = App::with_jobs(Jobs::threads(places, move || held.pass()).unwrap());
    app.set_headless();
    let mut frames = Frames::new(960, 600, 1.0, Theme::Dark, Backend::Cpu).unwrap();
    idle(&mut frames, &mut app);
    app.open(Vec::new(), true);
    idle(&mut frames, &mut app);
    let drawn_before = frames.paint().unwrap();
    let results = app.session().results.len();

    gate.close(true);
    app.send(Command::RunModel { slot: Some(3), model: "cxr-lungs".into(), series: false });
    frames.step(&mut app);
    let job = app.session().jobs.last().expect("the model runs").id;
    let index = app.session().workspace.views[0].index;
    app.send(Command::Activate(0));
    for _ in 0..10 {
        app.send(Command::ScrollBy { slot: Some(0), planes: 1 });
        frames.step(&mut app);
    }
    let window = Window::new(350.0, 40.0);
    app.send(Command::SetWindow { slot: Some(0), window });
    let view = &app.session().workspace.views[0];
    let open = app.session().library.stack(view.stack.expect("shown")).expect("open");
    let at = open.plane_stack(view.plane).grid(view.index).to_patient(PlanePos::new(100.0, 100.0));
    app.send(Command::StrokeBegin { slot: Some(0), at, erase: false });
    app.send(Command::StrokeEnd);
    frames.step(&mut app);
    // All of this happened, and was drawn, while the model was held.
    assert!(app.session().job(job).is_some());
    assert_eq!(app.session().results.len(), results);
    let view = &app.session().workspace.views[0];
    assert_eq!((view.index, view.window), (index + 10, Some(window)));
    let stack = view.stack.expect("shown");
    assert!(app.session().document(stack).expect("drawn").segments.iter().any(|s| s.mask.count() > 0));
    assert_ne!(frames.paint().unwrap(), drawn_before);

    // Cancelling needs no more than the model's next question.
    let document = app.session().workspace.views[3].stack.and_then(|s| app.session().document(s)).cloned();
    app.send(Command::CancelJob(job));
    frames.step(&mut app);
    gate.close(false);
    idle(&mut frames, &mut app);
    assert!(app.session().job(job).is_none());
    assert_eq!(app.session().results.len(), results);
    assert_eq!(app.session().workspace.views[3].stack.and_then(|s| app.session().document(s)).cloned(), document);
}

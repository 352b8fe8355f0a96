//! Who runs the jobs: named threads for the window, the caller's own thread for tests and scripts.
//!
//! | lane | for | threads |
//! |---|---|---|
//! | files | scans, reading masks, recovery | 1 |
//! | saves | masks, reports, settings: a save never waits for a scan | 1 |
//! | load | frames on the screen; each job uses all cores, two stacks at a time | 2 |
//! | background | thumbnails | 1 |
//! | compute | models, and what their answers rest on | 1 |
//! | learn | a copy of a model that learns, on a pool of low priority | 1 |
//! | words | checks of a report while it is typed | 1 |
//! | complete | words that may follow what is typed, and other words | 1 |
//! | write | proposals, by a language model where one is chosen | 1 |
//! | ask | the knowledge base, which takes a moment to read | 1 |
//!
//! The lanes do not wait for each other, so a model never holds up a scroll.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::ask::Kept;
use crate::event::{Effect, EventKind, JobEvent, JobSpec};
use crate::ids::{JobId, StackId};
use crate::journal::{Journal, Record};
use crate::session::Session;
use crate::worker;
use crate::worker::write::{Chat, Writers};

/// Events that may wait to be drained before workers pause.
const EVENTS_WAITING: usize = 256;

/// The job number of the journal writer, which is no job of the session.
pub const JOURNAL_JOB: JobId = JobId(u64::MAX);

/// Folders that jobs write to.
#[derive(Debug, Clone)]
pub struct Places {
    /// Journals.
    pub journal: PathBuf,
    /// The built-in study.
    pub demo: PathBuf,
    /// The settings file.
    pub settings: PathBuf,
    /// Folders with shipped models.
    pub weights: Vec<PathBuf>,
    /// Folder with added models.
    pub models: Option<PathBuf>,
    /// What is kept beside the settings: templates, rules, signed reports, the audit log.
    pub kept: PathBuf,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            journal: crate::folders::journal(),
            demo: crate::folders::demo(),
            settings: crate::folders::settings(),
            weights: lightbox_model::store::default_weight_dirs(),
            models: lightbox_model::store::default_added_dir(),
            kept: crate::folders::kept(),
        }
    }
}

/// What a job needs while it runs.
pub struct JobCx {
    /// Its number.
    pub job: JobId,
    cancelled: Arc<AtomicBool>,
    enough: Arc<AtomicBool>,
    events: Sender<JobEvent>,
    wake: Arc<dyn Fn() + Send + Sync>,
    focus: Arc<Mutex<BTreeMap<StackId, Arc<AtomicUsize>>>>,
    /// Folders.
    pub places: Arc<Places>,
    journal: Arc<Mutex<Journal>>,
    /// The knowledge base, once it was asked.
    pub(crate) knowledge: Arc<Mutex<Option<Kept>>>,
    /// Models of text, once they were asked.
    pub(crate) writers: Arc<Mutex<Writers>>,
    /// The chat model, once it was asked.
    pub(crate) chat: Arc<Mutex<Chat>>,
    /// To the journal's thread, where there is one.
    writer: Option<Sender<Write>>,
}

impl JobCx {
    /// Whether it should stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Whether it should end with what it has.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.enough.load(Ordering::Relaxed)
    }

    /// Tells something.
    pub fn send(&self, kind: EventKind) {
        // The receiver is gone only when the program ends.
        self.events.send(JobEvent { job: self.job, kind }).ok();
        (self.wake)();
    }

    /// Tells how far it is.
    pub fn progress(&self, fraction: Option<f32>, detail: impl Into<String>) {
        self.send(EventKind::Progress(fraction, detail.into()));
    }

    /// The frame that is on the screen of a stack.
    #[must_use]
    pub fn focus(&self, stack: StackId, first: usize) -> Arc<AtomicUsize> {
        Arc::clone(lock(&self.focus).entry(stack).or_insert_with(|| Arc::new(AtomicUsize::new(first))))
    }

    /// The journal's own file, which is no left-over work.
    #[must_use]
    pub fn own_journal(&self) -> PathBuf {
        lock(&self.journal).path().to_owned()
    }

    /// Waits for the journal; whether all that was sent to it until now is on the disk.
    #[must_use]
    pub fn journal_is_whole(&self) -> bool {
        self.writer.as_ref().is_none_or(wait_for_journal) && !lock(&self.journal).is_behind()
    }
}

/// Waits until the journal's thread has written what it was sent; `false` when that takes too long.
fn wait_for_journal(writer: &Sender<Write>) -> bool {
    let (tell, told) = bounded(1);
    writer.send(Write::Done(tell)).is_ok() && told.recv_timeout(LAST_WRITE).is_ok()
}

/// A lock that a panic elsewhere does not take from us: the data behind all of ours stay whole between statements.
pub(crate) fn lock<T>(m: &Mutex<T>) -> MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

type Task = Box<dyn FnOnce() + Send>;

/// For the journal's thread.
enum Write {
    /// Append these.
    Records(Vec<Record>),
    /// Put these in the place of all before.
    Anew(Vec<Record>),
    /// Tell when all before is on the disk.
    Done(Sender<()>),
}

/// How long the end of the program waits for the journal.
const LAST_WRITE: std::time::Duration = std::time::Duration::from_secs(3);

enum Runner {
    Threads {
        files: Sender<Task>,
        saves: Sender<Task>,
        load: Sender<Task>,
        background: Sender<Task>,
        compute: Sender<Task>,
        learn: Sender<Task>,
        words: Sender<Task>,
        complete: Sender<Task>,
        write: Sender<Task>,
        ask: Sender<Task>,
        journal: Sender<Write>,
    },
    Inline,
}

/// Starts jobs, stops them, and hands over what they tell.
pub struct Jobs {
    runner: Runner,
    events: Receiver<JobEvent>,
    send: Sender<JobEvent>,
    wake: Arc<dyn Fn() + Send + Sync>,
    cancels: BTreeMap<JobId, Arc<AtomicBool>>,
    /// Jobs that can be asked to end with what they have.
    finishes: BTreeMap<JobId, Arc<AtomicBool>>,
    focus: Arc<Mutex<BTreeMap<StackId, Arc<AtomicUsize>>>>,
    places: Arc<Places>,
    journal: Arc<Mutex<Journal>>,
    knowledge: Arc<Mutex<Option<Kept>>>,
    writers: Arc<Mutex<Writers>>,
    chat: Arc<Mutex<Chat>>,
    quit: bool,
}

impl Jobs {
    /// Jobs on threads of their own; `wake` is called after each event (the window repaints).
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn threads(places: Places, wake: impl Fn() + Send + Sync + 'static) -> std::io::Result<Self> {
        let (send, events) = bounded(EVENTS_WAITING);
        let journal = Arc::new(Mutex::new(Journal::new(&places.journal)));
        let wake: Arc<dyn Fn() + Send + Sync> = Arc::new(wake);
        let lane = |name: &str, threads: usize| -> std::io::Result<Sender<Task>> {
            let (tx, rx) = unbounded::<Task>();
            for _ in 0..threads {
                let rx = rx.clone();
                let builder = std::thread::Builder::new().name(format!("lightbox-{name}"));
                builder.spawn(move || rx.iter().for_each(|t| t()))?;
            }
            Ok(tx)
        };
        let (journal_tx, journal_rx) = unbounded::<Write>();
        {
            let (journal, send, wake) = (Arc::clone(&journal), send.clone(), Arc::clone(&wake));
            std::thread::Builder::new().name("lightbox-journal".to_owned()).spawn(move || {
                for write in journal_rx {
                    if let Write::Done(told) = write {
                        told.send(()).ok();
                    } else if let Some(event) = write_journal(&journal, write) {
                        send.send(event).ok();
                        wake();
                    }
                }
            })?;
        }
        let runner = Runner::Threads {
            files: lane("files", 1)?,
            saves: lane("saves", 1)?,
            load: lane("load", 2)?,
            background: lane("background", 1)?,
            compute: lane("compute", 1)?,
            learn: lane("learn", 1)?,
            words: lane("words", 1)?,
            complete: lane("complete", 1)?,
            write: lane("write", 1)?,
            ask: lane("ask", 1)?,
            journal: journal_tx,
        };
        Ok(Self::new(runner, events, send, wake, places, journal))
    }

    /// Jobs that run to their end where they are started: no thread, no sleep, for tests and scripts.
    #[must_use]
    pub fn inline(places: Places) -> Self {
        let (send, events) = unbounded();
        let journal = Arc::new(Mutex::new(Journal::new(&places.journal)));
        Self::new(Runner::Inline, events, send, Arc::new(|| {}), places, journal)
    }

    fn new(
        runner: Runner,
        events: Receiver<JobEvent>,
        send: Sender<JobEvent>,
        wake: Arc<dyn Fn() + Send + Sync>,
        places: Places,
        journal: Arc<Mutex<Journal>>,
    ) -> Self {
        Self {
            runner,
            events,
            send,
            wake,
            cancels: BTreeMap::new(),
            finishes: BTreeMap::new(),
            focus: Arc::default(),
            places: Arc::new(places),
            journal,
            knowledge: Arc::default(),
            writers: Arc::default(),
            chat: Arc::default(),
            quit: false,
        }
    }

    /// Carries out what a command or an event asked for.
    pub fn run(&mut self, effect: Effect) {
        match effect {
            Effect::Start(id, spec) => self.start(id, spec),
            Effect::Cancel(id) => {
                if let Some(flag) = self.cancels.get(&id) {
                    flag.store(true, Ordering::Relaxed);
                }
            }
            Effect::Finish(id) => {
                if let Some(flag) = self.finishes.get(&id) {
                    flag.store(true, Ordering::Relaxed);
                }
            }
            Effect::Focus(stack, frame) => {
                if let Some(focus) = lock(&self.focus).get(&stack) {
                    focus.store(frame, Ordering::Relaxed);
                }
            }
            Effect::Journal(records) => self.write(Write::Records(records)),
            Effect::JournalAnew(records) => self.write(Write::Anew(records)),
            Effect::SaveSettings(text) => {
                let path = self.places.settings.clone();
                let write = move || {
                    if let Err(e) = worker::write_atomically(&path, text.as_bytes()) {
                        log::warn!("the settings were not kept: {e}");
                    }
                };
                match &self.runner {
                    Runner::Threads { saves, .. } => {
                        saves.send(Box::new(write)).ok();
                    }
                    Runner::Inline => write(),
                }
            }
            Effect::Quit { keep_journal } => {
                self.quit = true;
                for flag in self.cancels.values() {
                    flag.store(true, Ordering::Relaxed);
                }
                if let Runner::Threads { journal, .. } = &self.runner {
                    // What was drawn last is still on its way to the disk.
                    wait_for_journal(journal);
                }
                if !keep_journal {
                    lock(&self.journal).remove();
                }
            }
        }
    }

    fn write(&self, write: Write) {
        match &self.runner {
            Runner::Threads { journal, .. } => {
                journal.send(write).ok();
            }
            Runner::Inline => {
                if let Some(event) = write_journal(&self.journal, write) {
                    self.send.send(event).ok();
                }
            }
        }
    }

    fn start(&mut self, id: JobId, spec: JobSpec) {
        let cancelled = Arc::new(AtomicBool::new(false));
        self.cancels.insert(id, Arc::clone(&cancelled));
        let enough = Arc::new(AtomicBool::new(false));
        if matches!(spec, JobSpec::Improve { .. }) {
            self.finishes.insert(id, Arc::clone(&enough));
        }
        if let JobSpec::Load { stack, focus, .. } = &spec {
            lock(&self.focus).insert(*stack, Arc::new(AtomicUsize::new(*focus)));
        }
        let cx = JobCx {
            job: id,
            cancelled,
            enough,
            events: self.send.clone(),
            wake: Arc::clone(&self.wake),
            focus: Arc::clone(&self.focus),
            places: Arc::clone(&self.places),
            journal: Arc::clone(&self.journal),
            knowledge: Arc::clone(&self.knowledge),
            writers: Arc::clone(&self.writers),
            chat: Arc::clone(&self.chat),
            writer: match &self.runner {
                Runner::Threads { journal, .. } => Some(journal.clone()),
                Runner::Inline => None,
            },
        };
        match &self.runner {
            Runner::Inline => worker::run(&cx, spec),
            Runner::Threads { files, saves, load, background, compute, learn, words, complete, write, ask, .. } => {
                let lane = match &spec {
                    JobSpec::SaveSeg(_)
                    | JobSpec::Export(_)
                    | JobSpec::ExportTemplate { .. }
                    | JobSpec::SaveLetter { .. }
                    | JobSpec::Audit(_)
                    | JobSpec::KeepSigned { .. } => saves,
                    JobSpec::Check(_) => words,
                    JobSpec::Complete(_)
                    | JobSpec::OtherWords(_)
                    | JobSpec::LearnPhrases(_)
                    | JobSpec::ForgetPhrases => complete,
                    JobSpec::Propose(_) => write,
                    JobSpec::Ask { .. } => ask,
                    JobSpec::Load { .. } => load,
                    JobSpec::Thumbnails(_) => background,
                    JobSpec::Infer(_) | JobSpec::Explain(_) => compute,
                    JobSpec::Improve { .. } => learn,
                    _ => files,
                };
                lane.send(Box::new(move || worker::run(&cx, spec))).ok();
            }
        }
    }

    /// What the jobs told since the last call; at most `limit`, so that a frame stays short.
    pub fn drain(&mut self, limit: usize) -> Vec<JobEvent> {
        let events: Vec<JobEvent> = self.events.try_iter().take(limit).collect();
        for event in &events {
            if Session::is_final(&event.kind) {
                self.forget(event.job);
            }
        }
        events
    }

    /// A job is over.
    fn forget(&mut self, job: JobId) {
        self.cancels.remove(&job);
        self.finishes.remove(&job);
    }

    /// Whether the program was asked to end.
    #[must_use]
    pub fn has_quit(&self) -> bool {
        self.quit
    }

    /// Runs jobs and their consequences until nothing is left to do: for scripts and tests.
    pub fn settle(&mut self, session: &mut Session) {
        loop {
            let mut events = self.drain(usize::MAX);
            if events.is_empty() {
                if !session.is_busy() {
                    return;
                }
                match self.events.recv_timeout(std::time::Duration::from_millis(100)) {
                    Ok(event) => {
                        if Session::is_final(&event.kind) {
                            self.forget(event.job);
                        }
                        events.push(event);
                    }
                    Err(crossbeam_channel::RecvTimeoutError::Timeout) => continue,
                    Err(crossbeam_channel::RecvTimeoutError::Disconnected) => return,
                }
            }
            for event in events {
                for effect in session.on_event(event) {
                    self.run(effect);
                }
            }
        }
    }

    /// Carries out a command with its direct effects.
    pub fn apply(&mut self, session: &mut Session, command: crate::command::Command) {
        for effect in session.apply(command) {
            self.run(effect);
        }
    }
}

/// Writes to the journal; what has to be told about it.
fn write_journal(journal: &Mutex<Journal>, write: Write) -> Option<JobEvent> {
    let mut journal = lock(journal);
    let kind = match write {
        // That a record is missing has been told; all of them come anew with the next gesture.
        Write::Records(_) if journal.is_behind() => return None,
        Write::Records(records) => EventKind::JournalFailed(journal.append(&records).err()?.to_string()),
        Write::Anew(records) => match journal.write_anew(&records) {
            Ok(()) => EventKind::JournalWhole,
            Err(e) => EventKind::JournalFailed(e.to_string()),
        },
        Write::Done(_) => return None,
    };
    Some(JobEvent { job: JOURNAL_JOB, kind })
}

#[cfg(test)]
mod tests;

//! The single owner of the application's state. Plain data: no handle, no lock, no thread.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::LazyLock;

use lightbox_report::ReportDocument;
use lightbox_report::check::Rule;
use lightbox_report::findings::FindingsFile;
use lightbox_report::sign::Signed;

use crate::ask::Ask;
use crate::checks::{Checks, Objection, Typing};
use crate::command::Command;
use crate::completion::Completing;
use crate::document::Document;
use crate::drugs::Drugs;
use crate::event::{Effect, EventKind, InferResult, JobEvent, JobSpec};
use crate::heat::{Heat, HeatId};
use crate::ids::{JobId, StackId, StackKey};
use crate::improving::Improving;
use crate::journal::Recovery;
use crate::library::Library;
use crate::models::ModelInfo;
use crate::problem::{Problem, ProblemPlace, Severity};
use crate::proposals::{Offer, OfferKind, OtherWords};
use crate::results::ResultId;
use crate::templates::OwnTemplate;
use crate::workspace::Workspace;

/// What a job is about, for the place where it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobKind {
    /// Looking for images.
    Scan,
    /// Loading a stack.
    Load(StackId),
    /// Making thumbnails.
    Thumbnails,
    /// Listing models.
    Models,
    /// A model on a stack.
    Infer {
        /// The model's id.
        model: String,
        /// The stack.
        stack: StackId,
    },
    /// Looking at an answer of a model.
    Explain {
        /// The model's id.
        model: String,
        /// The stack.
        stack: StackId,
    },
    /// What is kept for models to learn from.
    Corrections,
    /// A copy of a model that learns.
    Improve,
    /// Keeping such a copy.
    KeepImproved,
    /// Saving.
    SaveSeg,
    /// Writing the report, in whatever form.
    SaveReport,
    /// Holding a report against itself and the images. Many of them a minute: not worth a word in the status bar.
    Check,
    /// Looking for words: those that may follow, or others. As many a minute.
    Complete,
    /// Writing a proposal.
    Propose,
    /// Looking for an answer in the knowledge base.
    Ask,
    /// Reading a template, recall notices, rules.
    Import,
    /// Writing a template.
    ExportTemplate,
    /// Signed reports on the disk.
    Signed,
    /// Loading a mask.
    LoadSeg,
    /// Looking for work of an earlier session.
    Recovery,
}

/// A running job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobInfo {
    /// Its number.
    pub id: JobId,
    /// What it is about.
    pub kind: JobKind,
    /// What is done, as a verb: `Running Lung masks`.
    pub title: String,
    /// 0 to 1; `None` when it cannot know.
    pub fraction: Option<f32>,
    /// With what: `24 of 120`.
    pub detail: String,
    /// It was asked to stop.
    pub cancelling: bool,
}

/// The report on a study and its findings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReportState {
    /// The sentences; empty while nothing was drafted or written.
    pub document: ReportDocument,
    /// The findings behind them.
    pub findings: FindingsFile,
    /// Changes since the last save.
    pub unsaved: usize,
    /// File and time of the last save.
    pub saved: Option<String>,
    /// Words that are being typed.
    pub typing: Option<Typing>,
    /// What the checks said last.
    pub checks: Checks,
    /// Objections that the reader keeps: rule, words, and why.
    pub kept: Vec<(Rule, String, String)>,
    /// What is proposed for it.
    pub offers: BTreeMap<OfferKind, Offer>,
    /// The signed versions.
    pub signed: Signed,
    /// A signed report is being corrected.
    pub amending: bool,
}

impl ReportState {
    /// Whether it is signed and nobody corrects it: then nothing changes it.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        self.signed.current().is_some() && !self.amending
    }

    /// Why the reader keeps an objection.
    #[must_use]
    pub fn reason(&self, objection: &Objection) -> Option<&str> {
        let (rule, message) = objection.key();
        self.kept.iter().find(|(r, m, _)| *r == rule && *m == message).map(|(_, _, why)| why.as_str())
    }

    /// What the checks said and the reader did not keep.
    pub fn open_objections(&self) -> impl Iterator<Item = &Objection> {
        self.checks.objections.iter().filter(|o| self.reason(o).is_none())
    }
}

/// The state of the application.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Open studies.
    pub library: Library,
    /// Layout, viewports, tool.
    pub workspace: Workspace,
    /// What was drawn, by stack.
    pub documents: BTreeMap<StackId, Document>,
    /// Files whose masks were loaded.
    pub loaded_masks: BTreeSet<PathBuf>,
    /// Wall clock, `HH:MM:SS`, as whoever drives the session told it last; for the history.
    pub now: String,
    /// Results of models, newest last.
    pub results: Vec<InferResult>,
    /// Maps of what answers rest on and of where they are unsure, oldest first.
    pub heats: Vec<Heat>,
    /// Learning from approved masks.
    pub improving: Improving,
    /// The built-in study is among those that are open.
    pub demo: bool,
    /// The models at hand.
    pub models: Vec<ModelInfo>,
    /// The reports, by Study Instance UID; those on closed studies too.
    pub reports: BTreeMap<String, ReportState>,
    /// The sentence that is pointed at, in the report and on the images.
    pub spotlight: Option<u64>,
    /// What may follow the words that are being typed.
    pub completing: Completing,
    /// Other words for the word that was asked for last.
    pub other_words: Option<OtherWords>,
    /// That word.
    pub(crate) words_wanted: String,
    /// Templates of the reader's own.
    pub templates: Vec<OwnTemplate>,
    /// The knowledge base's page.
    pub ask: Ask,
    /// The drugs' page.
    pub drugs: Drugs,
    /// Running jobs, oldest first.
    pub jobs: Vec<JobInfo>,
    /// Messages, oldest first.
    pub problems: Vec<Problem>,
    /// Work of an earlier session, until it is restored or refused.
    pub recovery: Option<Recovery>,
    /// Work to lay onto stacks once they are open again.
    pub(crate) restoring: Option<Recovery>,
    /// What was drawn on series that are closed. It comes back with them; the journal goes on holding it.
    pub(crate) closed: BTreeMap<StackKey, Document>,
    /// The numbers that closed series had, for what jobs still tell about them.
    pub(crate) was: BTreeMap<StackId, StackKey>,
    /// A record could not be written: the next one has to bring all work.
    pub(crate) journal_behind: bool,
    /// Stacks on whose pixels a model waits: (stack, model).
    pub(crate) run_when_open: Vec<(StackId, String)>,
    next_job: u64,
    next_problem: u64,
    next_result: u32,
    next_heat: u32,
}

impl Session {
    /// The jobs that every start needs: the models, and work left by a kill.
    pub fn start(&mut self) -> Vec<Effect> {
        let models = self.start_job(JobKind::Models, "Listing models", JobSpec::Models);
        let recovery = self.start_job(JobKind::Recovery, "Looking for unsaved work", JobSpec::FindRecovery);
        let own = self.start_job(JobKind::Import, "Reading templates and rules", JobSpec::ReadOwn);
        let corrections = self.start_job(JobKind::Corrections, "Counting approved masks", JobSpec::CountCorrections);
        vec![models, recovery, own, corrections]
    }

    /// Carries out a command. What has to happen outside the state comes back.
    pub fn apply(&mut self, command: Command) -> Vec<Effect> {
        let before = self.drawn();
        let mut effects = crate::apply::apply(self, command);
        effects.extend(self.recheck_report(before));
        effects.extend(crate::apply::check::start_due(self));
        effects.extend(crate::apply::write::start_due(self));
        crate::apply::keep::catch_up(self, effects)
    }

    /// Takes what a job tells. Events of jobs that are over are dropped, but for results that cannot hurt.
    pub fn on_event(&mut self, event: JobEvent) -> Vec<Effect> {
        let before = self.drawn();
        let mut effects = crate::apply::events::on_event(self, event);
        effects.extend(self.recheck_report(before));
        effects.extend(crate::apply::check::start_due(self));
        effects.extend(crate::apply::write::start_due(self));
        crate::apply::keep::catch_up(self, effects)
    }

    /// Changes with whatever is drawn or measured on any stack, and with what models said.
    pub(crate) fn drawn(&self) -> (usize, u64, usize) {
        (self.documents.len(), self.documents.values().map(|d| d.revision).sum(), self.results.len())
    }

    /// Holds the reports against the image once a change of it is whole, not at each point of a stroke.
    fn recheck_report(&mut self, before: (usize, u64, usize)) -> Vec<Effect> {
        if self.drawn() == before || self.documents.values().any(|d| d.stroke.is_some()) {
            return Vec::new();
        }
        crate::apply::report::recheck(self)
    }

    /// The document of a stack, if anything was drawn on it.
    #[must_use]
    pub fn document(&self, stack: StackId) -> Option<&Document> {
        self.documents.get(&stack)
    }

    /// The study whose report is shown: that of the stack in the active viewport.
    #[must_use]
    pub fn report_study(&self) -> Option<&str> {
        Some(self.library.study_of(self.active_stack()?)?.uid.as_str())
    }

    /// The report on the study in the active viewport; a blank one while nothing was written on it.
    #[must_use]
    pub fn report(&self) -> &ReportState {
        static BLANK: LazyLock<ReportState> = LazyLock::new(ReportState::default);
        self.report_study().and_then(|uid| self.reports.get(uid)).unwrap_or(&BLANK)
    }

    /// A number for a result.
    pub(crate) fn new_result(&mut self) -> ResultId {
        self.next_result += 1;
        ResultId(self.next_result)
    }

    /// The crosshair, where it lies in the space of a stack.
    #[must_use]
    pub fn crosshair_on(&self, stack: StackId) -> Option<lightbox_core::PatientPos> {
        let (frame, at) = self.workspace.crosshair.as_ref()?;
        (self.library.stack(stack)?.frame_of_reference() == *frame).then_some(*at)
    }

    /// The window that a viewport shows its stack with.
    #[must_use]
    pub fn window_of(&self, slot: usize) -> lightbox_core::Window {
        let view = self.workspace.views.get(slot);
        view.and_then(|v| v.window)
            .or_else(|| self.library.stack(view?.stack?)?.default_window)
            .unwrap_or_else(|| lightbox_core::Window::new(400.0, 40.0))
    }

    /// The stack in the active viewport.
    #[must_use]
    pub fn active_stack(&self) -> Option<StackId> {
        self.workspace.active_view().stack
    }

    /// The document of the active stack.
    #[must_use]
    pub fn active_document(&self) -> Option<&Document> {
        self.document(self.active_stack()?)
    }

    /// Whether work of a person is not saved anywhere but in the journal.
    #[must_use]
    pub fn has_unsaved_work(&self) -> bool {
        self.documents.values().chain(self.closed.values()).any(Document::has_unsaved_work)
            || self.reports.values().any(|r| r.unsaved > 0)
    }

    /// The job with this number, if it runs.
    #[must_use]
    pub fn job(&self, id: JobId) -> Option<&JobInfo> {
        self.jobs.iter().find(|j| j.id == id)
    }

    /// The job that runs a model on a stack.
    #[must_use]
    pub fn infer_job(&self, stack: StackId, model: &str) -> Option<&JobInfo> {
        self.jobs.iter().find(|j| matches!(&j.kind, JobKind::Infer { model: m, stack: s } if m == model && *s == stack))
    }

    /// The job that looks at an answer of a model on a stack.
    #[must_use]
    pub fn explain_job(&self, stack: StackId, model: &str) -> Option<&JobInfo> {
        let is = |k: &JobKind| matches!(k, JobKind::Explain { model: m, stack: s } if m == model && *s == stack);
        self.jobs.iter().find(|j| is(&j.kind))
    }

    /// The map that is drawn on a frame.
    #[must_use]
    pub fn heat_on(&self, stack: StackId, frame: usize) -> Option<&Heat> {
        self.heats.iter().find(|h| h.visible && h.stack == stack && h.frame == frame)
    }

    /// A number for a map.
    pub(crate) fn new_heat(&mut self) -> HeatId {
        self.next_heat += 1;
        HeatId(self.next_heat)
    }

    /// Notes a job and asks for its start.
    pub(crate) fn start_job(&mut self, kind: JobKind, title: &str, spec: JobSpec) -> Effect {
        let id = JobId(self.next_job);
        self.next_job += 1;
        self.jobs.push(JobInfo {
            id,
            kind,
            title: title.to_owned(),
            fraction: None,
            detail: String::new(),
            cancelling: false,
        });
        Effect::Start(id, spec)
    }

    /// Notes a message. The same message twice is one.
    pub fn tell(&mut self, severity: Severity, place: ProblemPlace, title: &str, detail: &str) {
        self.problems.retain(|p| !(p.place == place && p.title == title && p.detail == detail));
        let id = self.next_problem;
        self.next_problem += 1;
        self.problems.push(Problem { id, severity, place, title: title.to_owned(), detail: detail.to_owned() });
        // A scan of a broken folder must not grow the list without end.
        if self.problems.len() > 50 {
            self.problems.remove(0);
        }
    }

    /// Whether the program waits for something that a script should wait for too.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Runs a job's event through the state and gives it back, for tests and scripts.
    pub fn is_final(kind: &EventKind) -> bool {
        matches!(kind, EventKind::Done | EventKind::Cancelled | EventKind::Failed(_))
    }
}

//! Commands, by area.

mod annotate;
pub(crate) mod check;
pub(crate) mod events;
mod explain;
mod improve;
pub(crate) mod keep;
mod knowledge;
pub(crate) mod report;
mod results;
pub(crate) mod segment;
mod sign;
mod study;
mod template;
pub(crate) mod view;
pub(crate) mod write;

use crate::command::Command;
use crate::event::{Effect, JobSpec};
use crate::export::Form;
use crate::session::{JobKind, Session};

/// A number of things with its word: `1 notice`, `3 notices`.
fn count(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// Carries out a command.
pub(crate) fn apply(s: &mut Session, command: Command) -> Vec<Effect> {
    use Command as C;
    match command {
        C::Open(paths) => study::open(s, paths),
        C::OpenDemo => study::open_demo(s),
        C::CloseStudy(uid) => study::close(s, &uid),
        C::Show { slot, stack } => view::show(s, slot, stack, None),
        C::ShowNth { slot, n, plane } => {
            let stack = s.library.stacks().nth(n).map(|e| e.id);
            stack.map(|stack| view::show(s, slot, stack, plane)).unwrap_or_default()
        }
        C::SetLayout(layout) => view::set_layout(s, layout),
        C::Activate(slot) => view::activate(s, slot),
        C::SetLinked(on) => {
            s.workspace.linked = on;
            view::settings(s)
        }
        C::SetPanel(tab) => {
            s.workspace.panel = tab;
            view::settings(s)
        }
        C::SetStudyList(mode) => {
            s.workspace.study_list = mode;
            view::settings(s)
        }
        C::SetText(text) => {
            s.workspace.text = text;
            view::settings(s)
        }
        C::SetTheme(theme) => {
            s.workspace.theme = theme;
            view::settings(s)
        }
        C::SetPlane { slot, plane } => view::set_plane(s, slot, plane),
        C::ScrollBy { slot, planes } => view::scroll_by(s, slot, planes),
        C::ScrollTo { slot, index } => view::scroll_to(s, slot, index),
        C::SetWindow { slot, window } => view::set_window(s, slot, window),
        C::Preset { slot, n } => view::preset(s, slot, n),
        C::AutoWindow { slot } => view::auto_window(s, slot),
        C::Invert { slot } => view::change(s, slot, |v| v.inverted = !v.inverted),
        C::SetZoom { slot, zoom, pan_mm } => view::set_zoom(s, slot, zoom, pan_mm),
        C::Fit { slot } => view::change(s, slot, |v| {
            v.zoom = 1.0;
            v.pan_mm = [0.0, 0.0];
        }),
        C::Reset { slot } => view::change(s, slot, |v| {
            v.zoom = 1.0;
            v.pan_mm = [0.0, 0.0];
            v.window = None;
            v.inverted = false;
        }),
        C::PointAt { slot, at } => view::point_at(s, slot, at),
        C::SetTool(tool) => segment::end_stroke(s, |s| {
            s.workspace.tool = tool;
            view::settings(s)
        }),
        C::SetBrush(brush) => {
            let radius_mm = if brush.radius_mm.is_finite() { brush.radius_mm.clamp(0.1, 200.0) } else { 4.0 };
            s.workspace.brush = crate::workspace::BrushSettings { radius_mm, ..brush };
            view::settings(s)
        }
        C::SetOverwrite(overwrite) => {
            s.workspace.overwrite = overwrite;
            view::settings(s)
        }
        C::AddAnnotation { slot, kind, points } => annotate::add(s, slot, kind, points),
        C::MoveAnnotation { stack, id, points } => annotate::move_points(s, stack, id, points),
        C::DeleteAnnotation { stack, id } => annotate::delete(s, stack, id),
        C::GoToAnnotation { stack, id } => annotate::go_to(s, stack, id),
        C::AddSegment { name } => segment::add(s, name.as_deref()),
        C::SelectSegment(id) => segment::select(s, id),
        C::RenameSegment(id, name) => segment::rename(s, id, &name),
        C::SetSegmentColour(id, colour) => segment::set_colour(s, id, colour),
        C::SetSegmentVisible(id, on) => segment::set_visible(s, id, on),
        C::SetSegmentLocked(id, on) => segment::set_locked(s, id, on),
        C::DeleteSegment(id) => segment::delete(s, id),
        C::AcceptSegment(id) => segment::accept(s, id),
        C::SetMaskStyle(style) => {
            s.workspace.masks = style;
            view::settings(s)
        }
        C::StrokeBegin { slot, at, erase } => segment::stroke_begin(s, slot, at, erase),
        C::StrokeTo { at } => segment::stroke_to(s, at),
        C::StrokeEnd => segment::stroke_end(s),
        C::StrokeCancel => segment::stroke_cancel(s),
        C::Undo => segment::undo(s),
        C::Redo => segment::redo(s),
        C::SaveSeg(to) => segment::save(s, to),
        C::LoadSeg(path) => segment::load(s, path),
        C::RunModel { slot, model, series } => study::run_model(s, slot, &model, series),
        C::RemoveResult(id) => results::remove(s, id),
        C::DecideBox { stack, id, state } => results::decide_box(s, stack, id, state),
        C::SetScoreFrom { model, score } => {
            let score = if score.is_finite() { score.clamp(0.0, 1.0) } else { 0.0 };
            s.workspace.score_from.insert(model, score);
            Vec::new()
        }
        C::SetLayer { slot, layer } => results::set_layer(s, slot, layer),
        C::CompareResult(id) => results::compare(s, id),
        C::Explain { slot, model, by, class } => explain::start(s, slot, &model, by, class),
        C::ShowHeat(id, on) => explain::show(s, id, on),
        C::SetHeatOpacity(id, opacity) => explain::set_opacity(s, id, opacity),
        C::RemoveHeat(id) => {
            s.heats.retain(|h| h.id != id);
            Vec::new()
        }
        C::UseForImproving { slot, model } => improve::add(s, slot, &model),
        C::ForgetCorrections(model) => improve::forget(s, model),
        C::Improve(model) => improve::start(s, &model),
        C::FinishImproving => improve::finish(s),
        C::KeepImproved => improve::keep(s),
        C::DiscardImproved => {
            s.improving.offer = None;
            Vec::new()
        }
        C::ChooseModel(id) => {
            s.workspace.chosen_model = Some(id);
            Vec::new()
        }
        C::ListModels => {
            let count = s.start_job(JobKind::Corrections, "Counting approved masks", JobSpec::CountCorrections);
            vec![s.start_job(JobKind::Models, "Listing models", JobSpec::Models), count]
        }
        C::CancelJob(id) => study::cancel(s, id),
        C::CancelLatest => match s.jobs.iter().rev().find(|j| study::is_cancellable(j)).map(|j| j.id) {
            Some(id) => study::cancel(s, id),
            None => Vec::new(),
        },
        C::DraftReport => report::draft(s),
        C::AcceptSentence(id) => report::change(s, id, |d| d.accept(id)),
        C::RejectSentence(id) => report::change(s, id, |d| d.reject(id)),
        C::EditSentence(id, text) => report::change(s, id, |d| d.edit(id, &text)),
        C::InsertSentence { section, sentence, text, study } => {
            report::insert(s, study, Command::place(section, sentence), &text)
        }
        C::RemoveSentence(id) => report::change(s, id, |d| d.remove(id).map(|_| ())),
        C::SaveReport(to) => sign::export(s, Form::Text, to),
        C::ExportReport { form, to } => sign::export(s, form, to),
        C::Type { words, study } => check::type_words(s, study, words),
        C::Complete { words, study } => write::complete(s, words, study),
        C::SetCompletes(on) => write::set_completes(s, on),
        C::ForgetPhrases => write::forget(s),
        C::OtherWords(term) => write::other_words(s, &term),
        C::Propose(kind) => write::propose(s, kind),
        C::DecideOffer { kind, sentence, fate } => write::decide(s, kind, sentence, fate),
        C::CloseOffer(kind) => write::close(s, kind),
        C::SaveLetter(to) => write::save_letter(s, to),
        C::SetChatModel(path) => write::set_model(s, path),
        C::Keep { rule, message, reason } => check::keep(s, &rule, &message, &reason),
        C::Spotlight(sentence) => check::spotlight(s, sentence, false),
        C::GoToSentence(id) => check::spotlight(s, Some(id), true),
        C::ShowSentenceOf { stack, thing } => check::show_sentence_of(s, stack, thing),
        C::NextOpen => check::next_open(s),
        C::SetTemplate(id) => template::set(s, &id),
        C::ImportTemplate(path) => {
            vec![s.start_job(JobKind::Import, "Reading the template", JobSpec::ImportTemplate(path))]
        }
        C::ExportTemplate(to) => template::export(s, to),
        C::TakeAdvice { source, finding } => template::take_advice(s, &source, finding.as_deref()),
        C::SetReader(name) => {
            s.workspace.reader = name.split_whitespace().collect::<Vec<_>>().join(" ");
            view::settings(s)
        }
        C::SignReport { reason } => sign::sign(s, reason),
        C::Amend(on) => sign::amend(s, on),
        C::ShowSheet(sheet) => {
            s.workspace.sheet = sheet;
            Vec::new()
        }
        C::SetReportPage(page) => knowledge::page(s, page),
        C::Ask { question, audience } => knowledge::ask(s, &question, audience),
        C::SetKnowledgeFolder(folder) => knowledge::set_folder(s, folder),
        C::FindDrug(query) => knowledge::find_drug(s, query),
        C::ChooseDrug(name) => knowledge::choose(s, name),
        C::SetNumbers(numbers) => knowledge::set_numbers(s, numbers),
        C::ImportRecalls(path) => {
            vec![s.start_job(JobKind::Import, "Reading recall notices", JobSpec::ImportRecalls(path))]
        }
        C::ImportDrugRules(path) => {
            vec![s.start_job(JobKind::Import, "Reading drug rules", JobSpec::ImportDrugRules(path))]
        }
        C::Restore => keep::restore(s),
        C::DiscardRecovery => keep::discard_recovery(s),
        C::Dismiss(id) => {
            s.problems.retain(|p| p.id != id);
            Vec::new()
        }
        C::Quit => segment::end_stroke(s, |s| vec![Effect::Quit { keep_journal: s.has_unsaved_work() }]),
    }
}

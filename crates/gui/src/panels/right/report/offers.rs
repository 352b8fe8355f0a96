//! What is proposed as whole sentences: the impression, and the letter to the patient. Each sentence is taken or refused by
//! itself; one that says more than is known is struck through and has no way into the report.

use egui::text::{LayoutJob, TextFormat, TextWrapping};
use egui::{Align, Color32, Layout, Popup, Role, Sense, Stroke, Ui, WidgetInfo, vec2};
use lightbox_session::proposals::{Fate, Offer, OfferKind, Offered};
use lightbox_session::{Command, JobKind, ReportState};

use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::{Weight, font};
use crate::icons;
use crate::panels::parts::{NOTE, TABLE, inside, line_with_end, menu_item, menu_line, paragraph, rich, words};
use crate::theme::size;
use crate::widgets::{Button, Card, Chip, IconButton, Progress, Row, Tone, caption, hair};

/// Below the sections. Of a signed report only the letter can still be written.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState) {
    ui.add_space(12.0);
    caption(ui, "PROPOSALS");
    ui.add_space(4.0);
    let kinds: &[OfferKind] = if report.is_read_only() { &[OfferKind::Letter] } else { &OfferKind::ALL };
    buttons(ui, cx, out, kinds);
    if let Some(job) = cx.session.jobs.iter().find(|job| job.kind == JobKind::Propose) {
        ui.add_space(8.0);
        let detail = if job.detail.is_empty() { "writing" } else { &job.detail };
        line_with_end(
            ui,
            size::CONTROL_COMPACT,
            |ui| {
                if ui.add(Button::new("Stop").ghost().compact()).clicked() {
                    out.command(Command::CancelJob(job.id));
                }
            },
            |ui| ui.add(Progress::new(&job.title, job.fraction.unwrap_or(0.0)).text(detail)),
        );
    }
    for kind in kinds {
        if let Some(offer) = report.offers.get(kind) {
            ui.add_space(8.0);
            ui.push_id(kind, |ui| one(ui, cx, out, report, *kind, offer));
        }
    }
}

fn buttons(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, kinds: &[OfferKind]) {
    let busy = cx.session.jobs.iter().any(|job| job.kind == JobKind::Propose);
    let reason = if busy { "one is being written" } else { "" };
    let mut wishes = Out::default();
    line_with_end(
        ui,
        size::CONTROL_COMPACT,
        |ui| {
            let more = ui.add(IconButton::new(icons::SLIDERS_HORIZONTAL, "How proposals are written").compact());
            Popup::menu(&more).gap(4.0).align(egui::RectAlign::TOP_END).show(|ui| {
                ui.set_min_width(240.0);
                ui.spacing_mut().item_spacing.y = 0.0;
                menu(ui, cx, &mut wishes);
            });
        },
        |ui| {
            for kind in kinds {
                let line = match kind {
                    OfferKind::Impression => "From the findings that you confirmed; each sentence waits for you.",
                    OfferKind::Letter => "In plain words, beside the report; each sentence waits for you.",
                };
                let icon = match kind {
                    OfferKind::Impression => icons::FILE_TEXT,
                    OfferKind::Letter => icons::USER,
                };
                let button = Button::new(kind.name()).icon(icon).compact().line(line).disabled(reason);
                if ui.add(button).clicked() {
                    out.command(Command::Propose(*kind));
                }
            }
        },
    );
    out.commands.append(&mut wishes.commands);
    out.requests.append(&mut wishes.requests);
}

fn menu(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let w = &cx.session.workspace;
    if menu_item(ui, Row::new("Words while typing").selected(w.completes)) {
        out.command(Command::SetCompletes(!w.completes));
    }
    if menu_item(ui, Row::new("Forget learnt phrases").icon(icons::TRASH)) {
        out.command(Command::ForgetPhrases);
    }
    menu_line(ui);
    if menu_item(ui, Row::new("By rules alone").selected(w.chat_model.is_none())) && w.chat_model.is_some() {
        out.command(Command::SetChatModel(None));
    }
    let name = w.chat_model.as_ref().and_then(|p| p.file_name()).map(|n| n.to_string_lossy().into_owned());
    if let Some(name) = &name {
        // It is chosen already.
        menu_item(ui, Row::new(name).icon(icons::CPU).selected(true));
    }
    if menu_item(ui, Row::new("By a language model (GGUF)…").icon(icons::CPU)) {
        out.dialog(DialogRequest::ChatModel);
    }
}

fn one(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, report: &ReportState, kind: OfferKind, offer: &Offer) {
    let t = cx.tokens;
    hair(ui, 0.0);
    ui.add_space(4.0);
    let by = offer.model.as_ref().map_or("by rules", |m| m.name.as_str());
    line_with_end(
        ui,
        size::ROW[0],
        |ui| {
            let name = format!("Close the proposal, {}", kind.name().to_lowercase());
            if ui.add(IconButton::new(icons::X, &name).compact()).clicked() {
                out.command(Command::CloseOffer(kind));
            }
        },
        |ui| {
            words(ui, kind.name(), TABLE, Weight::SemiBold, t.t1);
            words(ui, by, NOTE, Weight::Regular, t.t3);
        },
    );
    if offer.model.is_some() {
        let body = "Each sentence was read again. What the findings do not hold is struck through and cannot be taken.";
        Card::new(Tone::Warn, "AI-generated draft", body).icon(icons::SPARKLE).show(ui);
        ui.add_space(4.0);
    }
    if let Some(note) = &offer.note {
        paragraph(ui, note, NOTE, t.warn);
        ui.add_space(4.0);
    }
    for (n, offered) in offer.sentences.iter().enumerate() {
        ui.push_id(n, |ui| sentence(ui, cx, out, report, kind, n, offered));
    }
    if kind == OfferKind::Letter {
        letter(ui, cx, out, offer);
    }
}

fn sentence(
    ui: &mut Ui,
    cx: &Cx<'_>,
    out: &mut Out,
    report: &ReportState,
    kind: OfferKind,
    place: usize,
    offered: &Offered,
) {
    let t = cx.tokens;
    let judged = &offered.judged;
    let sound = judged.insertable().is_some();
    ui.add_space(6.0);
    match (sound, offered.fate) {
        (false, _) => struck(ui, &judged.text, t.err),
        (_, Fate::Refused) => struck(ui, &judged.text, t.t3),
        _ => {
            rich(ui, &[(judged.text.as_str(), Weight::Regular, t.t1)], TABLE);
        }
    }
    for fault in &judged.faults {
        paragraph(ui, &fault.message, NOTE, t.err);
    }
    ui.add_space(2.0);
    let mut wish = None;
    let decide = |fate| Command::DecideOffer { kind, sentence: place, fate };
    line_with_end(
        ui,
        size::CONTROL_COMPACT,
        |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            match (sound, offered.fate) {
                (true, Fate::Taken) => {
                    let text = if kind == OfferKind::Letter { "In the letter" } else { "In the report" };
                    ui.add(Chip::new(text).icon(icons::CHECK).tone(Tone::Ok));
                    if kind == OfferKind::Letter && ui.add(Button::new("Leave out").ghost().in_row()).clicked() {
                        wish = Some(decide(Fate::Open));
                    }
                }
                (_, Fate::Refused) => {
                    if ui.add(Button::new("Take back").ghost().in_row()).clicked() {
                        wish = Some(decide(Fate::Open));
                    }
                }
                _ => {
                    let refuse = IconButton::new(icons::X, "Refuse the proposal").compact().raised();
                    if ui.add(refuse).clicked() {
                        wish = Some(decide(Fate::Refused));
                    }
                    if sound {
                        let take = IconButton::new(icons::CHECK, "Take the proposal").compact().raised().ink(t.ok);
                        if ui.add(take).clicked() {
                            wish = Some(decide(Fate::Taken));
                        }
                    }
                }
            }
        },
        |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            for (id, label) in &offered.from {
                let about = report.document.sentences().find(|x| x.finding_ids.contains(id)).map(|x| x.id);
                let mut chip = Chip::new(label).icon(icons::RULER);
                if about.is_some() {
                    chip = chip.clickable().line("Shows it on the image.");
                }
                if ui.add(chip).clicked()
                    && let Some(about) = about
                {
                    out.command(Command::GoToSentence(about));
                }
            }
            // A letter's greeting is nobody's finding.
            if offered.from.is_empty() && sound && kind == OfferKind::Impression {
                ui.add(Chip::new("Report text").icon(icons::FILE_TEXT));
            }
        },
    );
    wish.into_iter().for_each(|command| out.command(command));
}

/// What is done with a letter.
fn letter(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, offer: &Offer) {
    let text = offer.taken();
    let nothing = if text.is_empty() { "no sentence is taken yet" } else { "" };
    let open: Vec<usize> = offer
        .sentences
        .iter()
        .enumerate()
        .filter(|(_, x)| x.fate == Fate::Open && x.judged.insertable().is_some())
        .map(|(n, _)| n)
        .collect();
    ui.add_space(8.0);
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::CONTROL_COMPACT), Sense::hover());
    let mut line = inside(ui, rect, Layout::left_to_right(Align::Center));
    line.spacing_mut().item_spacing.x = 4.0;
    let all = if open.is_empty() { "nothing is left to take" } else { "" };
    if line.add(Button::new("Take the rest").compact().disabled(all)).clicked() {
        for sentence in open {
            out.command(Command::DecideOffer { kind: OfferKind::Letter, sentence, fate: Fate::Taken });
        }
    }
    if line.add(Button::new("Copy").icon(icons::COPY).compact().disabled(nothing)).clicked() {
        line.ctx().copy_text(text);
    }
    let save = Button::new("Save letter…").icon(icons::EXPORT).compact().disabled(nothing);
    if line.add(save).clicked()
        && let Some(study) = cx.session.report_study()
    {
        out.dialog(DialogRequest::SaveLetter(study.to_owned()));
    }
}

/// A paragraph that is struck through.
fn struck(ui: &mut Ui, text: &str, ink: Color32) {
    let format = TextFormat {
        line_height: Some(size::LINE[TABLE]),
        strikethrough: Stroke::new(1.0, ink),
        ..TextFormat::simple(font(size::TEXT[TABLE], Weight::Regular), ink)
    };
    let mut job = LayoutJob { wrap: TextWrapping::wrap_at_width(ui.available_width()), ..LayoutJob::default() };
    job.append(text, 0.0, format);
    let galley = ui.painter().layout_job(job);
    let (rect, response) = ui.allocate_exact_size(galley.size().ceil(), Sense::hover());
    ui.painter().galley(rect.min, galley, ink);
    let name = format!("Struck: {text}");
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, &name));
}

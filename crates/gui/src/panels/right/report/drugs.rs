//! The page of drugs and contrast agents: a search, rules side by side with their sources, the patient's numbers, recalls.

use egui::{Align, Id, Layout, Sense, TextEdit, Ui, vec2};
use lightbox_session::Command;
use lightbox_session::drugs::{
    Drug, GADOLINIUM_MMOL_KG, GADOLINIUM_MMOL_ML, IODINE_MG_KG, IODINE_MG_ML, Numbers, Rule, Topic,
};
use lightbox_session::problem::ProblemPlace;

use super::{SIDE_PT, scrolled};
use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::Weight;
use crate::icons;
use crate::panels::parts::{BODY, NOTE, TABLE, inside, line_with_end, paragraph, problems, rich, words};
use crate::theme::size;
use crate::widgets::{Button, Card, Chip, IconButton, Row, SearchField, Segmented, Tone, caption, hair};

/// Fills its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let drugs = &cx.session.drugs;
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), 36.0), Sense::hover());
    let mut head = inside(ui, rect.shrink2(vec2(SIDE_PT, 0.0)), Layout::left_to_right(Align::Min));
    let mut query = drugs.query.clone();
    let width = head.available_width();
    let field = SearchField::new("Find a drug or contrast agent", &mut query).width(width);
    if head.add(field).changed() {
        out.command(Command::FindDrug(query));
    }
    hair(ui, 0.0);
    scrolled(ui, |ui| {
        if problems(ui, cx, out, ProblemPlace::Report) > 0 {
            ui.add_space(8.0);
        }
        match drugs.drug() {
            Some(drug) => one(ui, cx, out, drug),
            None => {
                calculators(ui, cx, out);
                list(ui, cx, out);
            }
        }
        ui.add_space(16.0);
        files(ui, cx, out);
    });
}

fn list(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let found = cx.session.drugs.found();
    ui.add_space(12.0);
    caption(ui, "DRUGS AND AGENTS");
    ui.add_space(2.0);
    if found.is_empty() {
        paragraph(ui, "No drug of that name is in the library.", TABLE, cx.tokens.t3);
    }
    for drug in found {
        let brands = drug.brands.join(", ");
        let row = Row::new(&drug.name).dense().end(&brands);
        if ui.push_id(&drug.name, |ui| row.show(ui)).inner.clicked() {
            out.command(Command::ChooseDrug(Some(drug.name.clone())));
        }
    }
}

/// A drug: what it is for, what the sources say of it for this patient, recalls.
fn one(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out, drug: &Drug) {
    let t = cx.tokens;
    let drugs = &cx.session.drugs;
    line_with_end(
        ui,
        size::CONTROL,
        |ui| {
            if ui.add(IconButton::new(icons::X, "Back to the list").compact()).clicked() {
                out.command(Command::ChooseDrug(None));
            }
        },
        |ui| {
            words(ui, &drug.name, BODY, Weight::SemiBold, t.t1);
            words(ui, &drug.brands.join(", "), NOTE, Weight::Regular, t.t3);
        },
    );
    paragraph(ui, &drug.note, TABLE, t.t2);
    if !drug.dose.is_empty() {
        ui.add_space(4.0);
        rich(ui, &[("Usual adult dose: ", Weight::Regular, t.t3), (drug.dose.as_str(), Weight::Regular, t.t1)], TABLE);
    }
    for recall in drugs.recalls_of(drug) {
        ui.add_space(8.0);
        let lead = format!("Recall {}, {}, {}.", recall.recall_number, recall.classification, recall.status);
        let body = format!("{} {} ({})", recall.product_description, recall.reason_for_recall, recall.report_date);
        Card::new(Tone::Error, &lead, &body).show(ui);
    }
    ui.add_space(8.0);
    let known = match with_header(cx, drugs.numbers).egfr() {
        Some((egfr, formula)) => {
            format!("For an eGFR of {egfr:.0} mL/min/1.73 m² ({formula}); rules that do not hold are left out.")
        }
        None => "The eGFR is not known: no rule is left out.".to_owned(),
    };
    paragraph(ui, &known, NOTE, t.t3);
    for (n, topic) in drugs.topics(drug).iter().enumerate() {
        ui.add_space(12.0);
        ui.push_id(n, |ui| rules(ui, cx, topic));
    }
    ui.add_space(12.0);
    calculators(ui, cx, out);
}

/// Rules on a topic, side by side; that sources differ is said first.
fn rules(ui: &mut Ui, cx: &Cx<'_>, topic: &Topic<'_>) {
    let t = cx.tokens;
    line_with_end(
        ui,
        size::ROW[0],
        |ui| {
            if topic.conflict {
                ui.add(Chip::new("Sources differ").icon(icons::WARNING).tone(Tone::Warn));
            }
        },
        |ui| {
            words(ui, &capital(topic.topic), TABLE, Weight::SemiBold, t.t1);
        },
    );
    let columns = if topic.conflict && topic.rules.len() > 1 { 2 } else { 1 };
    for pair in topic.rules.chunks(columns) {
        ui.add_space(4.0);
        let width = (ui.available_width() - 8.0 * (columns as f32 - 1.0)) / columns as f32;
        ui.horizontal_top(|ui| {
            ui.spacing_mut().item_spacing.x = 8.0;
            for rule in pair {
                ui.allocate_ui_with_layout(vec2(width, 0.0), Layout::top_down(Align::Min), |ui| {
                    ui.set_width(width);
                    ui.spacing_mut().item_spacing = vec2(8.0, 2.0);
                    told(ui, cx, rule);
                });
            }
        });
    }
}

fn told(ui: &mut Ui, cx: &Cx<'_>, rule: &Rule) {
    let t = cx.tokens;
    let (tone, icon) = match rule.verdict.as_str() {
        "contraindicated" => (Tone::Error, icons::PROHIBIT),
        "caution" | "hold" => (Tone::Warn, icons::WARNING),
        "allowed" => (Tone::Ok, icons::CHECK),
        _ => (Tone::Plain, icons::INFO),
    };
    ui.add(Chip::new(&capital(&rule.verdict)).icon(icon).tone(tone));
    paragraph(ui, &rule.text, TABLE, t.t1);
    let local = if rule.local { "Local rule, " } else { "" };
    let source = format!("{local}{}, {}, {}, {}", rule.source, rule.edition, rule.date, rule.jurisdiction);
    paragraph(ui, &source, NOTE, t.t3);
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default() + letters.as_str()
}

/// The patient's numbers and what follows from them.
fn calculators(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let t = cx.tokens;
    let before = with_header(cx, cx.session.drugs.numbers);
    let mut n = before;
    caption(ui, "NUMBERS OF THE PATIENT");
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        let unit = if n.micromol { "µmol/L" } else { "mg/dL" };
        number(ui, cx, "Creatinine", unit, &mut n.creatinine);
        let mut chosen = usize::from(n.micromol);
        Segmented::new("Unit of creatinine", &["mg/dL", "µmol/L"]).show(ui, &mut chosen);
        n.micromol = chosen == 1;
    });
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        number(ui, cx, "Age", "years", &mut n.age);
        let mut chosen = match n.female {
            Some(true) => 0,
            Some(false) => 1,
            None => 2,
        };
        Segmented::new("Sex", &["Female", "Male", "?"]).show(ui, &mut chosen);
        n.female = [Some(true), Some(false), None][chosen];
    });
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        number(ui, cx, "Height", "cm", &mut n.height_cm);
        number(ui, cx, "Weight", "kg", &mut n.weight_kg);
    });
    ui.add_space(4.0);
    let egfr = n.egfr();
    result(
        ui,
        cx,
        "eGFR",
        egfr.map(|(v, _)| format!("{v:.0} mL/min/1.73 m²")),
        egfr.map_or("needs creatinine, age, sex", |(_, f)| f),
    );
    result(ui, cx, "Body surface", n.surface_m2().map(|v| format!("{v:.2} m²")), "Mosteller 1987");
    ui.add_space(8.0);
    caption(ui, "DOSES");
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        usual(ui, cx, "Iodine dose", "mg/kg", &mut n.iodine_mg_kg, IODINE_MG_KG);
        usual(ui, cx, "Iodine concentration", "mg/mL", &mut n.iodine_mg_ml, IODINE_MG_ML);
    });
    let needs = if n.weight_kg.is_none() { "needs a weight" } else { "by weight, 200 mL at most" };
    result(ui, cx, "Iodinated agent", n.iodinated_ml().map(|v| format!("{v:.0} mL")), needs);
    ui.add_space(4.0);
    ui.horizontal(|ui| {
        usual(ui, cx, "Gadolinium dose", "mmol/kg", &mut n.gadolinium_mmol_kg, GADOLINIUM_MMOL_KG);
        usual(ui, cx, "Gadolinium concentration", "mmol/mL", &mut n.gadolinium_mmol_ml, GADOLINIUM_MMOL_ML);
    });
    let needs = if n.weight_kg.is_none() { "needs a weight" } else { "by weight" };
    result(ui, cx, "Gadolinium agent", n.gadolinium_ml().map(|v| format!("{v:.1} mL")), needs);
    let needs = if egfr.is_none() { "needs an eGFR" } else { "3 × eGFR, Gurm 2011" };
    result(ui, cx, "Most for an arterial study", n.most_arterial_ml().map(|v| format!("{v:.0} mL")), needs);
    paragraph(ui, "For orientation; the label of the agent holds.", NOTE, t.t3);
    if n != before {
        out.command(Command::SetNumbers(n));
    }
}

/// What the header of the study tells, where the reader gave nothing.
fn with_header(cx: &Cx<'_>, n: Numbers) -> Numbers {
    let patient = cx.session.active_stack().and_then(|id| cx.session.library.study_of(id)).map(|s| &s.patient);
    let told = patient.and_then(|p| match p.sex.as_str() {
        "F" => Some(true),
        "M" => Some(false),
        _ => None,
    });
    Numbers { age: n.age.or(patient.and_then(|p| p.age_years)), female: n.female.or(told), ..n }
}

/// A field for a number that may be unknown.
fn number(ui: &mut Ui, cx: &Cx<'_>, name: &str, unit: &str, value: &mut Option<f64>) {
    field(ui, cx, name, unit, value, "?");
}

/// The same for one that has a usual value.
fn usual(ui: &mut Ui, cx: &Cx<'_>, name: &str, unit: &str, value: &mut Option<f64>, usual: f64) {
    field(ui, cx, name, unit, value, &short(usual));
}

fn field(ui: &mut Ui, cx: &Cx<'_>, name: &str, unit: &str, value: &mut Option<f64>, hint: &str) {
    let t = cx.tokens;
    let label = name
        .strip_suffix(" concentration")
        .or_else(|| name.strip_suffix(" dose"))
        .map_or(name, |_| if name.ends_with("dose") { name } else { "of" });
    words(ui, label, TABLE, Weight::Regular, t.t2);
    let id = Id::unique(("number of the patient", name));
    let typed = ui.data(|data| data.get_temp::<String>(id));
    let mut text = typed.clone().unwrap_or_else(|| value.map(short).unwrap_or_default());
    let field = ui.add(
        TextEdit::singleline(&mut text)
            .id(id.with("field"))
            .hint_text(egui::RichText::new(hint).color(t.t3))
            .font(crate::fonts::table_style())
            .align(egui::Align2::LEFT_CENTER)
            .desired_width(48.0),
    );
    ui.ctx().accesskit_node_builder(field.id, |node| node.set_label(name));
    words(ui, unit, NOTE, Weight::Regular, t.t3);
    if field.has_focus() {
        ui.data_mut(|data| data.insert_temp(id, text.clone()));
    } else if typed.is_some() {
        ui.data_mut(|data| data.remove_temp::<String>(id));
    }
    if field.changed() {
        *value = text.trim().replace(',', ".").parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0);
    }
}

fn short(v: f64) -> String {
    format!("{v:.2}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn result(ui: &mut Ui, cx: &Cx<'_>, name: &str, value: Option<String>, how: &str) {
    let t = cx.tokens;
    line_with_end(
        ui,
        size::ROW[0],
        |ui| {
            let ink = if value.is_some() { t.t1 } else { t.t3 };
            words(ui, value.as_deref().unwrap_or("unknown"), TABLE, Weight::Medium, ink);
        },
        |ui| {
            words(ui, name, TABLE, Weight::Regular, t.t2);
            words(ui, how, NOTE, Weight::Regular, t.t3);
        },
    );
}

/// Files of the place's own: recall notices, rules.
fn files(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let t = cx.tokens;
    let drugs = &cx.session.drugs;
    hair(ui, 0.0);
    ui.add_space(8.0);
    let notices = drugs.recalls.len();
    line_with_end(
        ui,
        size::CONTROL,
        |ui| {
            let line = "A file in the shape of openFDA drug/enforcement.";
            if ui.add(Button::new("Import recalls…").compact().line(line)).clicked() {
                out.dialog(DialogRequest::ImportRecalls);
            }
        },
        |ui| {
            words(ui, &format!("{notices} recall notices"), NOTE, Weight::Regular, t.t3);
        },
    );
    ui.add_space(4.0);
    let local = drugs.library().rules().iter().filter(|rule| rule.local).count();
    line_with_end(
        ui,
        size::CONTROL,
        |ui| {
            let line = "A TOML file of the form of the program's own; its rules stand first.";
            if ui.add(Button::new("Import rules…").compact().line(line)).clicked() {
                out.dialog(DialogRequest::ImportDrugRules);
            }
        },
        |ui| {
            words(ui, &format!("{local} local rules"), NOTE, Weight::Regular, t.t3);
        },
    );
}

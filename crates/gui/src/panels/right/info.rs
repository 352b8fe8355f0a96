//! The Info tab: what the header says of the active series, and what is wrong with it.

use egui::Ui;
use lightbox_core::measure::Calibration;
use lightbox_session::{LoadState, OpenStack};

use super::{between, body, part};
use crate::cx::{Cx, DialogRequest, Out};
use crate::fonts::{Weight, font};
use crate::icons;
use crate::panels::amount::minus;
use crate::panels::parts::{NOTE, TABLE, count, words};
use crate::panels::study_list::left_out_files;
use crate::panels::tool_options::{millimetres, step};
use crate::theme::size;
use crate::widgets::{Button, Card, Tone, empty_state, section, wrapped_text};

/// Width of the column of names.
const NAMES_PT: f32 = 112.0;

/// Fills its room.
pub(super) fn show(ui: &mut Ui, cx: &Cx<'_>, out: &mut Out) {
    let Some(open) = cx.session.active_stack().and_then(|id| cx.session.library.stack(id)) else {
        ui.add_space(48.0);
        part(ui, |ui| {
            let button = Button::new("Open folder").key("Ctrl O");
            if empty_state(ui, icons::INFO, "Open an image to read its header.", button).clicked() {
                out.dialog(DialogRequest::OpenFolder);
            }
        });
        return;
    };
    body(ui, |ui| {
        if !open.pixel_notes.is_empty() {
            part(ui, |ui| {
                section(ui, "Damaged pixels", |ui| {
                    words(ui, &count(open.pixel_notes.len(), "image"), NOTE, Weight::Regular, cx.tokens.t3);
                });
                for (frame, note) in open.pixel_notes.iter().take(8) {
                    Card::new(Tone::Warn, "", &format!("Image {}: {}.", frame + 1, note.text)).show(ui);
                    ui.add_space(4.0);
                }
            });
            between(ui);
        }
        if !open.warnings().is_empty() {
            part(ui, |ui| {
                section(ui, "Warnings", |ui| {
                    words(ui, &count(open.warnings().len(), "warning"), NOTE, Weight::Regular, cx.tokens.t3);
                });
                for (n, warning) in open.warnings().iter().enumerate() {
                    if n > 0 {
                        ui.add_space(4.0);
                    }
                    Card::new(Tone::Warn, "", &warning.text).show(ui);
                }
            });
            between(ui);
        }
        part(ui, |ui| {
            section(ui, "Series", |_| {});
            table(ui, cx, &series(open));
        });
        between(ui);
        part(ui, |ui| {
            section(ui, "Geometry", |_| {});
            table(ui, cx, &geometry(open));
        });
        between(ui);
        part(ui, |ui| {
            section(ui, "Patient and study", |_| {});
            table(ui, cx, &study(cx, open));
        });
        if !cx.session.library.skipped.is_empty() {
            between(ui);
            part(ui, |ui| {
                section(ui, "Files left out", |ui| {
                    let n = count(cx.session.library.skipped.len(), "file");
                    words(ui, &n, NOTE, Weight::Regular, cx.tokens.t3);
                });
                left_out_files(ui, cx);
            });
        }
    });
}

type Lines = Vec<(&'static str, String)>;

fn table(ui: &mut Ui, cx: &Cx<'_>, lines: &Lines) {
    let t = cx.tokens;
    for (name, value) in lines {
        let unknown = value.is_empty();
        let value = if unknown { "unknown" } else { value };
        let ink = if unknown { t.t3 } else { t.t1 };
        let parts = [(value, font(size::TEXT[TABLE], Weight::Regular), ink)];
        let galley = wrapped_text(ui, &parts, size::LINE[TABLE], ui.available_width() - NAMES_PT);
        let height = galley.size().y + 4.0;
        let (rect, response) = ui.allocate_exact_size(egui::vec2(ui.available_width(), height), egui::Sense::hover());
        let names = [(*name, font(size::TEXT[TABLE], Weight::Regular), t.t3)];
        let label = wrapped_text(ui, &names, size::LINE[TABLE], NAMES_PT - 8.0);
        ui.painter().galley(rect.min + egui::vec2(0.0, 2.0), label, t.t3);
        ui.painter().galley(rect.min + egui::vec2(NAMES_PT, 2.0), galley, ink);
        if cx.ui.tag.as_deref() == Some(*name) {
            // What a check pointed at.
            ui.painter().rect_stroke(
                rect.expand2(egui::vec2(4.0, 0.0)),
                size::RADIUS,
                egui::Stroke::new(1.0, t.acc),
                egui::StrokeKind::Outside,
            );
            ui.scroll_to_rect(rect, None);
        }
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, format!("{name}: {value}")));
    }
}

fn series(open: &OpenStack) -> Lines {
    let series = &open.series;
    let read = match &open.load {
        LoadState::Waiting => "waiting".to_owned(),
        LoadState::Loading(n) => format!("{n} of {} frames", open.frames()),
        LoadState::Loaded => "all frames".to_owned(),
        LoadState::Failed(why) => why.clone(),
    };
    vec![
        ("Modality", series.modality.clone()),
        ("Description", series.description.clone()),
        ("Number", series.number.map(|n| n.to_string()).unwrap_or_default()),
        ("Body part", series.body_part.clone()),
        ("View", series.view.clone()),
        (
            "Side",
            match series.laterality.as_str() {
                "L" => "left".to_owned(),
                "R" => "right".to_owned(),
                "B" => "both".to_owned(),
                "U" => "unpaired".to_owned(),
                other => other.to_owned(),
            },
        ),
        ("Contrast", if series.contrast.is_empty() { "none named".to_owned() } else { series.contrast.clone() }),
        ("Protocol", series.protocol.clone()),
        ("Frames", count(open.frames(), "frame")),
        ("Read", read),
        ("Values", open.unit().to_owned()),
        ("Transfer syntax", syntax(&series.transfer_syntax)),
        ("Lossy", if open.info.lossy { "yes, the pixels were compressed with loss" } else { "no" }.to_owned()),
    ]
}

fn geometry(open: &OpenStack) -> Lines {
    let info = &open.info;
    let size = format!("{} × {} pixels", info.columns, info.rows);
    let spacing = info.pixel_spacing_mm.map(|[rows, columns]| {
        if (rows - columns).abs() < 1e-6 {
            millimetres(rows)
        } else {
            format!("{rows:.3} × {columns:.3} mm (down × across)")
        }
    });
    let step = (info.is_volume && open.in_patient).then(|| step(&open.plane_stack(open.acquired_plane())));
    let thickness = info.thickness_mm.map(millimetres);
    let letters = open.edge_letters(open.acquired_plane());
    let orientation = if letters.iter().all(String::is_empty) {
        String::new()
    } else {
        let [left, right, top, bottom] = letters;
        format!("{left} left, {right} right, {top} top, {bottom} bottom")
    };
    let calibration = match open.calibration() {
        Calibration::Patient => "in the patient",
        Calibration::Detector => "at the detector: larger than in the patient",
        Calibration::User => "by the user",
        Calibration::None => "none: lengths are in pixels",
    };
    let frame = if open.info.frame_of_reference.is_empty() {
        "no: other series cannot be linked to it"
    } else {
        "yes: series of the same one are linked"
    };
    let place = if open.in_patient {
        let at = open.plane_stack(open.acquired_plane()).grid(0).origin.0;
        minus(format!("{:.1}, {:.1}, {:.1} mm", at.x, at.y, at.z))
    } else {
        "not placed in the patient".to_owned()
    };
    let mut lines = vec![("Size", size), ("Pixel", spacing.unwrap_or_default())];
    if let Some(step) = step {
        lines.push(("Slice step", step));
    }
    if open.in_patient {
        lines.push(("Slice thickness", thickness.unwrap_or_default()));
    }
    lines.extend([
        ("Planes", if open.planes().len() > 1 { "axial, coronal, sagittal" } else { "as acquired" }.to_owned()),
        ("Orientation", orientation),
        ("First pixel", place),
        ("Calibration", calibration.to_owned()),
        ("Frame of reference", frame.to_owned()),
    ]);
    lines
}

fn study(cx: &Cx<'_>, open: &OpenStack) -> Lines {
    let Some(study) = cx.session.library.study_of(open.id) else { return Vec::new() };
    let patient = &study.patient;
    let age = patient.age_years.map(|years| format!("{years:.0} years")).unwrap_or_default();
    let sex = match patient.sex.as_str() {
        "F" => "female".to_owned(),
        "M" => "male".to_owned(),
        "O" => "other".to_owned(),
        other => other.to_owned(),
    };
    let when = format!("{} {}", study.date, study.time);
    vec![
        ("Patient", patient.name.clone()),
        ("Patient ID", patient.id.clone()),
        ("Sex", sex),
        ("Age at the study", age),
        ("Born", patient.birth_date.clone()),
        ("Study", study.description.clone()),
        ("Date", when.trim().to_owned()),
    ]
}

/// A transfer syntax by its name, with its number where the name is not known.
fn syntax(uid: &str) -> String {
    let name = match uid {
        "1.2.840.10008.1.2" => "Implicit VR little endian",
        "1.2.840.10008.1.2.1" => "Explicit VR little endian",
        "1.2.840.10008.1.2.1.99" => "Deflated",
        "1.2.840.10008.1.2.2" => "Explicit VR big endian",
        "1.2.840.10008.1.2.4.50" => "JPEG baseline",
        "1.2.840.10008.1.2.4.51" => "JPEG extended",
        "1.2.840.10008.1.2.4.57" | "1.2.840.10008.1.2.4.70" => "JPEG lossless",
        "1.2.840.10008.1.2.4.80" => "JPEG-LS lossless",
        "1.2.840.10008.1.2.4.81" => "JPEG-LS near lossless",
        "1.2.840.10008.1.2.4.90" => "JPEG 2000 lossless",
        "1.2.840.10008.1.2.4.91" => "JPEG 2000",
        "1.2.840.10008.1.2.4.201" | "1.2.840.10008.1.2.4.202" => "HTJ2K lossless",
        "1.2.840.10008.1.2.4.203" => "HTJ2K",
        "1.2.840.10008.1.2.5" => "RLE lossless",
        _ => return uid.to_owned(),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transfer_syntax_has_a_name_or_its_number() {
        assert_eq!((syntax("1.2.840.10008.1.2.5"), syntax("1.2.3")), ("RLE lossless".into(), "1.2.3".into()));
    }
}

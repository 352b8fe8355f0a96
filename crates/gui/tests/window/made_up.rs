//! A session made up in code: three studies, the lung model, masks, a report. No file of a patient, no pixels but zeros.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use lightbox_core::measure::Calibration;
use lightbox_core::{Mask, PatientPos, VolumeGeometry, Window};
use lightbox_session::event::{EventKind, InferResult};
use lightbox_session::models::ModelInfo;
use lightbox_session::{
    Command, Effect, FrameRef, JobEvent, JobId, JobKind, Patient, Series, Session, Source, Stack, StackId, Study,
    Warning, WarningKind,
    card::{Card, Fits},
};

/// The stacks of [`session`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stacks {
    pub(crate) ct: StackId,
    pub(crate) xray: StackId,
    pub(crate) mr: StackId,
}

fn patient() -> Patient {
    Patient {
        name: "PHANTOM, Thorax".into(),
        id: "PH-0001".into(),
        sex: "F".into(),
        birth_date: String::new(),
        age_years: Some(64.0),
    }
}

fn frames(count: usize, step_mm: f64, missing: std::ops::Range<usize>) -> Vec<FrameRef> {
    let file = Arc::new(PathBuf::from("made-up.dcm"));
    (0..count + missing.len())
        .filter(|i| !missing.contains(i))
        .map(|i| FrameRef {
            source: Source::File(Arc::clone(&file)),
            frame: i,
            sop_class_uid: String::new(),
            sop_instance_uid: format!("1.2.3.{i}"),
            instance_number: Some(i as i64 + 1),
            position: Some([0.0, 0.0, i as f64 * step_mm]),
        })
        .collect()
}

fn volume(side: usize, pixel_mm: f64, count: usize, step_mm: f64, unit: &str) -> Stack {
    let axis = |x, y, z| PatientPos::new(x, y, z).0;
    let half = side as f64 * pixel_mm / 2.0;
    let geometry = VolumeGeometry::from_dicom(
        [side, side, count],
        PatientPos::new(-half, -half, -150.0),
        axis(1.0, 0.0, 0.0),
        axis(0.0, 1.0, 0.0),
        [pixel_mm, pixel_mm],
        axis(0.0, 0.0, step_mm),
    )
    .expect("a regular geometry");
    Stack {
        key: String::new(),
        frame_of_reference: String::new(),
        columns: side,
        rows: side,
        frames: frames(count, step_mm, 0..0),
        geometry: Some(geometry),
        is_volume: true,
        thickness_mm: Some(step_mm),
        pixel_spacing_mm: Some([pixel_mm, pixel_mm]),
        calibration: Calibration::Patient,
        patient_orientation: None,
        windows: Vec::new(),
        inverted: false,
        unit: unit.into(),
        lossy: false,
    }
}

fn projection() -> Stack {
    Stack {
        key: String::new(),
        frame_of_reference: String::new(),
        columns: 1152,
        rows: 1152,
        frames: vec![FrameRef { position: None, ..frames(1, 1.0, 0..0).remove(0) }],
        geometry: None,
        is_volume: false,
        thickness_mm: None,
        pixel_spacing_mm: Some([0.33, 0.33]),
        calibration: Calibration::Detector,
        patient_orientation: Some(("L".into(), "F".into())),
        windows: vec![("Chest".into(), Window::new(3200.0, 1900.0))],
        inverted: false,
        unit: String::new(),
        lossy: false,
    }
}

fn study(uid: &str, date: &str, description: &str, series: Vec<Series>) -> Study {
    Study {
        uid: uid.into(),
        date: date.into(),
        time: "09:12".into(),
        description: description.into(),
        patient: patient(),
        series,
        ..Study::default()
    }
}

fn series(uid: &str, modality: &str, description: &str, stack: Stack) -> Series {
    Series {
        uid: uid.into(),
        modality: modality.into(),
        description: description.into(),
        number: Some(3),
        body_part: "CHEST".into(),
        frame_of_reference: format!("{uid}.1"),
        transfer_syntax: "1.2.840.10008.1.2.1".into(),
        frames: stack.frames.len(),
        stacks: vec![stack],
        ..Series::default()
    }
}

/// The card that is shipped, with a name and figures that no training changes; and one of a model that needs an MR.
pub(crate) fn models() -> Vec<ModelInfo> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../weights/cxr-lungs");
    let mut lungs = Card::read(&dir).expect("the shipped card");
    lungs.name = "Lung masks".into();
    lungs.metrics.retain(|name, _| name == "dice");
    for figure in lungs.metrics.values_mut() {
        (figure.value, figure.low, figure.high) = (0.95, 0.94, 0.96);
    }
    lungs.fits = Fits { modality: vec!["DX".into(), "CR".into()], ..Fits::default() };
    let mut tumour = lungs.clone();
    tumour.id = "mr-tumour".into();
    tumour.name = "Tumour masks".into();
    tumour.fits.modality = vec!["MR".into()];
    [lungs, tumour]
        .into_iter()
        .map(|card| ModelInfo { id: card.id.clone(), dir: dir.clone(), card, problem: None, added: false })
        .collect()
}

/// A CT with a preset window on the screen, an X-ray, and a head with a gap; nothing loaded, nothing drawn.
pub(crate) fn session() -> (Session, Stacks) {
    let mut s = Session::default();
    s.models = models();
    let mut ct = volume(512, 0.8, 268, 1.25, "HU");
    ct.windows = vec![("Lung".into(), Window::new(1500.0, -600.0))];
    let ct =
        s.library.add(study("1.1", "2026-11-18", "CT thorax, contrast", vec![series("1.1.1", "CT", "Axial lung", ct)]));
    let xray = Series { view: "PA".into(), ..series("1.2.1", "DX", "Chest PA", projection()) };
    let xray = s.library.add(study("1.2", "2026-11-18", "X-ray chest", vec![xray]));
    let mut head = volume(256, 1.0, 173, 1.0, "");
    head.frames = frames(173, 1.0, 60..63);
    let mut head = series("1.3.1", "MR", "T1 axial", head);
    head.warnings = vec![Warning { kind: WarningKind::SliceGap, text: "Slices 61 to 63 are missing.".into() }];
    let mr = s.library.add(study("1.3", "2026-11-12", "MR head", vec![head]));
    let stacks = Stacks { ct: ct[0], xray: xray[0], mr: mr[0] };
    show(&mut s, stacks.ct);
    s.jobs.clear();
    (s, stacks)
}

/// Shows a stack; the loading that this starts is forgotten.
pub(crate) fn show(s: &mut Session, stack: StackId) {
    s.apply(Command::Show { slot: None, stack });
    s.jobs.retain(|job| !matches!(job.kind, JobKind::Load(_)));
}

/// Two ellipses where lungs are on the X-ray.
fn lungs() -> Vec<(String, Mask)> {
    let ellipse = |cx: f64, rx: f64, ry: f64| {
        let mut mask = Mask::new([1152, 1152, 1]);
        for row in 200..900 {
            for column in 100..1052 {
                let (x, y) = ((column as f64 - cx) / rx, (row as f64 - 540.0) / ry);
                if x * x + y * y < 1.0 {
                    mask.set([column, row, 0], true);
                }
            }
        }
        mask
    };
    vec![("Right lung".into(), ellipse(380.0, 190.0, 330.0)), ("Left lung".into(), ellipse(780.0, 170.0, 320.0))]
}

/// Starts the lung model on the X-ray, which is shown. The job stays running.
pub(crate) fn run_lungs(s: &mut Session, stacks: Stacks) -> JobId {
    show(s, stacks.xray);
    let effects = s.apply(Command::RunModel { slot: None, model: "cxr-lungs".into(), series: false });
    let started = effects.iter().find_map(|e| if let Effect::Start(id, _) = e { Some(*id) } else { None });
    let job = started.expect("the model starts");
    s.on_event(JobEvent { job, kind: EventKind::Progress(Some(0.62), "layer 38 of 61".into()) });
    job
}

/// The X-ray with the result of the lung model, waiting for the reader.
pub(crate) fn with_lungs() -> (Session, Stacks) {
    let (mut s, stacks) = session();
    let job = run_lungs(&mut s, stacks);
    let geometry = s.library.stack(stacks.xray).expect("open").geometry().clone();
    let result = InferResult {
        masks: lungs(),
        timings_ms: vec![("prepare".into(), 300.0), ("network".into(), 1800.0)],
        ..InferResult::blank(stacks.xray, "cxr-lungs", &s.models[0].card.sha256, geometry)
    };
    s.on_event(JobEvent { job, kind: EventKind::Inferred(Box::new(result)) });
    s.on_event(JobEvent { job, kind: EventKind::Done });
    (s, stacks)
}

/// The same with a draft of the report.
pub(crate) fn with_report() -> (Session, Stacks) {
    let (mut s, stacks) = with_lungs();
    s.apply(Command::DraftReport);
    s.apply(Command::InsertSentence {
        section: 1,
        sentence: 9,
        text: "No pleural effusion. No pneumothorax.".into(),
        study: None,
    });
    (s, stacks)
}

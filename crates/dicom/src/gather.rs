//! From the files that a scan found to studies and series.

use std::collections::{HashMap, HashSet};

use lightbox_core::VolumeGeometry;
use lightbox_core::measure::Calibration;

use crate::foreign::Peek;
use crate::heads::FileHead;
use crate::index::{FrameRef, ObjectRef, Series, Skipped, Source, Stack, Study, StudyIndex};
use crate::quantity::Suv;
use crate::scan::Outcome;
use crate::stacks::{Item, build};
use crate::warning::{Warning, WarningKind};

/// Sorts what was found into studies and series.
pub(crate) fn studies(outcomes: Vec<Outcome>) -> StudyIndex {
    let mut index = StudyIndex::default();
    let mut series: Vec<Vec<FileHead>> = Vec::new();
    let mut series_at: HashMap<(String, String), usize> = HashMap::new();
    let mut others: Vec<(Source, Peek)> = Vec::new();
    for outcome in outcomes {
        match outcome {
            Outcome::Dicom(head) => {
                let at = *series_at.entry(series_key(&head)).or_insert_with(|| {
                    series.push(Vec::new());
                    series.len() - 1
                });
                series[at].push(*head);
            }
            Outcome::Foreign(source, peek) => others.push((source, peek)),
            Outcome::Skipped(s) => index.skipped.push(s),
            Outcome::Directory(..) => {}
        }
    }
    let mut study_at: HashMap<String, usize> = HashMap::new();
    for files in series {
        let Some(first) = files.first() else { continue };
        let at = *study_at.entry(study_key(first)).or_insert_with(|| {
            index.studies.push(study(first));
            index.studies.len() - 1
        });
        let built = one_series(files, &mut index.skipped);
        index.studies[at].series.push(built);
    }
    for (source, peek) in others {
        let folder = folder_of(&source);
        let at = *study_at.entry(format!("file:{folder}")).or_insert_with(|| {
            index.studies.push(Study {
                uid: format!("file:{folder}"),
                description: folder.rsplit(['/', '\\']).next().unwrap_or_default().to_string(),
                ..Study::default()
            });
            index.studies.len() - 1
        });
        index.studies[at].series.push(foreign_series(source, peek));
    }
    for study in &mut index.studies {
        study.series.sort_by(|a, b| {
            let number = |s: &Series| s.number.unwrap_or(i64::MAX);
            number(a).cmp(&number(b)).then_with(|| a.uid.cmp(&b.uid))
        });
    }
    index.studies.sort_by(|a, b| {
        let key = |s: &Study| (s.date.clone(), s.time.clone());
        key(b).cmp(&key(a)).then_with(|| a.description.cmp(&b.description)).then_with(|| a.uid.cmp(&b.uid))
    });
    index
}

fn study_key(head: &FileHead) -> String {
    if head.study_uid.is_empty() {
        format!("none:{}:{}:{}", head.patient.id, head.patient.name, head.study_date)
    } else {
        head.study_uid.clone()
    }
}

fn series_key(head: &FileHead) -> (String, String) {
    let series = if head.series_uid.is_empty() {
        format!("none:{}:{:?}", head.modality, head.series_number)
    } else {
        head.series_uid.clone()
    };
    (study_key(head), series)
}

fn study(first: &FileHead) -> Study {
    Study {
        uid: if first.study_uid.is_empty() { study_key(first) } else { first.study_uid.clone() },
        date: first.study_date.clone(),
        time: first.study_time.clone(),
        description: first.study_description.clone(),
        accession: first.accession.clone(),
        patient: first.patient.clone(),
        series: Vec::new(),
    }
}

fn one_series(mut files: Vec<FileHead>, skipped: &mut Vec<Skipped>) -> Series {
    let mut warnings = Vec::new();
    // The same instance twice: two copies of one file.
    let mut seen = HashSet::new();
    let mut copies = 0;
    files.retain(|f| {
        let fresh = f.sop_instance_uid.is_empty() || seen.insert(f.sop_instance_uid.clone());
        if !fresh {
            copies += 1;
            let reason = "the same instance is there as another file; that one is shown".into();
            skipped.push(Skipped { path: crate::text::safe(&f.source.to_string()), reason });
        }
        fresh
    });
    if copies > 0 {
        let text = format!(
            "{copies} {} there twice as files; one copy of each is shown",
            if copies == 1 { "instance is" } else { "instances are" }
        );
        warnings.push(Warning { kind: WarningKind::DuplicateInstance, text });
    }
    let mut items = Vec::new();
    let mut objects = Vec::new();
    for file in &files {
        match &file.image {
            Some(image) => {
                items.extend(image.frames.iter().map(|frame| Item { file, image, frame }));
                if image.frames_told > image.frames.len() && image.frames_told > 1 {
                    let text = format!("{} frames are told, {} are there", image.frames_told, image.frames.len());
                    warnings.push(Warning { kind: WarningKind::MissingFrames, text });
                }
            }
            None => objects.push(ObjectRef {
                sop_class_uid: file.sop_class_uid.clone(),
                summary: file.summary.clone(),
                source: file.source.clone(),
            }),
        }
    }
    header_warnings(&files, &mut warnings);
    let frames = items.len();
    let (stacks, more) = build(items);
    warnings.extend(more);
    let first = &files[0];
    let any =
        |get: fn(&FileHead) -> &String| files.iter().map(get).find(|v| !v.is_empty()).cloned().unwrap_or_default();
    let images = files.iter().filter_map(|f| f.image.as_ref());
    Series {
        uid: if first.series_uid.is_empty() { series_key(first).1 } else { first.series_uid.clone() },
        modality: any(|f| &f.modality),
        description: any(|f| &f.series_description),
        number: files.iter().find_map(|f| f.series_number),
        body_part: any(|f| &f.body_part),
        view: any(|f| &f.view),
        laterality: any(|f| &f.laterality),
        contrast: any(|f| &f.contrast),
        protocol: any(|f| &f.protocol),
        frame_of_reference: any(|f| &f.frame_of_reference),
        transfer_syntax: first.transfer_syntax.clone(),
        frames,
        stacks,
        warnings,
        suv: series_suv(images.clone().filter_map(|i| i.suv.as_ref())),
        real_world: images.clone().next().map(|i| i.real_world.clone()).unwrap_or_default(),
        objects,
    }
}

/// One warning for each thing that was amiss, however many files have it.
fn header_warnings(files: &[FileHead], warnings: &mut Vec<Warning>) {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for note in files.iter().flat_map(|f| &f.notes) {
        match counted.iter().position(|(n, _)| n == note) {
            Some(i) => counted[i].1 += 1,
            None if counted.len() < 32 => counted.push((note, 1)),
            None => {}
        }
    }
    for (note, n) in counted {
        let text = if n == 1 || files.len() == 1 { note.to_string() } else { format!("{note} (in {n} files)") };
        warnings.push(Warning { kind: WarningKind::Header, text });
    }
}

/// One factor for a series. Where it was made later than its images were taken, the earliest acquisition counts (PS3.3
/// C.8.9.1.1), which has decayed least and so has the smallest factor.
fn series_suv<'a>(mut all: impl Iterator<Item = &'a Result<Suv, String>> + Clone) -> Option<Result<Suv, String>> {
    let least = all.clone().filter_map(|s| s.as_ref().ok()).min_by(|a, b| a.factor.total_cmp(&b.factor));
    least.cloned().map(Ok).or_else(|| all.next().cloned())
}

fn folder_of(source: &Source) -> String {
    match source {
        Source::File(path) => path.parent().map(|p| p.display().to_string()).unwrap_or_default(),
        Source::Zip { archive, .. } => archive.display().to_string(),
    }
}

/// A picture or a lattice file as a series of its own.
fn foreign_series(source: Source, peek: Peek) -> Series {
    let name = crate::text::safe(&source.file_name());
    let reference = |frame: usize, position: Option<[f64; 3]>| FrameRef {
        source: source.clone(),
        frame,
        sop_class_uid: String::new(),
        sop_instance_uid: String::new(),
        instance_number: None,
        position,
    };
    let mut warnings: Vec<Warning> =
        peek.notes.iter().map(|n| Warning { kind: WarningKind::Header, text: n.clone() }).collect();
    let geometry = peek.affine.and_then(|a| VolumeGeometry::new([peek.columns, peek.rows, peek.slices], a).ok());
    if geometry.is_none() && peek.slices > 1 {
        let text = "the file tells no place in the patient; lengths are in pixels".into();
        warnings.push(Warning { kind: WarningKind::NoPosition, text });
    }
    let stacks: Vec<Stack> = (0..peek.volumes)
        .map(|v| Stack {
            frame_of_reference: String::new(),
            key: if peek.volumes > 1 { format!("time {}", v + 1) } else { String::new() },
            columns: peek.columns,
            rows: peek.rows,
            frames: (0..peek.slices)
                .map(|k| {
                    let at = geometry
                        .as_ref()
                        .map(|g| g.to_patient(lightbox_core::VoxelPos::new(0.0, 0.0, k as f64)).0.to_array());
                    reference(v * peek.slices + k, at)
                })
                .collect(),
            is_volume: geometry.is_some() && peek.slices > 1,
            thickness_mm: geometry.as_ref().map(|g| g.spacing_mm()[2]),
            pixel_spacing_mm: geometry.as_ref().map(|g| [g.spacing_mm()[0], g.spacing_mm()[1]]),
            calibration: if geometry.is_some() { Calibration::Patient } else { Calibration::None },
            geometry: geometry.clone(),
            patient_orientation: None,
            windows: Vec::new(),
            inverted: false,
            unit: String::new(),
            lossy: peek.format == "JPEG",
        })
        .collect();
    Series {
        uid: format!("file:{}", crate::text::safe(&source.to_string())),
        modality: "OT".into(),
        description: if peek.description.is_empty() { name } else { format!("{name}: {}", peek.description) },
        protocol: peek.format.into(),
        frames: peek.slices * peek.volumes,
        stacks,
        warnings,
        ..Series::default()
    }
}

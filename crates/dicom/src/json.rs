//! The index as the command line prints it.

use serde_json::{Value, json};

use crate::index::{Series, Study, StudyIndex};

/// The JSON of `lightbox scan --json`: lengths in mm, `[between rows, between columns, between slices]`.
#[must_use]
pub fn index_json(index: &StudyIndex) -> Value {
    json!({
        "studies": index.studies.iter().map(study).collect::<Vec<_>>(),
        "skipped": index.skipped,
    })
}

fn study(s: &Study) -> Value {
    json!({
        "uid": s.uid,
        "date": s.date,
        "time": s.time,
        "description": s.description,
        "accession": s.accession,
        "patient": {
            "name": s.patient.name,
            "id": s.patient.id,
            "sex": s.patient.sex,
            "birth_date": s.patient.birth_date,
            "age_years": s.patient.age_years,
        },
        "series": s.series.iter().map(series).collect::<Vec<_>>(),
    })
}

fn series(s: &Series) -> Value {
    let first = s.stacks.first();
    let geometry = first.and_then(|k| k.geometry.as_ref());
    let spacing = match (geometry, first.and_then(|k| k.pixel_spacing_mm)) {
        (Some(g), _) => {
            let v = g.spacing_mm();
            let slices = (g.dims()[2] > 1).then_some(v[2]);
            json!([v[0], v[1], slices.or(first.and_then(|k| k.thickness_mm))])
        }
        (None, Some([rows, columns])) => json!([rows, columns, Value::Null]),
        _ => Value::Null,
    };
    let orientation = geometry.map(|g| {
        let (r, c) = (g.direction(0), g.direction(1));
        [r.x, r.y, r.z, c.x, c.y, c.z]
    });
    json!({
        "uid": s.uid,
        "modality": s.modality,
        "description": s.description,
        "number": s.number,
        "body_part": s.body_part,
        "rows": first.map(|k| k.rows),
        "columns": first.map(|k| k.columns),
        "slices": first.map_or(0, |k| k.frames.len()),
        "frames": s.frames,
        "spacing_mm": spacing,
        "calibration": first.map(|k| k.calibration.note()),
        "orientation": orientation,
        "volumes": s.volumes().len(),
        "volume": s.stacks.iter().any(|k| k.is_volume),
        "stacks": s.stacks.iter().map(|k| json!({"key": k.key, "slices": k.frames.len(), "rows": k.rows,
            "columns": k.columns, "volume": k.is_volume, "affine_lps": k.geometry.as_ref().map(|g| g.affine_lps())}))
            .collect::<Vec<_>>(),
        "transfer_syntax": s.transfer_syntax,
        "objects": s.objects.iter().map(|o| json!({"sop_class_uid": o.sop_class_uid, "summary": o.summary,
            "path": o.source.to_string()}))
            .collect::<Vec<_>>(),
        "suv": s.suv.as_ref().map(|v| match v {
            Ok(v) => json!({"factor": v.factor, "note": v.note}),
            Err(reason) => json!({"factor": Value::Null, "note": reason}),
        }),
        "real_world": s.real_world,
        "warnings": s.warnings,
    })
}

//! What a mask file must hold, written without our SEG code, for a reader in another language.

use std::path::Path;

use lightbox_core::Segment;
use lightbox_dicom::Stack;
use serde_json::json;

/// Writes `truth.json` beside the mask: for each segment the runs of set pixels on each source image.
pub(crate) fn write(dir: &Path, stack: &Stack, segments: &[Segment]) {
    let mut files: Vec<String> = stack.frames.iter().map(|f| f.source.to_string()).collect();
    files.dedup();
    let segments: Vec<_> = segments
        .iter()
        .zip(1..)
        .map(|(s, number)| {
            let images: Vec<_> = s
                .mask
                .occupied()
                .map(|k| {
                    let f = &stack.frames[k];
                    let runs = s.mask.plane(k).map(|p| p.runs()).unwrap_or_default();
                    json!({ "sop_instance_uid": f.sop_instance_uid, "frame": f.frame + 1, "runs": runs })
                })
                .collect();
            json!({
                "number": number,
                "name": s.name,
                "algorithm_type": s.algorithm_type(),
                "code": s.code.as_ref().map_or("85756007", |c| c.value.as_str()),
                "side": s.side.as_ref().map(|c| c.value.as_str()),
                "images": images,
            })
        })
        .collect();
    let truth = json!({
        "columns": stack.columns,
        "rows": stack.rows,
        "patient_space": stack.geometry.is_some(),
        "sources": files,
        "segments": segments,
    });
    let text = serde_json::to_string(&truth).expect("plain values");
    std::fs::write(dir.join("truth.json"), text).expect("written");
}

//! bench: the project's own benchmarks, each against a reference in the same run.
//!
//! A reference that always runs is plain code for the same result; peers in Python (pydicom, NumPy) join where
//! `LIGHTBOX_PYTHON` names an interpreter that has them.

mod dicom;
mod dicom_peers;
mod frames;
mod layers;
mod peers;
mod view;

use std::time::Instant;

use serde::Serialize;

use crate::output;

/// One line of the table.
#[derive(Debug, Serialize)]
struct Row {
    case: String,
    ours_ms: f64,
    #[serde(flatten)]
    references_ms: serde_json::Map<String, serde_json::Value>,
    ratio: serde_json::Map<String, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_mib: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Row {
    fn new(case: impl Into<String>, ours_ms: f64) -> Self {
        Self {
            case: case.into(),
            ours_ms,
            references_ms: serde_json::Map::new(),
            ratio: serde_json::Map::new(),
            peak_mib: None,
            note: None,
        }
    }

    /// Beside a reference; the ratio is reference / ours, so above 1 is better.
    fn against(mut self, name: &str, ms: Option<f64>) -> Self {
        if let Some(ms) = ms {
            self.references_ms.insert(format!("{name}_ms"), ms.into());
            self.ratio.insert(name.to_owned(), (ms / self.ours_ms.max(1e-9)).into());
        }
        self
    }

    fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into());
        self
    }
}

pub(super) fn run(what: &str, only: Option<&str>, json: bool) -> Result<(), String> {
    let rows = match what {
        "view" => view::run()?,
        "dicom" => dicom::run()?,
        "kernels" => layers::run(lightbox_kernels::bench::kernels(), only)?,
        "nets" => {
            let mut cases = lightbox_kernels::bench::nets();
            cases.extend(lightbox_model::bench::nets());
            layers::run(cases, only)?
        }
        "train" => layers::run(lightbox_kernels::bench::training(), only)?,
        _ => {
            let there = "`view`, `dicom`, `kernels`, `nets` and `train` are";
            return Err(format!("`lightbox bench {what}` is not built yet; {there}"));
        }
    };
    if json {
        return output::json(&rows);
    }
    for row in &rows {
        let references: Vec<String> = row
            .ratio
            .iter()
            .map(|(name, ratio)| {
                let ms =
                    row.references_ms.get(&format!("{name}_ms")).and_then(serde_json::Value::as_f64).unwrap_or(0.0);
                format!("{name} {ms:.2} ms (ratio {:.2})", ratio.as_f64().unwrap_or(0.0))
            })
            .collect();
        let mib = row.peak_mib.map_or(String::new(), |m| format!("  {m:.0} MiB"));
        let note = row.note.as_ref().map_or(String::new(), |n| format!("  {n}"));
        output::line(&format!("{:44} {:9.2} ms  {}{mib}{note}", row.case, row.ours_ms, references.join(", ")));
    }
    Ok(())
}

/// Median time of `n` runs in ms, after one that is not counted.
fn median_ms(n: usize, mut run: impl FnMut()) -> f64 {
    run();
    let mut times: Vec<f64> = (0..n)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64() * 1000.0
        })
        .collect();
    percentile(&mut times, 0.5)
}

/// The value at a fraction of the sorted times.
fn percentile(times: &mut [f64], fraction: f64) -> f64 {
    if times.is_empty() {
        return 0.0;
    }
    times.sort_by(f64::total_cmp);
    let at = (fraction * (times.len() - 1) as f64).ceil() as usize;
    times[at.min(times.len() - 1)]
}

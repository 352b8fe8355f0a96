//! Layers and nets on our kernels beside candle, PyTorch and ONNX Runtime.

use std::path::Path;

use lightbox_kernels::{bench, isa, pool};

use super::Row;
use crate::output;

/// Rounds of a case: the others take turns with ours in each.
const ROUNDS: usize = 5;

pub(super) fn run(mut cases: Vec<bench::Case>, only: Option<&str>) -> Result<Vec<Row>, String> {
    if let Some(text) = only {
        cases.retain(|c| c.name.contains(text));
        if cases.is_empty() {
            return Err(format!("No case's name contains '{text}'."));
        }
    }
    let threads = pool::threads();
    output::note(&format!("Instruction set: {} (LIGHTBOX_ISA lowers it); {threads} threads.", isa::current()));
    let python = std::env::var_os("LIGHTBOX_PYTHON").filter(|p| !p.is_empty());
    let mut peers = python.and_then(|p| bench::Peers::start(Path::new(&p), threads));
    match &peers {
        Some(p) => output::note(&format!("Peers: {}, {threads} threads.", p.versions)),
        None => output::note("LIGHTBOX_PYTHON names no Python with PyTorch: PyTorch and ONNX Runtime are left out."),
    }
    let mut rows = Vec::new();
    for case in cases {
        let name = case.name.clone();
        let m = bench::measure(case, peers.as_mut(), ROUNDS, bench::Clock::Wall).map_err(|e| format!("{name}: {e}"))?;
        let mut row = Row::new(m.case, m.ours_ms);
        for (name, ms) in m.others_ms {
            row = row.against(name, Some(ms));
        }
        row.peak_mib = m.peak_mib;
        let mut notes = Vec::new();
        if let Some(mib) = m.onnxruntime_peak_mib {
            notes.push(format!("ONNX Runtime took {mib:.0} MiB"));
        }
        if let Some(d) = m.difference {
            notes.push(format!("largest difference to candle {d:.0e} of the largest number"));
        }
        rows.push(if notes.is_empty() { row } else { row.note(notes.join("; ")) });
    }
    Ok(rows)
}

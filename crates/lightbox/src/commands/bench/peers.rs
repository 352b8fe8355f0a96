//! Peers in Python, where there is one.

use std::path::Path;
use std::process::Command;

/// What a peer needs for a case, in ms.
#[derive(Debug, Default)]
pub(super) struct Peers {
    times: serde_json::Map<String, serde_json::Value>,
}

const SCRIPT: &str = r#"
import json, sys, time, glob, os
out = {}
def best(f, n=3):
    f(); t = []
    for _ in range(n):
        s = time.perf_counter(); f(); t.append((time.perf_counter() - s) * 1000)
    return sorted(t)[len(t) // 2]
folder = sys.argv[1]
files = sorted(glob.glob(os.path.join(folder, "*.dcm")))
try:
    import numpy as np
    a = (np.arange(4096 * 4096) % 4096).astype(np.int16).reshape(4096, 4096)
    def window():
        x = (a.astype(np.float32) - 1023.5) / 1999.0 + 0.5
        return (np.clip(x, 0, 1) * 255 + 0.5).astype(np.uint8)
    out["window numpy"] = best(window)
except ImportError:
    pass
try:
    import pydicom
    def first():
        heads = [pydicom.dcmread(f, stop_before_pixels=True) for f in files]
        order = sorted(range(len(files)), key=lambda i: float(heads[i].ImagePositionPatient[2]))
        return pydicom.dcmread(files[order[len(order) // 2]]).pixel_array
    def whole():
        heads = [pydicom.dcmread(f) for f in files]
        heads.sort(key=lambda h: float(h.ImagePositionPatient[2]))
        return np.stack([h.pixel_array for h in heads])
    out["first pydicom"] = best(first, 1)
    out["whole pydicom"] = best(whole, 1)
except ImportError:
    pass
print(json.dumps(out))
"#;

impl Peers {
    /// Runs the peers on the folder of a series; without `LIGHTBOX_PYTHON` there are none.
    pub(super) fn run(folder: &Path) -> Self {
        let Some(python) = std::env::var_os("LIGHTBOX_PYTHON").filter(|p| !p.is_empty()) else {
            crate::output::note("LIGHTBOX_PYTHON is not set: pydicom and NumPy are left out.");
            return Self::default();
        };
        let out = Command::new(python).arg("-c").arg(SCRIPT).arg(folder).output();
        let times = out.ok().and_then(|o| serde_json::from_slice(&o.stdout).ok()).unwrap_or_default();
        Self { times }
    }

    /// A peer's time for a case.
    pub(super) fn ms(&self, case: &str) -> Option<f64> {
        self.times.get(case)?.as_f64()
    }
}

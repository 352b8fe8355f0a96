//! The peers of bench dicom: DCMTK by its programs, the others through a Python that keeps running.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// The program of DCMTK that unpacks an encoding.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tool {
    Copy,
    Rle,
    JpegLs,
    Jpeg,
    /// DCMTK has none for JPEG 2000.
    None,
}

impl Tool {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Copy => "dcmconv",
            Self::Rle => "dcmdrle",
            Self::JpegLs => "dcmdjpls",
            Self::Jpeg => "dcmdjpeg",
            Self::None => "volume",
        }
    }
}

/// A Python with pydicom, python-gdcm and SimpleITK as far as it has them.
pub(super) struct Peers {
    python: Option<(Child, ChildStdin, BufReader<ChildStdout>)>,
}

const SCRIPT: &str = r#"
import glob, os, sys, time, warnings, logging
warnings.filterwarnings("ignore"); logging.disable(logging.CRITICAL)
try:
    import numpy as np, pydicom
except ImportError:
    pydicom = None
try:
    import gdcm
except ImportError:
    gdcm = None
try:
    import SimpleITK
    SimpleITK.ProcessObject.SetGlobalWarningDisplay(False)
except ImportError:
    SimpleITK = None
def pydicom_headers(files):
    for f in files: pydicom.dcmread(f, stop_before_pixels=True).SOPInstanceUID
def pydicom_volume(files):
    heads = [pydicom.dcmread(f) for f in files]
    heads.sort(key=lambda h: float(h.ImagePositionPatient[2]))
    np.stack([h.pixel_array for h in heads])
def pydicom_first(files):
    heads = [pydicom.dcmread(f, stop_before_pixels=True) for f in files]
    order = sorted(range(len(files)), key=lambda i: float(heads[i].ImagePositionPatient[2]))
    pydicom.dcmread(files[order[len(order) // 2]]).pixel_array
def gdcm_headers(files):
    stop = gdcm.Tag(0x7FE0, 0x0010)
    for f in files:
        r = gdcm.Reader(); r.SetFileName(f); r.ReadUpToTag(stop)
def gdcm_volume(files):
    out = []
    for f in files:
        r = gdcm.ImageReader(); r.SetFileName(f); r.Read()
        out.append(r.GetImage().GetBuffer())
def simpleitk_headers(files):
    for f in files:
        r = SimpleITK.ImageFileReader(); r.SetFileName(f); r.ReadImageInformation()
def simpleitk_volume(files):
    r = SimpleITK.ImageSeriesReader(); r.SetFileNames(files); r.Execute()
modules = {"pydicom": pydicom, "gdcm": gdcm, "simpleitk": SimpleITK}
for line in sys.stdin:
    task, peer, folder = line.rstrip("\n").split("\t")
    run = globals().get(f"{peer}_{task}")
    answer = "-"
    if run and modules.get(peer):
        files = sorted(glob.glob(os.path.join(folder, "*.dcm")))
        try:
            begin = time.perf_counter(); run(files); answer = str((time.perf_counter() - begin) * 1000)
        except Exception:
            pass
    print(answer, flush=True)
"#;

impl Peers {
    pub(super) const NAMES: [&'static str; 4] = ["dcmtk", "gdcm", "pydicom", "simpleitk"];

    /// Starts the Python that `LIGHTBOX_PYTHON` names; without it, only DCMTK is compared.
    pub(super) fn start() -> Self {
        let Some(program) = std::env::var_os("LIGHTBOX_PYTHON").filter(|p| !p.is_empty()) else {
            crate::output::note("LIGHTBOX_PYTHON is not set: GDCM, pydicom and SimpleITK are left out.");
            return Self { python: None };
        };
        let child = Command::new(program)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let python = child.ok().and_then(|mut c| {
            let (to, from) = (c.stdin.take()?, c.stdout.take()?);
            Some((c, to, BufReader::new(from)))
        });
        if python.is_none() {
            crate::output::note("LIGHTBOX_PYTHON does not start: GDCM, pydicom and SimpleITK are left out.");
        }
        Self { python }
    }

    /// What a peer needs for a task on a folder, in ms.
    pub(super) fn ms(&mut self, task: &str, peer: &str, folder: &Path) -> Option<f64> {
        if peer == "dcmtk" {
            return dcmtk(task, folder);
        }
        let (_, to, from) = self.python.as_mut()?;
        let task = if task.starts_with("dcm") { "volume" } else { task };
        writeln!(to, "{task}\t{peer}\t{}", folder.display()).ok()?;
        to.flush().ok()?;
        let mut line = String::new();
        from.read_line(&mut line).ok()?;
        line.trim().parse().ok()
    }

    /// The median of `n` runs.
    pub(super) fn median(&mut self, task: &str, peer: &str, folder: &Path, n: usize) -> Option<f64> {
        let mut times: Vec<f64> = (0..n).filter_map(|_| self.ms(task, peer, folder)).collect();
        (!times.is_empty()).then(|| super::percentile(&mut times, 0.5))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        if let Some((mut child, to, _)) = self.python.take() {
            // The end of its input ends it.
            drop(to);
            child.wait().ok();
        }
    }
}

/// DCMTK has programs for single files; the time that one needs to start is taken off.
fn dcmtk(task: &str, folder: &Path) -> Option<f64> {
    let quiet = |program: &str, args: &[&std::ffi::OsStr]| {
        let begin = Instant::now();
        let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.ok().filter(std::process::ExitStatus::success).map(|_| begin.elapsed().as_secs_f64() * 1000.0)
    };
    match task {
        "headers" => {
            let args = ["-q", "-M", "+sd", "+P", "SOPInstanceUID"].map(std::ffi::OsStr::new);
            let args: Vec<&std::ffi::OsStr> = args.into_iter().chain([folder.as_os_str()]).collect();
            quiet("dcmdump", &args)
        }
        program if program.starts_with("dcm") => {
            let files = super::dicom::files(folder).ok()?;
            let null = std::ffi::OsStr::new("/dev/null");
            let mut sum = 0.0;
            for file in &files {
                sum += quiet(program, &[file.as_os_str(), null])?;
            }
            let starts = 20;
            let mut start = 0.0;
            for _ in 0..starts {
                start += quiet(program, &[std::ffi::OsStr::new("--version")])?;
            }
            Some((sum - start / f64::from(starts) * files.len() as f64).max(0.0))
        }
        _ => None,
    }
}

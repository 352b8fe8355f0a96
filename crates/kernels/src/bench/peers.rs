//! PyTorch and ONNX Runtime in a Python of their own, which answers line by line.

use super::Clock;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("peers.py");

/// The process.
pub struct Peers {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    /// What it said that it is: versions of Python's libraries.
    pub versions: String,
}

impl Peers {
    /// Starts `python` with so many threads; none where it has neither library.
    pub fn start(python: &Path, threads: usize) -> Option<Self> {
        let mut child = Command::new(python)
            .args(["-u", "-c", SCRIPT, &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (to, from) = (child.stdin.take()?, child.stdout.take()?);
        let mut peers = Self { child, to, from: BufReader::new(from), versions: String::new() };
        peers.versions = peers.line()?;
        Some(peers)
    }

    fn line(&mut self) -> Option<String> {
        let mut s = String::new();
        let n = self.from.read_line(&mut s).ok()?;
        (n > 0).then(|| s.trim().to_owned())
    }

    fn ask(&mut self, text: &str) -> Option<String> {
        writeln!(self.to, "{text}").ok()?;
        self.to.flush().ok()?;
        self.line()
    }

    /// Makes a module; says which libraries run it, and ONNX Runtime's peak memory in MiB.
    pub(super) fn open(&mut self, what: &str, shape: &[usize]) -> (Vec<&'static str>, Option<f64>) {
        let shape: Vec<String> = shape.iter().map(usize::to_string).collect();
        let answer = self.ask(&format!("open\t{what}\t{}", shape.join(","))).unwrap_or_default();
        let mut words = answer.split_whitespace();
        let peak = words.next().and_then(|w| w.parse().ok()).filter(|p: &f64| *p > 0.0);
        let known = |w: &str| ["pytorch", "onnxruntime"].into_iter().find(|k| *k == w);
        (words.filter_map(known).collect(), peak)
    }

    /// Times of a burst, ms.
    pub(super) fn burst(&mut self, name: &str, clock: Clock) -> Vec<f64> {
        let clock = if clock == Clock::Wall { "wall" } else { "processor" };
        let answer = self.ask(&format!("run\t{name}\t{clock}")).unwrap_or_default();
        answer.split_whitespace().filter_map(|w| w.parse().ok()).collect()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        writeln!(self.to, "quit").ok();
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

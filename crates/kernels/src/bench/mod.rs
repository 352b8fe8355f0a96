//! The benchmark of layers and nets: ours beside candle's own in one process, PyTorch and ONNX Runtime in another, all
//! taking turns.
//!
//! Libraries run in bursts, round by round, so that a disturbance meets all of them; the first run of each burst is
//! dropped, because the others' threads spin for a while after their last. What is told is the median.

mod candle;
mod cases;
mod memory;
mod peers;

pub use peers::Peers;

use candle_core::Result;
use std::time::{Duration, Instant};

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Time on the wall.
    Wall,
    /// Processor time of all threads of the process: for a machine that others use too. It only compares libraries that
    /// run one thread each, for it counts threads that wait spinning.
    Processor,
}

impl Clock {
    /// Now, in ms since some start.
    fn now(self) -> f64 {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        if self == Self::Processor {
            return memory::processor_ms();
        }
        START.get_or_init(Instant::now).elapsed().as_secs_f64() * 1e3
    }
}

/// Something to time: one run of a layer, a net or a training step.
pub type Run = Box<dyn FnMut() -> Result<()>>;

/// A case: how each library makes it.
pub struct Case {
    /// Name and sizes.
    pub name: String,
    /// Makes ours.
    pub ours: Box<dyn FnOnce() -> Result<Run>>,
    /// Makes candle's own, where candle has all the layers.
    pub candle: Option<Box<dyn FnOnce() -> Result<Run>>>,
    /// A Python expression for the peers' module (or `train(module, target)`), and the shape of its input.
    pub python: Option<(String, Vec<usize>)>,
    /// Largest difference to candle's result relative to the largest number, where both give one.
    pub check: Option<Box<dyn FnOnce() -> Result<f32>>>,
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The case's name.
    pub case: String,
    /// Median of ours, ms.
    pub ours_ms: f64,
    /// Medians of the others by name, ms.
    pub others_ms: Vec<(&'static str, f64)>,
    /// Memory that ours took at most, beyond what there was before, MiB: weights, packed weights and results.
    pub peak_mib: Option<f64>,
    /// The same of ONNX Runtime.
    pub onnxruntime_peak_mib: Option<f64>,
    /// The check, where there is one.
    pub difference: Option<f32>,
}

/// Cases of single layers.
pub fn kernels() -> Vec<Case> {
    cases::kernels()
}

/// Training steps: forward, backward and update of a U-Net, a ResNet-18 and a small detector.
pub fn training() -> Vec<Case> {
    cases::training_steps()
}

/// Cases of whole nets and training steps.
pub fn nets() -> Vec<Case> {
    cases::nets()
}

/// Shortest burst.
const BURST: Duration = Duration::from_millis(60);

fn burst(times: &mut Vec<f64>, run: &mut Run, clock: Clock) -> Result<()> {
    // Long runs are hardly touched by what others' threads still do, and cost too much to be dropped.
    if times.last().is_none_or(|t| *t < 400.0) {
        run()?;
    }
    let start = Instant::now();
    loop {
        let one = clock.now();
        run()?;
        times.push(clock.now() - one);
        if start.elapsed() >= BURST {
            return Ok(());
        }
    }
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Times a case in `rounds` rounds.
pub fn measure(case: Case, peers: Option<&mut Peers>, rounds: usize, clock: Clock) -> Result<Measured> {
    let difference = case.check.map(|c| c()).transpose()?;
    let (mut ours, peak_mib) = memory::peak(|| {
        let mut ours = (case.ours)()?;
        ours()?;
        Ok(ours)
    })?;
    // candle lacks gradients of some layers and says so only when it comes to them: then it is no peer here.
    let once = |c: Box<dyn FnOnce() -> Result<Run>>| -> Result<Run> {
        let mut run = c()?;
        run()?;
        Ok(run)
    };
    let mut candle = case.candle.and_then(|c| once(c).ok());
    let mut peers = peers.zip(case.python);
    let mut onnxruntime_peak_mib = None;
    let mut names = Vec::new();
    if let Some((p, (what, shape))) = &mut peers {
        (names, onnxruntime_peak_mib) = p.open(what, shape);
    }
    let mut times = Vec::new();
    let mut candle_times = Vec::new();
    let mut peer_times: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for _ in 0..rounds {
        burst(&mut times, &mut ours, clock)?;
        if let Some(c) = &mut candle {
            burst(&mut candle_times, c, clock)?;
        }
        if let Some((p, _)) = &mut peers {
            for (name, t) in names.iter().zip(&mut peer_times) {
                t.extend(p.burst(name, clock));
            }
        }
    }
    let mut others_ms = Vec::new();
    if candle.is_some() {
        others_ms.push(("candle", median(&mut candle_times)));
    }
    for (name, t) in names.iter().zip(&mut peer_times) {
        if !t.is_empty() {
            others_ms.push((*name, median(t)));
        }
    }
    Ok(Measured { case: case.name, ours_ms: median(&mut times), others_ms, peak_mib, onnxruntime_peak_mib, difference })
}

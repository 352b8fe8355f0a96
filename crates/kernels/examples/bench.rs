//! The benchmark alone, without the window's crates: `bench kernels|nets [CASE] [ROUNDS]`; what `lightbox bench` runs.
//! With `LIGHTBOX_BENCH_CLOCK=processor` and `RAYON_NUM_THREADS=1` it measures processor time, for a machine in use.
#![allow(clippy::print_stdout, reason = "a command line's voice")]

use lightbox_kernels::{bench, isa, pool};

/// As in the binary.
#[global_allocator]
static ALLOCATOR: lightbox_kernels::memory::Keep = lightbox_kernels::memory::Keep;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let all = if args.first().is_some_and(|a| a == "nets") { bench::nets() } else { bench::kernels() };
    let only = args.get(1).map_or("", String::as_str);
    let rounds = args.get(2).and_then(|r| r.parse().ok()).unwrap_or(5);
    let processor = std::env::var("LIGHTBOX_BENCH_CLOCK").is_ok_and(|c| c == "processor");
    let clock = if processor { bench::Clock::Processor } else { bench::Clock::Wall };
    let python = std::env::var_os("LIGHTBOX_PYTHON");
    let mut peers = python.and_then(|p| bench::Peers::start(p.as_ref(), pool::threads()));
    println!("{} threads, {}, {}", pool::threads(), isa::current(), peers.as_ref().map_or("", |p| &p.versions));
    for case in all.into_iter().filter(|c| c.name.contains(only)) {
        let name = case.name.clone();
        match bench::measure(case, peers.as_mut(), rounds, clock) {
            Ok(m) => {
                let others: Vec<String> =
                    m.others_ms.iter().map(|(n, ms)| format!("{n} {ms:.2} ({:.2})", ms / m.ours_ms)).collect();
                println!(
                    "{:26} {:9.2} ms  {}  {:.0} MiB, ONNX Runtime {:.0} MiB, difference {:.0e}",
                    m.case,
                    m.ours_ms,
                    others.join(", "),
                    m.peak_mib.unwrap_or(f64::NAN),
                    m.onnxruntime_peak_mib.unwrap_or(f64::NAN),
                    m.difference.unwrap_or(f32::NAN)
                );
            }
            Err(e) => println!("{name}: {e}"),
        }
    }
}

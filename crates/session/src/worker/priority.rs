//! The processor is given to everything else first.

/// How far a thread stands back, of 19.
#[cfg(target_os = "linux")]
const NICE: i32 = 15;

/// Lowers the priority of the calling thread, where the system can do that for one thread alone.
#[cfg(target_os = "linux")]
pub(super) fn lower() {
    // On Linux a number of a thread stands for that thread, not for the process.
    if let Err(e) = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE) {
        log::info!("learning runs at the usual priority: {e}");
    }
}

/// Elsewhere the few threads must do.
#[cfg(not(target_os = "linux"))]
pub(super) fn lower() {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn one_thread_stands_back_and_the_others_do_not() {
        let of = |tid| rustix::process::getpriority_process(Some(tid)).expect("known");
        let here = rustix::thread::gettid();
        let before = of(here);
        let there = std::thread::spawn(|| {
            super::lower();
            rustix::process::getpriority_process(Some(rustix::thread::gettid())).expect("known")
        });
        assert_eq!(there.join().expect("ended"), super::NICE.max(before));
        assert_eq!(of(here), before);
    }
}

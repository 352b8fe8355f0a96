//! The one binary. Each command is a room in `commands`; what it prints is the contract of the command line.

mod args;
mod commands;
mod output;

use clap::Parser;

/// Keeps freed pages for a while. Slices and layers come and go by hundreds of megabytes, and the system's allocator gets
/// fresh pages for each: half the time of loading a series went there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or("lightbox=error")).init();
    // A wrong call ends in clap with exit code 2.
    let cli = args::Cli::parse();
    // Whatever goes wrong inside ends as one sentence, not as a panic's text; where it was goes to the log. The text of a
    // panic may hold values of the study and stays out.
    std::panic::set_hook(Box::new(|info| {
        let thread = std::thread::current();
        let thread = thread.name().unwrap_or("a thread").to_owned();
        if let Some(at) = info.location() {
            log::debug!("{thread} ended at {}:{}", at.file(), at.line());
        }
    }));
    let result = std::panic::catch_unwind(|| commands::run(cli));
    match result {
        Ok(Ok(())) => std::process::ExitCode::SUCCESS,
        Ok(Err(sentence)) => {
            output::error(&sentence);
            std::process::ExitCode::FAILURE
        }
        Err(_) => {
            output::error("Something in the program is wrong here. RUST_LOG=debug names the place in the program.");
            std::process::ExitCode::FAILURE
        }
    }
}

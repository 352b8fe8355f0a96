//! Writes the demo study into a folder: `cargo run -p lightbox-dicom --example write_demo -- DIR`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: write_demo DIR");
        return ExitCode::from(2);
    };
    match lightbox_dicom::phantom::write_demo_study(&dir) {
        Ok(study) => {
            println!("{}", study.folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

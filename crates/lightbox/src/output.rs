//! Standard output for results, standard error for progress and trouble.

use std::io::{IsTerminal, Write};

use serde::Serialize;

/// A failed write to a closed pipe is no fault of ours.
pub(crate) fn line(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

/// Exactly one JSON document.
pub(crate) fn json(value: &impl Serialize) -> Result<(), String> {
    let text = serde_json::to_string_pretty(value).map_err(|e| e.to_string())?;
    line(&text);
    Ok(())
}

/// A line of trouble: capital first, full stop last.
pub(crate) fn error(sentence: &str) {
    let mut text = sentence.replace('\n', " ");
    if let Some(first) = text.chars().next() {
        text.replace_range(..first.len_utf8(), &first.to_uppercase().to_string());
    }
    writeln!(std::io::stderr(), "lightbox: {text}").ok();
}

/// A note beside the result.
pub(crate) fn note(text: &str) {
    writeln!(std::io::stderr(), "{text}").ok();
}

/// A progress line that overwrites itself, on a terminal only.
pub(crate) fn progress(fraction: f32, text: &str) {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        write!(err, "\r\x1b[K{:5.1} % {text}", fraction * 100.0).ok();
        err.flush().ok();
    }
}

/// Ends the progress line.
pub(crate) fn progress_end() {
    let mut err = std::io::stderr();
    if err.is_terminal() {
        write!(err, "\r\x1b[K").ok();
        err.flush().ok();
    }
}

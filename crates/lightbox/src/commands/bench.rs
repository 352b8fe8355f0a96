//! bench: the project's own benchmarks.

pub(super) fn run(what: &str, _json: bool) -> Result<(), String> {
    Err(format!("`lightbox bench {what}` is not built yet."))
}

//! Something went wrong, in the reader's words.

/// How bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// For information.
    Note,
    /// Something is limited.
    Warning,
    /// Something did not happen.
    Error,
}

/// Where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemPlace {
    /// Opening files: the study list or the start screen.
    Open,
    /// Models: the AI panel.
    Ai,
    /// Segments: the masks panel.
    Masks,
    /// The report panel.
    Report,
    /// Anywhere else: the status line.
    General,
}

/// One thing to tell: what happened, what is kept, what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Its number.
    pub id: u64,
    /// How bad.
    pub severity: Severity,
    /// Where it belongs.
    pub place: ProblemPlace,
    /// The first words, bold.
    pub title: String,
    /// The rest.
    pub detail: String,
}

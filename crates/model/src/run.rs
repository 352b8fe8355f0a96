//! What a long computation needs from its caller: whether to stop, and where to say how far it is.

use crate::{Error, Result};

/// Cancellation and progress of one run.
#[derive(Clone, Copy)]
pub struct RunCx<'a> {
    /// Says true as soon as the result is no longer wanted; asked between layers.
    pub cancelled: &'a (dyn Fn() -> bool + Sync),
    /// Told the finished part, 0 to 1, and what is being done.
    pub progress: &'a (dyn Fn(f32, &str) + Sync),
}

impl RunCx<'static> {
    /// Never cancelled, tells nobody.
    pub fn silent() -> Self {
        Self { cancelled: &|| false, progress: &|_, _| {} }
    }
}

impl RunCx<'_> {
    /// [`Error::Cancelled`] if the caller wants no result any more.
    pub fn check(&self) -> Result<()> {
        if (self.cancelled)() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

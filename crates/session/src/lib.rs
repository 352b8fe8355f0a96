//! The state of the application, its commands and its jobs; headless.
//!
//! [`Session`] owns all state and changes only through [`Session::apply`] and [`Session::on_event`]. What has to happen
//! outside comes back as [`Effect`]s, which [`Jobs`] carries out on threads (or inline, in tests). The window reads the
//! session and sends commands; so do scripts.

pub mod annotation;
mod apply;
pub mod ask;
pub mod boxes;
pub mod checks;
pub mod command;
pub mod completion;
pub mod document;
pub mod drugs;
pub mod event;
pub mod export;
pub mod findings;
pub mod folders;
mod gesture;
pub mod ground;
pub mod heat;
pub mod ids;
pub mod improving;
pub mod jobs;
pub mod journal;
pub mod library;
#[cfg(test)]
mod made_up;
pub mod models;
mod picture;
pub mod problem;
pub mod proposals;
pub mod results;
mod session;
pub mod settings;
pub mod templates;
mod worker;
pub mod workspace;

pub use apply::segment::amount;
pub use apply::view::presets;
pub use command::Command;
pub use document::Document;
pub use event::{Effect, JobEvent, PixelNote};
pub use ids::{AnnotationId, JobId, StackId, StackKey};
pub use jobs::{Jobs, Places};
pub use library::{Library, LoadState, OpenStack, OpenStudy};
/// The types of headers and of models that are part of the state.
pub use lightbox_dicom::{FrameRef, Patient, Series, Skipped, Source, Stack, Study, StudyIndex, Warning, WarningKind};
pub use lightbox_model::card;
/// Sentences that were proposed and read again.
pub use lightbox_report::assist;
/// The rules of the checks.
pub use lightbox_report::check;
/// The types of the report that are part of the state.
pub use lightbox_report::document as report;
/// The formulas behind the calculators.
pub use lightbox_report::drug::dose;
/// What guidelines say, with their sources.
pub use lightbox_report::guideline;
/// Signed versions.
pub use lightbox_report::sign;
/// The names of the report's templates.
pub use lightbox_report::template as report_template;
pub use models::models_in;
pub use picture::picture;
pub use session::{JobInfo, JobKind, ReportState, Session};

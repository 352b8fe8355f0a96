//! The finding graph, report text and its checks: no window, no candle.
//!
//! | room | subject |
//! |---|---|
//! | [`findings`] | the findings file: examination, patient, priors, findings |
//! | [`measures`] | geometry of the lungs on a chest X-ray as findings |
//! | [`document`] | the report that a reader edits: sections, sentences, their state |
//! | [`lexicon`] | the terms of radiology and their synonyms |
//! | [`parse`] | what a text says |
//! | [`assist`] | proposals from rules or a model, each sentence read again |
//! | [`check`] | a report against itself and the findings: rules R01 to R24 |
//! | [`guideline`] | published guidelines as calculators |
//! | [`draft`] | from findings to proposed and accepted sentences |
//! | [`drug`] | contrast agents and drugs: rules with sources, doses, recalls |
//! | [`mrrt`] | templates as MRRT HTML5, in and out |
//! | [`sign`] | signed versions, differences, overrides, the audit line |
//! | [`export`] | HTML, FHIR, PDF |
//! | [`kb`] | the knowledge base behind `lightbox ask` |
//! | [`template`] | headings and order of the common examinations |
//!
//! Nothing here reads a file, opens a socket, starts a thread or draws. Lengths are mm, areas mm²,
//! volumes mL, densities HU; text positions are byte offsets on character boundaries.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test that cannot unwrap has failed, and says where"))]

pub mod assist;
pub mod check;
pub mod document;
pub mod draft;
pub mod drug;
pub mod export;
pub mod findings;
pub mod guideline;
pub mod kb;
pub mod lexicon;
pub mod measures;
pub mod mrrt;
pub mod parse;
mod phrase;
pub mod sign;
pub mod template;

pub use document::{ReportDocument, Section, Sentence, SentenceState, SourceChip};
pub use draft::{Draft, draft};
pub use findings::{Finding, FindingsFile};

//! Published guidelines and formulas as calculators: the facts re-expressed, each with its source and edition.
//!
//! | room | what |
//! |---|---|
//! | [`engine`] | which of them speaks of a findings file, and what it says |
//! | [`fleischner`] | follow-up of incidental pulmonary nodules |
//! | [`tirads`] | points, level and advice for thyroid nodules |
//! | [`recist`] | response of target lesions |
//! | [`bosniak`] | cystic renal masses |
//! | [`adrenal`] | washout of adrenal nodules |
//! | [`ratio`] | cardiothoracic ratio, Evans index, hippocampal volume, Agatston score, ASPECTS |

pub mod adrenal;
pub mod bosniak;
pub mod engine;
pub mod fleischner;
pub mod ratio;
pub mod recist;
pub mod tirads;

use serde::Serialize;

/// Where a rule comes from; shown beside whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Source {
    /// The name on a chip ("Fleischner 2017").
    pub short: &'static str,
    /// Authors, title, journal, year.
    pub citation: &'static str,
    /// The edition.
    pub version: &'static str,
    /// The DOI.
    pub doi: &'static str,
}

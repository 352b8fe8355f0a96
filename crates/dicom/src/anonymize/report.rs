//! What was done, in numbers: nothing in it identifies anybody.

use std::collections::BTreeMap;

use dicom_core::Tag;
use serde::Serialize;

use super::tables::EDITION;
use super::{ProfileOption, Settings};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    Removed,
    Emptied,
    Replaced,
    UidReplaced,
    Cleaned,
    Shifted,
    KeptByOption,
}

/// How often what was done to one attribute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Taken out.
    pub removed: u64,
    /// Left without a value.
    pub emptied: u64,
    /// Given a value that says nothing.
    pub replaced: u64,
    /// Given another UID, the same for the same original.
    pub uid_replaced: u64,
    /// Text of which only known words are left.
    pub cleaned: u64,
    /// Dates moved.
    pub date_shifted: u64,
    /// Kept, because an option says so.
    pub kept_by_option: u64,
}

impl Counts {
    fn add(&mut self, done: Done, n: u64) {
        *match done {
            Done::Removed => &mut self.removed,
            Done::Emptied => &mut self.emptied,
            Done::Replaced => &mut self.replaced,
            Done::UidReplaced => &mut self.uid_replaced,
            Done::Cleaned => &mut self.cleaned,
            Done::Shifted => &mut self.date_shifted,
            Done::KeptByOption => &mut self.kept_by_option,
        } += n;
    }

    fn merge(&mut self, other: &Self) {
        self.removed += other.removed;
        self.emptied += other.emptied;
        self.replaced += other.replaced;
        self.uid_replaced += other.uid_replaced;
        self.cleaned += other.cleaned;
        self.date_shifted += other.date_shifted;
        self.kept_by_option += other.kept_by_option;
    }
}

/// Counts by attribute; `None` for all private ones together, since their names may be a site's own.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<Option<Tag>, Counts>);

impl Tally {
    pub(super) fn add(&mut self, tag: Option<Tag>, done: Done) {
        self.0.entry(tag).or_default().add(done, 1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (tag, counts) in &other.0 {
            self.0.entry(*tag).or_default().merge(counts);
        }
    }
}

/// One attribute's line.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttributeReport {
    /// `(gggg,eeee)`, or `private`.
    pub tag: String,
    /// Keyword of PS3.6, empty where it has none.
    pub keyword: String,
    /// How often what.
    #[serde(flatten)]
    pub counts: Counts,
}

/// A sentence and the copies that it is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WarningReport {
    /// What to look at before the copies are given away.
    pub text: String,
    /// The copies, as named under the output folder.
    pub files: Vec<String>,
}

/// A reason and how many files were left out for it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOutReport {
    /// One sentence.
    pub reason: String,
    /// Files.
    pub files: usize,
}

/// What a run did. No value of a header and no name of an original file stands in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// The edition of the standard.
    pub standard: &'static str,
    /// The profile.
    pub profile: &'static str,
    /// Options in use.
    pub options: Vec<&'static str>,
    /// Whether new names and UIDs can be repeated with the key that was given, or by nobody.
    pub key: &'static str,
    /// The version that did it.
    pub software: String,
    /// Copies written.
    pub copies: usize,
    /// Patients, as far as their IDs tell.
    pub patients: usize,
    /// Files that were not copied, by reason.
    pub left_out: Vec<LeftOutReport>,
    /// What to look at.
    pub warnings: Vec<WarningReport>,
    /// By attribute, in the order of the tags, private ones first.
    pub attributes: Vec<AttributeReport>,
}

impl Report {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            standard: EDITION,
            profile: "Basic Application Level Confidentiality Profile",
            options: settings.options.iter().map(ProfileOption::name).collect(),
            key: if settings.key.is_some() { "given" } else { "random" },
            software: concat!("Lightbox ", env!("CARGO_PKG_VERSION")).into(),
            ..Self::default()
        }
    }

    pub(super) fn warn(&mut self, text: &str, file: &str) {
        match self.warnings.iter_mut().find(|w| w.text == text) {
            Some(warning) => warning.files.push(file.to_owned()),
            None => self.warnings.push(WarningReport { text: text.to_owned(), files: vec![file.to_owned()] }),
        }
    }

    pub(super) fn leave_out(&mut self, reason: &str) {
        match self.left_out.iter_mut().find(|l| l.reason == reason) {
            Some(left) => left.files += 1,
            None => self.left_out.push(LeftOutReport { reason: reason.to_owned(), files: 1 }),
        }
    }

    pub(super) fn finish(&mut self, tally: &Tally) {
        self.attributes = tally
            .0
            .iter()
            .map(|(tag, counts)| {
                let name = tag.map(crate::element::name).unwrap_or_default();
                AttributeReport {
                    tag: tag.map_or_else(|| "private".into(), |t| format!("({:04X},{:04X})", t.0, t.1)),
                    keyword: if name.starts_with('(') { String::new() } else { name },
                    counts: *counts,
                }
            })
            .collect();
    }
}

//! De-identified copies of DICOM files by PS3.15 Annex E.
//!
//! The rules are the standard's own tables (`crates/dicom/tables`). Each file is read strictly, each element gets what its
//! row says, resolved by its type in the object at hand; what has no row but could name somebody (person names, dates, UIDs,
//! private and unknown attributes) is treated as if it had one. Values that stay are copied byte by byte, pixels too, so
//! that a compressed image stays compressed.

mod apply;
mod copy;
mod identity;
mod pixels;
mod report;
mod run;
mod secret;
mod tables;
mod tree;
mod write;

use std::collections::BTreeSet;

use dicom_core::Tag;

pub use report::{AttributeReport, Counts, LeftOutReport, Report, WarningReport};
pub use run::{AnonymizeError, Anonymized, Progress, anonymize};

/// An option of the profile (PS3.15 E.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ProfileOption {
    /// E.3.1; rectangles that the caller names are blanked.
    CleanPixelData,
    /// E.3.3.
    CleanGraphics,
    /// E.3.4.
    CleanStructuredContent,
    /// E.3.5.
    CleanDescriptors,
    /// E.3.6.
    RetainFullDates,
    /// E.3.6.
    RetainModifiedDates,
    /// E.3.7.
    RetainPatientCharacteristics,
    /// E.3.8.
    RetainDeviceIdentity,
    /// E.3.9 (UIDs).
    RetainUids,
    /// E.3.10.
    RetainSafePrivate,
    /// E.3.11.
    RetainInstitutionIdentity,
}

impl ProfileOption {
    /// All that there are.
    pub const ALL: [Self; 11] = [
        Self::CleanPixelData,
        Self::CleanGraphics,
        Self::CleanStructuredContent,
        Self::CleanDescriptors,
        Self::RetainFullDates,
        Self::RetainModifiedDates,
        Self::RetainPatientCharacteristics,
        Self::RetainDeviceIdentity,
        Self::RetainUids,
        Self::RetainSafePrivate,
        Self::RetainInstitutionIdentity,
    ];

    /// As it is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.words().0
    }

    /// By its name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|o| o.name() == name)
    }

    /// Its name here, its code and that code's meaning (PS3.16 CID 7050).
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::CleanPixelData => ("clean-pixel-data", "113101", "Clean Pixel Data Option"),
            Self::CleanGraphics => ("clean-graphics", "113103", "Clean Graphics Option"),
            Self::CleanStructuredContent => ("clean-structured-content", "113104", "Clean Structured Content Option"),
            Self::CleanDescriptors => ("clean-descriptors", "113105", "Clean Descriptors Option"),
            Self::RetainFullDates => {
                ("retain-full-dates", "113106", "Retain Longitudinal Temporal Information Full Dates Option")
            }
            Self::RetainModifiedDates => {
                ("retain-modified-dates", "113107", "Retain Longitudinal Temporal Information Modified Dates Option")
            }
            Self::RetainPatientCharacteristics => {
                ("retain-patient-characteristics", "113108", "Retain Patient Characteristics Option")
            }
            Self::RetainDeviceIdentity => ("retain-device-identity", "113109", "Retain Device Identity Option"),
            Self::RetainUids => ("retain-uids", "113110", "Retain UIDs Option"),
            Self::RetainSafePrivate => ("retain-safe-private", "113111", "Retain Safe Private Option"),
            Self::RetainInstitutionIdentity => {
                ("retain-institution-identity", "113112", "Retain Institution Identity Option")
            }
        }
    }

    /// Its column in the table.
    fn column(self) -> Option<usize> {
        match self {
            Self::RetainUids => Some(0),
            Self::RetainDeviceIdentity => Some(1),
            Self::RetainInstitutionIdentity => Some(2),
            Self::RetainPatientCharacteristics => Some(3),
            Self::RetainFullDates => Some(4),
            Self::RetainModifiedDates => Some(5),
            Self::CleanDescriptors => Some(6),
            Self::CleanStructuredContent => Some(7),
            Self::CleanGraphics => Some(8),
            Self::CleanPixelData | Self::RetainSafePrivate => None,
        }
    }
}

/// A rectangle of an image, in pixels from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rectangle {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// How to de-identify. The default is the basic profile with a key that nobody knows.
#[derive(Clone, Default)]
pub struct Settings {
    /// Options of the profile.
    pub options: BTreeSet<ProfileOption>,
    /// With the same key, the same patient, UID and date become the same ones in a later run. A secret: who has it can
    /// tell whether a known ID is among the copies.
    pub key: Option<String>,
    /// Blanked in every image, with [`ProfileOption::CleanPixelData`].
    pub masks: Vec<Rectangle>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key is a secret.
        f.debug_struct("Settings").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Settings {
    /// Why these settings cannot be, as one sentence.
    #[must_use]
    pub fn objection(&self) -> Option<&'static str> {
        let has = |o| self.options.contains(&o);
        if has(ProfileOption::RetainFullDates) && has(ProfileOption::RetainModifiedDates) {
            return Some("dates are either kept or modified, not both");
        }
        if has(ProfileOption::CleanPixelData) && self.masks.is_empty() {
            return Some("clean-pixel-data needs the rectangles to be blanked; text in images is not found by itself");
        }
        if !has(ProfileOption::CleanPixelData) && !self.masks.is_empty() {
            return Some("rectangles are blanked with the option clean-pixel-data only");
        }
        if self.key.as_ref().is_some_and(|k| k.trim().chars().count() < 8) {
            return Some("the key needs at least 8 characters");
        }
        None
    }

    /// Whether an option keeps this attribute's value as it is.
    fn keeps(&self, tag: Tag) -> bool {
        let Some(row) = tables::PROFILE.get(&tag) else { return false };
        self.options
            .iter()
            .filter_map(|o| o.column())
            .any(|column| row.options[column] == Some(tables::OptionCode::Keep))
    }
}

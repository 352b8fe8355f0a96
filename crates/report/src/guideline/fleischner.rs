//! Incidental pulmonary nodules in adults of 35 years and more, without known cancer or weak immunity,
//! outside screening.

use super::Source;

/// The source.
pub const SOURCE: Source = Source {
    short: "Fleischner 2017",
    citation: "MacMahon H et al. Guidelines for management of incidental pulmonary nodules detected on CT images: from the Fleischner Society 2017. Radiology 2017;284:228-243",
    version: "2017",
    doi: "10.1148/radiol.2017161659",
};

/// How dense a nodule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Composition {
    /// Solid.
    Solid,
    /// Part-solid.
    PartSolid,
    /// Pure ground-glass.
    GroundGlass,
}

impl Composition {
    /// Reads the attribute of a finding.
    pub fn of(word: &str) -> Option<Self> {
        Some(match word.replace([' ', '_'], "-").as_str() {
            "solid" => Self::Solid,
            "part-solid" | "partsolid" | "subsolid" | "semisolid" | "mixed" => Self::PartSolid,
            "ground-glass" | "groundglass" | "nonsolid" | "non-solid" | "pure-ground-glass" => Self::GroundGlass,
            _ => return None,
        })
    }
}

/// The patient's risk of lung cancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Risk {
    /// Low.
    Low,
    /// High.
    High,
}

impl Risk {
    /// Reads the attribute of a finding.
    pub fn of(word: &str) -> Option<Self> {
        match word {
            "low" => Some(Self::Low),
            "high" => Some(Self::High),
            _ => None,
        }
    }
}

/// What a text advises.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Told {
    /// No follow-up.
    Nothing,
    /// CT after this many months, first and last of a range.
    Months(f64, f64),
}

/// What the guideline gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// Whether no follow-up is right.
    pub nothing: bool,
    /// Ranges in months that are right for the first or a later CT.
    pub months: Vec<(f64, f64)>,
    /// In words.
    pub words: &'static str,
}

/// The advice for the largest nodule. `size_mm` is the mean of long and short axis, used as whole mm; unknown
/// risk allows what either risk allows.
pub fn advice(size_mm: f64, composition: Composition, risk: Option<Risk>, multiple: bool) -> Advice {
    let size = size_mm.round();
    let give =
        |nothing: bool, months: &[(f64, f64)], words: &'static str| Advice { nothing, months: months.to_vec(), words };
    match (composition, multiple) {
        (Composition::Solid, _) if size < 6.0 => match risk {
            Some(Risk::Low) => give(true, &[], "no routine follow-up"),
            Some(Risk::High) => give(true, &[(12.0, 12.0)], "optional CT at 12 months"),
            None => {
                give(true, &[(12.0, 12.0)], "no routine follow-up at low risk, optional CT at 12 months at high risk")
            }
        },
        (Composition::Solid, false) if size <= 8.0 => give(
            false,
            &[(6.0, 12.0), (18.0, 24.0)],
            "CT at 6 to 12 months, then at 18 to 24 months (to be considered at low risk)",
        ),
        (Composition::Solid, false) => give(false, &[(3.0, 3.0)], "CT at 3 months, PET/CT or tissue sampling"),
        (Composition::Solid, true) => give(
            false,
            &[(3.0, 6.0), (18.0, 24.0)],
            "CT at 3 to 6 months, then at 18 to 24 months (to be considered at low risk)",
        ),
        (_, true) if size < 6.0 => give(
            false,
            &[(3.0, 6.0), (24.0, 24.0), (48.0, 48.0)],
            "CT at 3 to 6 months, then to be considered at 2 and 4 years",
        ),
        (_, true) => give(false, &[(3.0, 6.0)], "CT at 3 to 6 months, then by the most suspicious nodule"),
        (_, false) if size < 6.0 => give(true, &[], "no routine follow-up"),
        (Composition::GroundGlass, false) => give(
            false,
            &[(6.0, 12.0), (24.0, 24.0), (60.0, 60.0)],
            "CT at 6 to 12 months, then every 2 years until 5 years",
        ),
        (Composition::PartSolid, false) => give(
            false,
            &[(3.0, 6.0), (12.0, 12.0), (60.0, 60.0)],
            "CT at 3 to 6 months, then yearly for 5 years if unchanged with a solid part under 6 mm",
        ),
    }
}

/// What the guideline gives instead, where the text's advice does not fit it.
pub fn contradiction(
    size_mm: f64,
    composition: Composition,
    risk: Option<Risk>,
    multiple: bool,
    told: Told,
) -> Option<&'static str> {
    let right = advice(size_mm, composition, risk, multiple);
    let fits = match told {
        Told::Nothing => right.nothing,
        Told::Months(first, last) => right.months.iter().any(|(from, to)| first <= to + 0.5 && last >= from - 0.5),
    };
    (!fits).then_some(right.words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solid_nodules_follow_size_and_risk() {
        assert!(advice(5.4, Composition::Solid, Some(Risk::Low), false).nothing);
        assert_eq!(advice(5.0, Composition::Solid, Some(Risk::High), false).months, [(12.0, 12.0)]);
        assert_eq!(advice(7.0, Composition::Solid, None, false).months[0], (6.0, 12.0));
        assert_eq!(advice(9.0, Composition::Solid, None, false).months, [(3.0, 3.0)]);
        assert_eq!(advice(9.0, Composition::Solid, None, true).months[0], (3.0, 6.0));
    }

    #[test]
    fn subsolid_nodules_have_their_own_intervals() {
        assert!(advice(5.0, Composition::GroundGlass, None, false).nothing);
        assert_eq!(advice(8.0, Composition::GroundGlass, None, false).months[0], (6.0, 12.0));
        assert_eq!(advice(8.0, Composition::PartSolid, None, false).months[0], (3.0, 6.0));
        assert!(!advice(5.0, Composition::PartSolid, None, true).nothing);
    }

    #[test]
    fn a_wrong_interval_is_named() {
        assert!(contradiction(7.0, Composition::Solid, None, false, Told::Nothing).is_some());
        assert!(contradiction(7.0, Composition::Solid, None, false, Told::Months(24.0, 36.0)).is_none());
        assert!(contradiction(10.0, Composition::Solid, None, false, Told::Months(12.0, 12.0)).is_some());
        assert!(contradiction(4.0, Composition::Solid, Some(Risk::Low), false, Told::Months(3.0, 3.0)).is_some());
    }
}

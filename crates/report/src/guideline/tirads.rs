//! Thyroid nodules on ultrasound: points by five attributes, level by points, advice by level and size.

use super::Source;
use crate::findings::Finding;

/// The source.
pub const SOURCE: Source = Source {
    short: "ACR TI-RADS 2017",
    citation: "Tessler FN et al. ACR Thyroid Imaging, Reporting and Data System (TI-RADS): white paper of the ACR TI-RADS Committee. J Am Coll Radiol 2017;14:587-595",
    version: "2017",
    doi: "10.1016/j.jacr.2017.01.046",
};

/// Points of each attribute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Cystic or spongiform 0, mixed 1, solid 2.
    pub composition: u8,
    /// Anechoic 0, hyper- or isoechoic 1, hypoechoic 2, very hypoechoic 3.
    pub echogenicity: u8,
    /// Wider than tall 0, taller than wide 3.
    pub shape: u8,
    /// Smooth or ill-defined 0, lobulated or irregular 2, extrathyroidal 3.
    pub margin: u8,
    /// None or comet tail 0, macrocalcification 1, rim 2, punctate 3; kinds add up.
    pub foci: u8,
}

impl Attributes {
    /// Reads `composition`, `echogenicity`, `shape`, `margin` and `foci`. `None` unless composition and
    /// echogenicity are known; the other three count as 0 where they are absent.
    pub fn of(finding: &Finding) -> Option<Self> {
        let composition = composition_points(&finding.attribute("composition")?)?;
        let echogenicity = finding.attribute("echogenicity").and_then(|word| echogenicity_points(&word));
        let spongiform = finding.attribute("composition").is_some_and(|word| word.contains("spongiform"));
        if spongiform {
            return Some(Self::default()); // a spongiform nodule gets no further points
        }
        Some(Self {
            composition,
            echogenicity: echogenicity.or((composition == 0).then_some(0))?,
            shape: finding.attribute("shape").map_or(0, |word| shape_points(&word)),
            margin: finding.attribute("margin").map_or(0, |word| margin_points(&word)),
            foci: foci_of(finding),
        })
    }

    /// Reads the attributes from normalised words of a description. `None` unless composition, echogenicity and one
    /// more attribute are told: a short description cannot be scored.
    pub fn of_words(words: &[&str]) -> Option<Self> {
        let text = format!(" {} ", words.join(" ").replace(" - ", " "));
        let has = |phrase: &str| text.contains(&format!(" {phrase} "));
        let composition = if has("spongiform") {
            return Some(Self::default());
        } else if has("mixed cystic and solid")
            || has("mixed solid and cystic")
            || has("partially cystic")
            || has("partly cystic")
            || has("solid and cystic")
            || has("cystic and solid")
        {
            1
        } else if has("cystic") || has("completely cystic") || has("anechoic") {
            0
        } else if has("solid") {
            2
        } else {
            return None;
        };
        let echogenicity = if has("very hypoechoic") || has("markedly hypoechoic") {
            3
        } else if has("hypoechoic") {
            2
        } else if has("isoechoic") || has("hyperechoic") {
            1
        } else if has("anechoic") {
            0
        } else {
            return None;
        };
        let taller = has("taller than wide") || has("taller");
        let wider = has("wider than tall") || has("wider");
        let extension = has("extrathyroidal extension")
            && !has("no extrathyroidal extension")
            && !has("without extrathyroidal extension");
        let irregular = (has("irregular") || has("lobulated")) && !has("no irregular");
        let smooth = has("smooth") || has("ill defined") || has("well defined") || has("circumscribed");
        let denied = has("no echogenic focus")
            || has("without echogenic focus")
            || has("no calcification")
            || has("no punctate echogenic focus")
            || has("without calcification")
            || has("no microcalcification");
        let mut foci = 0;
        if !denied {
            if has("punctate echogenic focus")
                || has("microcalcification")
                || has("punctate focus")
                || has("punctate calcification")
            {
                foci += 3;
            }
            if has("rim calcification") || has("peripheral calcification") || has("eggshell calcification") {
                foci += 2;
            }
            if has("macrocalcification") || has("coarse calcification") {
                foci += 1;
            }
        }
        if !(taller || wider || extension || irregular || smooth || denied || foci > 0) {
            return None;
        }
        Some(Self {
            composition,
            echogenicity,
            shape: if taller && !wider || has("taller than wide") { 3 } else { 0 },
            margin: if extension {
                3
            } else if irregular {
                2
            } else {
                0
            },
            foci,
        })
    }

    /// The sum.
    pub fn points(&self) -> u8 {
        self.composition + self.echogenicity + self.shape + self.margin + self.foci
    }
}

fn plain(word: &str) -> String {
    word.to_lowercase().replace(['-', '_'], " ")
}

fn composition_points(word: &str) -> Option<u8> {
    let word = plain(word);
    Some(match word.as_str() {
        _ if word.contains("mixed")
            || word.contains("partially cystic")
            || word.contains("solid and cystic")
            || word.contains("cystic and solid") =>
        {
            1
        }
        _ if word.contains("spongiform") || word.contains("cystic") || word == "cyst" => 0,
        _ if word.contains("solid") => 2,
        _ => return None,
    })
}

fn echogenicity_points(word: &str) -> Option<u8> {
    let word = plain(word);
    Some(match word.as_str() {
        _ if word.contains("very hypo") || word.contains("markedly hypo") => 3,
        _ if word.contains("hypo") => 2,
        _ if word.contains("hyper") || word.contains("iso") => 1,
        _ if word.contains("anechoic") => 0,
        _ => return None,
    })
}

fn shape_points(word: &str) -> u8 {
    let word = plain(word);
    if word.starts_with("taller") || word.contains("taller than wide") { 3 } else { 0 }
}

fn margin_points(word: &str) -> u8 {
    let word = plain(word);
    if word.contains("extra") {
        3
    } else if word.contains("lobulated") || word.contains("irregular") {
        2
    } else {
        0
    }
}

/// Kinds of foci add up; the attribute may be one word, several in one text, or a list.
fn foci_of(finding: &Finding) -> u8 {
    let Some(value) = finding.attributes.as_ref().and_then(|attributes| attributes.get("foci")) else { return 0 };
    let text = match value {
        serde_json::Value::String(text) => plain(text),
        serde_json::Value::Array(items) => {
            items.iter().filter_map(|item| item.as_str()).map(plain).collect::<Vec<_>>().join(", ")
        }
        _ => return 0,
    };
    let mut points = 0;
    if text.contains("punctate") || text.contains("microcalc") {
        points += 3;
    }
    if text.contains("rim") || text.contains("peripheral") || text.contains("eggshell") {
        points += 2;
    }
    if text.contains("macro") || text.contains("coarse") {
        points += 1;
    }
    points
}

/// TR1 to TR5. One point does not occur in the published table; it counts as TR1.
pub fn level(points: u8) -> u8 {
    match points {
        0 | 1 => 1,
        2 => 2,
        3 => 3,
        4..=6 => 4,
        _ => 5,
    }
}

/// What level and size ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Neither sampling nor follow-up.
    Nothing,
    /// Follow-up ultrasound.
    Follow,
    /// Fine-needle aspiration.
    Sample,
}

impl Advice {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Nothing => "no further action",
            Self::Follow => "follow-up ultrasound",
            Self::Sample => "fine-needle aspiration",
        }
    }
}

/// Advice by level and the largest diameter in mm.
pub fn advice(level: u8, size_mm: f64) -> Advice {
    let (sample_mm, follow_mm) = match level {
        3 => (25.0, 15.0),
        4 => (15.0, 10.0),
        5 => (10.0, 5.0),
        _ => return Advice::Nothing,
    };
    if size_mm >= sample_mm {
        Advice::Sample
    } else if size_mm >= follow_mm {
        Advice::Follow
    } else {
        Advice::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(attributes: &str) -> Finding {
        serde_json::from_str(&format!(r#"{{"term": "thyroid nodule", "attributes": {attributes}}}"#)).unwrap()
    }

    #[test]
    fn points_add_up() {
        let suspicious = finding(
            r#"{"composition": "solid", "echogenicity": "hypoechoic", "shape": "taller-than-wide", "margin": "irregular", "foci": "punctate echogenic foci"}"#,
        );
        assert_eq!(Attributes::of(&suspicious).unwrap().points(), 12);
        let mild = finding(
            r#"{"composition": "solid", "echogenicity": "isoechoic", "shape": "wider-than-tall", "margin": "smooth", "foci": "none"}"#,
        );
        assert_eq!(Attributes::of(&mild).unwrap().points(), 3);
        let spongy = finding(r#"{"composition": "spongiform", "echogenicity": "hypoechoic"}"#);
        assert_eq!(Attributes::of(&spongy).unwrap().points(), 0);
        assert_eq!([0, 2, 3, 4, 6, 7].map(level), [1, 2, 3, 4, 4, 5]);
    }

    #[test]
    fn advice_follows_level_and_size() {
        assert_eq!(advice(3, 25.0), Advice::Sample);
        assert_eq!(advice(4, 12.0), Advice::Follow);
        assert_eq!(advice(5, 10.0), Advice::Sample);
        assert_eq!(advice(2, 60.0), Advice::Nothing);
    }

    #[test]
    fn a_description_in_words_is_scored_only_when_it_says_enough() {
        let words: Vec<&str> =
            "solid hypoechoic nodule , wider than tall , smooth margin , no echogenic focus".split(' ').collect();
        assert_eq!(Attributes::of_words(&words).unwrap().points(), 4);
        assert_eq!(Attributes::of_words(&["solid", "hypoechoic", "nodule"]), None);
    }
}

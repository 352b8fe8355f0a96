//! What the values of an image measure: real-world value maps (PS3.3 C.7.6.16.2.11) and the standardised uptake of PET
//! (C.8.9).

use dicom_core::Tag;
use dicom_object::InMemDicomObject;
use serde::Serialize;

use crate::attr::Attributes;
use crate::groups::FrameView;
use crate::text::{date, safe, seconds};

/// The macro stands in the functional groups of enhanced objects and in the data set of classic ones.
const REAL_WORLD: Tag = Tag(0x0040, 0x9096);

/// From stored values to a physical quantity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RealWorldMap {
    /// LUT Label (0040,9210).
    pub label: String,
    /// LUT Explanation (0028,3003).
    pub explanation: String,
    /// Code of the unit, mostly UCUM.
    pub unit: String,
    /// First and last stored value that are mapped, both included.
    pub range: [f64; 2],
    /// How.
    pub mapping: RealWorldMapping,
}

/// How stored values are mapped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RealWorldMapping {
    /// `stored · slope + intercept`.
    Linear {
        /// Real World Value Slope.
        slope: f64,
        /// Real World Value Intercept.
        intercept: f64,
    },
    /// One value for each stored value from the first of the range on.
    Table(Vec<f64>),
}

impl RealWorldMap {
    /// The quantity for a stored value; `None` outside the range.
    #[must_use]
    pub fn apply(&self, stored: f64) -> Option<f64> {
        if !(self.range[0]..=self.range[1]).contains(&stored) {
            return None;
        }
        match &self.mapping {
            RealWorldMapping::Linear { slope, intercept } => Some(stored * slope + intercept),
            RealWorldMapping::Table(values) => values.get((stored - self.range[0]).round() as usize).copied(),
        }
    }

    fn read(item: &InMemDicomObject, signed: bool) -> Option<Self> {
        // Double Float Real World Value First and Last Value Mapped, for floating point pixels.
        let ends = [(0x9214, 0x9216), (0x9213, 0x9211)].map(|(double, word)| {
            item.number(Tag(0x0040, double)).or_else(|| item.number(Tag(0x0040, word)).map(|v| as_pixels(v, signed)))
        });
        let [Some(first), Some(last)] = ends else { return None };
        let table: Vec<f64> = item.numbers(Tag(0x0040, 0x9212)).into_iter().flatten().collect();
        let mapping = match (item.number(Tag(0x0040, 0x9225)), item.number(Tag(0x0040, 0x9224))) {
            (Some(slope), intercept) => RealWorldMapping::Linear { slope, intercept: intercept.unwrap_or(0.0) },
            _ if !table.is_empty() => RealWorldMapping::Table(table),
            _ => return None,
        };
        let code = item.first(Tag(0x0040, 0x08EA));
        Some(Self {
            label: safe(&item.text(Tag(0x0040, 0x9210))),
            explanation: safe(&item.text(Tag(0x0028, 0x3003))),
            unit: code.map(|c| safe(&c.text(Tag(0x0008, 0x0100)))).unwrap_or_default(),
            range: [first, last],
            mapping,
        })
    }
}

/// US or SS as the pixels are, however the VR reads.
fn as_pixels(v: f64, signed: bool) -> f64 {
    if signed && v > 32_767.0 { v - 65_536.0 } else { v }
}

/// The maps of a frame, in order. Several may cover different ranges or mean different quantities.
pub(crate) fn real_world(view: &FrameView<'_>, signed: bool) -> Vec<RealWorldMap> {
    // In a functional group the macro's sequence has the items itself.
    let frame = view.object.items(Tag(0x5200, 0x9230)).get(view.frame);
    let shared = view.object.first(Tag(0x5200, 0x9229));
    [frame, shared, Some(view.object)]
        .into_iter()
        .flatten()
        .map(|o| o.items(REAL_WORLD))
        .find(|items| !items.is_empty())
        .map(|items| items.iter().filter_map(|i| RealWorldMap::read(i, signed)).collect())
        .unwrap_or_default()
}

/// The factor from the values of a PET image to SUV by body weight.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suv {
    /// SUVbw = value after rescale · `factor`, in g/mL.
    pub factor: f64,
    /// What was guessed on the way; empty where all was told.
    pub note: String,
}

/// The SUV factor of a PET image (C.8.9.1), or why there is none; `None` for other modalities.
pub(crate) fn suv(o: &InMemDicomObject) -> Option<Result<Suv, String>> {
    (o.text(Tag(0x0008, 0x0060)) == "PT").then(|| body_weight(o))
}

fn body_weight(o: &InMemDicomObject) -> Result<Suv, String> {
    let none = |what: &str| Err(format!("no SUV: {what}"));
    match o.text(Tag(0x0054, 0x1001)).as_str() {
        "BQML" => {}
        "GML" => {
            return match o.text(Tag(0x0054, 0x1006)).as_str() {
                "" | "BW" => Ok(Suv { factor: 1.0, note: "the values are SUV already".into() }),
                other => none(&format!("the values are SUV of another kind ({})", safe(other))),
            };
        }
        "" => return none("the unit of the values is not told"),
        unit => return none(&format!("the values are in {}, not in Bq/mL", safe(unit))),
    }
    let corrected = o.texts(Tag(0x0028, 0x0051));
    for (word, what) in [("ATTN", "attenuation"), ("DECY", "decay")] {
        if !corrected.iter().any(|c| c == word) {
            return none(&format!("the values are not corrected for {what}"));
        }
    }
    let positive = |o: &InMemDicomObject, tag: Tag| o.number(tag).filter(|v| *v > 0.0);
    let Some(weight_kg) = positive(o, Tag(0x0010, 0x1030)) else { return none("the patient's weight is missing") };
    let Some(drug) = o.first(Tag(0x0054, 0x0016)) else { return none("the radiopharmaceutical is not described") };
    let Some(dose_bq) = positive(drug, Tag(0x0018, 0x1074)) else { return none("the injected dose is missing") };
    let (dose_bq, note) = match o.text(Tag(0x0054, 0x1102)).as_str() {
        "ADMIN" => (dose_bq, String::new()),
        "START" => {
            let Some(half_life_s) = positive(drug, Tag(0x0018, 0x1075)) else {
                return none("the half-life is missing");
            };
            let (scan_s, note) = scan_start(o)?;
            let injection_s = injection(o, drug, scan_s)?;
            let elapsed_s = scan_s - injection_s;
            if !(0.0..=86_400.0).contains(&elapsed_s) {
                return none("the injection is not within a day before the scan");
            }
            (dose_bq * (-std::f64::consts::LN_2 * elapsed_s / half_life_s).exp(), note)
        }
        "NONE" => return none("the values are not corrected for decay"),
        _ => return none("it is not told to which time the decay is corrected"),
    };
    Ok(Suv { factor: weight_kg * 1000.0 / dose_bq, note })
}

/// Seconds since the first of January 1970, from a date and a time.
fn moment(day: &str, time: &str) -> Option<f64> {
    let day = date(day);
    let part = |a: usize, b: usize| day.get(a..b)?.parse::<i64>().ok();
    let (y, m, d) = (part(0, 4)?, part(5, 7)?, part(8, 10)?);
    // Days from civil, Gregorian (Hinnant).
    let y = if m <= 2 { y - 1 } else { y };
    let era = y.div_euclid(400);
    let of_era = y - era * 400;
    let of_year = (153 * (m + if m > 2 { -3 } else { 9 }) + 2) / 5 + d - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(days as f64 * 86_400.0 + seconds(time)?)
}

/// When the decay-corrected scan began: the series' time, unless the acquisition is earlier, as it is where a series was
/// derived later on.
fn scan_start(o: &InMemDicomObject) -> Result<(f64, String), String> {
    let at = |d: u16, t: u16| moment(&o.text(Tag(0x0008, d)), &o.text(Tag(0x0008, t)));
    match (at(0x0021, 0x0031), at(0x0022, 0x0032)) {
        (Some(series), Some(acquired)) if series > acquired => {
            Ok((acquired, "the series was made after its acquisition; the acquisition's time is taken".into()))
        }
        (Some(series), _) => Ok((series, String::new())),
        (None, Some(acquired)) => Ok((acquired, "the series has no time; the acquisition's is taken".into())),
        (None, None) => Err("no SUV: the time of the scan is missing".into()),
    }
}

/// When the drug was given. A time without a date is of the scan's day, or of the day before where it would be later.
fn injection(o: &InMemDicomObject, drug: &InMemDicomObject, scan_s: f64) -> Result<f64, String> {
    let full = drug.text(Tag(0x0018, 0x1078));
    if let (Some(day), Some(time)) = (full.get(..8), full.get(8..)) {
        // A time zone may follow; both times are local where none of them has one.
        let time = time.split(['+', '-']).next().unwrap_or("");
        if let Some(at) = moment(day, time) {
            return Ok(at);
        }
    }
    let time = drug.text(Tag(0x0018, 0x1072));
    let days = [Tag(0x0008, 0x0021), Tag(0x0008, 0x0022)];
    let at =
        days.iter().find_map(|d| moment(&o.text(*d), &time)).ok_or("no SUV: the time of the injection is missing")?;
    Ok(if at > scan_s { at - 86_400.0 } else { at })
}

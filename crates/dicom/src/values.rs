//! From stored samples to values and windows: modality LUT and rescale (PS3.3 C.11.1), VOI (C.11.2), padding
//! (C.7.5.1.1.2), units.

use dicom_core::Tag;
use lightbox_core::windowing::{VoiFunction, Window};
use lightbox_core::{Rescale, Samples};

use crate::attr::Attributes;
use crate::groups::{FRAME_VOI_LUT, FrameView, PIXEL_VALUE_TRANSFORMATION};
use crate::lut::Lut;

const SEGMENTATION: &str = "1.2.840.10008.5.1.4.1.1.66.4";
const RT_DOSE: &str = "1.2.840.10008.5.1.4.1.1.481.2";

/// The modality LUT and the unit that it gives, where there is one (C.11.1).
pub(crate) fn modality_lut(view: &FrameView<'_>, signed: bool) -> Option<Result<(Lut, String), String>> {
    let item = view.within(PIXEL_VALUE_TRANSFORMATION).first(Tag(0x0028, 0x3000))?;
    let unit = match item.text(Tag(0x0028, 0x3004)).as_str() {
        "HU" => "HU".to_string(),
        _ => String::new(),
    };
    Some(Lut::read(item, signed).map(|l| (l, unit)))
}

pub(crate) fn apply(samples: &Samples, lut: &Lut) -> Vec<f32> {
    let go = |x: f64| f32::from(lut.apply(x));
    match samples {
        Samples::U8(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::I16(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::U16(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::I32(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::U32(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        Samples::F32(v) => v.iter().map(|&x| go(f64::from(x))).collect(),
        _ => Vec::new(),
    }
}

/// Slope and intercept of a frame. A segmentation's are not applied; a dose has its own factor.
pub(crate) fn rescale_of(view: &FrameView<'_>, class: &str) -> (Rescale, Option<String>) {
    if class == SEGMENTATION {
        return (Rescale::default(), None);
    }
    if class == RT_DOSE {
        let slope = view.object.number(Tag(0x3004, 0x000E)).filter(|s| *s > 0.0);
        return (Rescale { slope: slope.unwrap_or(1.0), intercept: 0.0 }, None);
    }
    let o = view.within(PIXEL_VALUE_TRANSFORMATION);
    let told = o.get(Tag(0x0028, 0x1053)).is_some() || o.get(Tag(0x0028, 0x1052)).is_some();
    if !told {
        return (Rescale::default(), None);
    }
    let (slope, intercept) = (o.number(Tag(0x0028, 0x1053)), o.number(Tag(0x0028, 0x1052)).unwrap_or(0.0));
    match slope {
        Some(slope) if slope != 0.0 => (Rescale { slope, intercept }, None),
        None if o.get(Tag(0x0028, 0x1053)).is_none() => (Rescale { slope: 1.0, intercept }, None),
        _ => (
            Rescale { slope: 1.0, intercept },
            Some("the rescale slope is no number above or below 0; 1 is taken".into()),
        ),
    }
}

/// The unit of the values after rescale.
pub(crate) fn unit_of(view: &FrameView<'_>, class: &str) -> String {
    let o = view.object;
    if class == RT_DOSE {
        return if o.text(Tag(0x3004, 0x0002)).eq_ignore_ascii_case("GY") { "Gy".into() } else { String::new() };
    }
    let modality = o.text(Tag(0x0008, 0x0060));
    match o.text(Tag(0x0054, 0x1001)).as_str() {
        "BQML" => return "Bq/mL".into(),
        "GML" => return "g/mL".into(),
        "CNTS" => return "counts".into(),
        "PROPCNTS" => return "proportional to counts".into(),
        "PROPCPS" => return "proportional to counts per second".into(),
        _ => {}
    }
    let t = view.within(PIXEL_VALUE_TRANSFORMATION);
    let rescaled = t.get(Tag(0x0028, 0x1052)).is_some();
    match (t.text(Tag(0x0028, 0x1054)).as_str(), modality.as_str()) {
        ("HU", _) => "HU".into(),
        // Rescale Type is not required in a CT image; without it the values are HU (C.8.2.1.1.2), localizers excepted.
        ("" | "US", "CT") if rescaled => {
            let localizer = o.texts(Tag(0x0008, 0x0008)).iter().any(|v| v == "LOCALIZER");
            if localizer { String::new() } else { "HU".into() }
        }
        _ => String::new(),
    }
}

/// Windows and VOI LUTs of a frame, and what was wrong with them.
pub(crate) fn voi(view: &FrameView<'_>, signed: bool) -> (Vec<(String, Window)>, Vec<Lut>, Vec<String>) {
    let o = view.within(FRAME_VOI_LUT);
    let mut notes = Vec::new();
    let (centres, widths) = (o.numbers(Tag(0x0028, 0x1050)), o.numbers(Tag(0x0028, 0x1051)));
    if centres.len() != widths.len() {
        notes.push(format!("{} window centres and {} widths", centres.len(), widths.len()));
    }
    let names = o.texts(Tag(0x0028, 0x1055));
    let function = match o.text(Tag(0x0028, 0x1056)).to_ascii_uppercase().as_str() {
        "LINEAR_EXACT" => VoiFunction::LinearExact,
        "SIGMOID" => VoiFunction::Sigmoid,
        _ => VoiFunction::Linear,
    };
    let mut windows = Vec::new();
    for (i, (c, w)) in centres.iter().zip(&widths).enumerate() {
        let name = names.get(i).map(|n| crate::text::safe(n)).unwrap_or_default();
        match (c, w) {
            (Some(center), Some(width)) if *width >= 1.0 || *width > 0.0 && function != VoiFunction::Linear => {
                windows.push((name, Window { center: *center, width: *width, function }));
            }
            // Parametric maps come with LINEAR windows narrower than 1, which are meant exactly.
            (Some(center), Some(width)) if *width > 0.0 => {
                windows.push((name, Window { center: *center, width: *width, function: VoiFunction::LinearExact }));
            }
            _ => notes.push("a window without width is left out".into()),
        }
    }
    let mut luts = Vec::new();
    for item in o.items(Tag(0x0028, 0x3010)) {
        match Lut::read(item, signed) {
            Ok(lut) => luts.push(lut),
            Err(reason) => notes.push(format!("a VOI LUT is left out: {reason}")),
        }
    }
    (windows, luts, notes)
}

/// What is amiss with the values and windows of a frame.
pub(crate) fn notes(view: &FrameView<'_>, class: &str, signed: bool) -> Vec<String> {
    let mut notes = Vec::new();
    match modality_lut(view, signed) {
        Some(Ok(_)) => {}
        other => {
            if let Some(Err(reason)) = other {
                notes.push(format!("the modality LUT is not used: {reason}"));
            }
            notes.extend(rescale_of(view, class).1);
        }
    }
    notes.extend(voi(view, signed).2);
    notes
}

/// Pixel Padding Value and Range Limit (C.7.5.1.1.2), in stored values.
pub(crate) fn padding(view: &FrameView<'_>, colour: bool) -> Option<(f64, f64)> {
    if colour {
        return None;
    }
    let value = view.object.number(Tag(0x0028, 0x0120))?;
    let limit = view.object.number(Tag(0x0028, 0x0121)).unwrap_or(value);
    Some((value.min(limit), value.max(limit)))
}

//! Ratios and scores that are one formula.

use super::Source;

/// Source of the cardiothoracic ratio.
pub const CTR_SOURCE: Source = Source {
    short: "Danzer 1919",
    citation: "Danzer CS. The cardiothoracic ratio: an index of cardiac enlargement. Am J Med Sci 1919;157:513-521",
    version: "1919",
    doi: "10.1097/00000441-191904000-00005",
};

/// Above this the heart counts as enlarged on an upright PA radiograph of an adult.
pub const CTR_LIMIT: f64 = 0.5;

/// Heart width over inner thoracic width, both in the same unit. `None` unless 0 < heart < thorax.
pub fn cardiothoracic(heart_width: f64, thoracic_width: f64) -> Option<f64> {
    (heart_width > 0.0 && thoracic_width.is_finite() && heart_width < thoracic_width)
        .then(|| heart_width / thoracic_width)
}

/// Source of the Evans index.
pub const EVANS_SOURCE: Source = Source {
    short: "iNPH guideline",
    citation: "Relkin N et al. Diagnosing idiopathic normal-pressure hydrocephalus. Neurosurgery 2005;57(3 Suppl):S4-S16",
    version: "2005",
    doi: "10.1227/01.NEU.0000168185.29659.C5",
};

/// Above this the ventricles count as enlarged.
pub const EVANS_LIMIT: f64 = 0.3;

/// Widest frontal horns over the widest inner skull of the same slice, both in mm.
pub fn evans(frontal_horns_mm: f64, inner_skull_mm: f64) -> Option<f64> {
    cardiothoracic(frontal_horns_mm, inner_skull_mm)
}

/// Left and right hippocampal volume in mL compared: the difference as a share of their mean, 0 to 2.
///
/// No normal range by age is built in: published ranges depend on scanner, protocol and delineation, so the number is
/// given and not judged.
pub fn hippocampal_asymmetry(left_ml: f64, right_ml: f64) -> Option<f64> {
    let sum = left_ml + right_ml;
    (left_ml >= 0.0 && right_ml >= 0.0 && sum > 0.0 && sum.is_finite()).then(|| 2.0 * (left_ml - right_ml).abs() / sum)
}

/// Source of the Agatston score.
pub const AGATSTON_SOURCE: Source = Source {
    short: "Agatston 1990",
    citation: "Agatston AS et al. Quantification of coronary artery calcium using ultrafast computed tomography. J Am Coll Cardiol 1990;15:827-832",
    version: "1990",
    doi: "10.1016/0735-1097(90)90282-T",
};

/// The score of one lesion in one 3 mm slice: its area in mm² times a weight by its peak density in HU.
pub fn agatston_lesion(area_mm2: f64, peak_hu: f64) -> f64 {
    let weight = match peak_hu {
        hu if hu >= 400.0 => 4.0,
        hu if hu >= 300.0 => 3.0,
        hu if hu >= 200.0 => 2.0,
        hu if hu >= 130.0 => 1.0,
        _ => 0.0,
    };
    if area_mm2.is_finite() && area_mm2 >= 1.0 { area_mm2 * weight } else { 0.0 }
}

/// Source of ASPECTS.
pub const ASPECTS_SOURCE: Source = Source {
    short: "ASPECTS 2000",
    citation: "Barber PA et al. Validity and reliability of a quantitative computed tomography score in predicting outcome of hyperacute stroke before thrombolytic therapy. Lancet 2000;355:1670-1674",
    version: "2000",
    doi: "10.1016/S0140-6736(00)02237-6",
};

/// Ten less one for each of the ten regions of the middle cerebral artery that is affected.
pub fn aspects(affected: &[bool; 10]) -> u8 {
    10 - affected.iter().filter(|region| **region).count() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_need_sensible_lengths() {
        assert_eq!(cardiothoracic(126.0, 300.0), Some(0.42));
        assert_eq!(cardiothoracic(310.0, 300.0), None);
        assert_eq!(cardiothoracic(f64::NAN, 300.0), None);
        assert_eq!(hippocampal_asymmetry(3.0, 3.0), Some(0.0));
        assert_eq!(hippocampal_asymmetry(0.0, 0.0), None);
    }

    #[test]
    fn scores_follow_their_tables() {
        assert_eq!(agatston_lesion(5.0, 250.0), 10.0);
        assert_eq!(agatston_lesion(0.5, 900.0), 0.0);
        assert_eq!(aspects(&[true, true, false, false, false, false, false, false, false, false]), 8);
    }
}

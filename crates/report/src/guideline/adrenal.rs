//! Washout of adrenal nodules on CT.

use super::Source;

/// The source.
pub const SOURCE: Source = Source {
    short: "ACR adrenal 2017",
    citation: "Mayo-Smith WW et al. Management of incidental adrenal masses: a white paper of the ACR Incidental Findings Committee. J Am Coll Radiol 2017;14:1038-1044",
    version: "2017",
    doi: "10.1016/j.jacr.2017.05.001",
};

/// Absolute washout in percent that speaks for an adenoma.
pub const ABSOLUTE_PERCENT: f64 = 60.0;
/// Relative washout in percent that speaks for an adenoma.
pub const RELATIVE_PERCENT: f64 = 40.0;
/// Density in HU without contrast up to which a nodule is a lipid-rich adenoma.
pub const LIPID_RICH_HU: f64 = 10.0;

/// Absolute washout in percent from densities in HU without contrast, in the venous phase and after 15 minutes.
/// `None` where the nodule does not enhance.
pub fn absolute_percent(plain_hu: f64, venous_hu: f64, delayed_hu: f64) -> Option<f64> {
    let enhancement = venous_hu - plain_hu;
    (enhancement > 0.0 && delayed_hu.is_finite()).then(|| 100.0 * (venous_hu - delayed_hu) / enhancement)
}

/// Relative washout in percent, without the plain phase. `None` where the venous density is not positive.
pub fn relative_percent(venous_hu: f64, delayed_hu: f64) -> Option<f64> {
    (venous_hu > 0.0 && delayed_hu.is_finite()).then(|| 100.0 * (venous_hu - delayed_hu) / venous_hu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn washout_is_a_share_of_the_enhancement() {
        assert_eq!(absolute_percent(20.0, 100.0, 40.0), Some(75.0));
        assert_eq!(relative_percent(100.0, 55.0), Some(45.0));
        assert_eq!(absolute_percent(60.0, 60.0, 60.0), None);
        assert_eq!(relative_percent(-5.0, 1.0), None);
    }
}

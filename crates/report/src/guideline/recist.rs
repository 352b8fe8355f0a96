//! Response of target lesions by the sum of their diameters.

use super::Source;

/// The source.
pub const SOURCE: Source = Source {
    short: "RECIST 1.1",
    citation: "Eisenhauer EA et al. New response evaluation criteria in solid tumours: revised RECIST guideline (version 1.1). Eur J Cancer 2009;45:228-247",
    version: "1.1",
    doi: "10.1016/j.ejca.2008.10.026",
};

/// The response of the target lesions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// All gone (nodes below 10 mm short axis).
    Complete,
    /// At least 30 % below baseline.
    Partial,
    /// Neither.
    Stable,
    /// At least 20 % and 5 mm above the least sum, or a new lesion.
    Progressive,
}

/// The response from sums of diameters in mm: at baseline, the least so far (baseline included), and now.
/// `None` where a sum is negative, not finite, or the baseline is zero.
pub fn response(baseline_mm: f64, least_mm: f64, now_mm: f64, new_lesion: bool) -> Option<Response> {
    if !(baseline_mm.is_finite() && least_mm.is_finite() && now_mm.is_finite())
        || baseline_mm <= 0.0
        || least_mm < 0.0
        || now_mm < 0.0
    {
        return None;
    }
    let least_mm = least_mm.min(baseline_mm);
    let growth_mm = now_mm - least_mm;
    Some(if new_lesion || growth_mm >= 5.0 && growth_mm >= 0.2 * least_mm {
        Response::Progressive
    } else if now_mm == 0.0 {
        Response::Complete
    } else if now_mm <= 0.7 * baseline_mm {
        Response::Partial
    } else {
        Response::Stable
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_those_of_the_guideline() {
        assert_eq!(response(100.0, 100.0, 120.0, false), Some(Response::Progressive));
        assert_eq!(response(20.0, 20.0, 24.0, false), Some(Response::Stable)); // 20 %, but 4 mm only
        assert_eq!(response(100.0, 100.0, 70.0, false), Some(Response::Partial));
        assert_eq!(response(100.0, 60.0, 72.0, false), Some(Response::Progressive)); // against the least sum
        assert_eq!(response(100.0, 100.0, 0.0, false), Some(Response::Complete));
        assert_eq!(response(100.0, 100.0, 50.0, true), Some(Response::Progressive));
        assert_eq!(response(0.0, 0.0, 10.0, false), None);
    }
}

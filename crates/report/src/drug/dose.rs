//! Formulas: eGFR, body surface, doses by weight. Each refuses numbers that no patient has.

/// eGFR in mL/min/1.73 m² by CKD-EPI 2021 without race (Inker et al., N Engl J Med 2021;385:1737), from serum creatinine in
/// mg/dL. `None` for persons under 18, and for numbers that are none.
pub fn egfr_ckd_epi_2021(creatinine_mg_dl: f64, age_years: f64, female: bool) -> Option<f64> {
    if !(0.1..=30.0).contains(&creatinine_mg_dl) || !(18.0..=120.0).contains(&age_years) {
        return None;
    }
    let (kappa, alpha, factor) = if female { (0.7, -0.241, 1.012) } else { (0.9, -0.302, 1.0) };
    let ratio = creatinine_mg_dl / kappa;
    Some(142.0 * ratio.min(1.0).powf(alpha) * ratio.max(1.0).powf(-1.200) * 0.9938f64.powf(age_years) * factor)
}

/// eGFR in mL/min/1.73 m² of children of 1 to 17 years by the bedside Schwartz formula (Schwartz et al., J Am Soc Nephrol
/// 2009;20:629).
pub fn egfr_schwartz(creatinine_mg_dl: f64, height_cm: f64) -> Option<f64> {
    ((0.1..=30.0).contains(&creatinine_mg_dl) && (40.0..=220.0).contains(&height_cm))
        .then(|| 0.413 * height_cm / creatinine_mg_dl)
}

/// Creatinine in mg/dL from µmol/L.
pub fn creatinine_mg_dl(umol_l: f64) -> f64 {
    umol_l / 88.42
}

/// Body surface in m² (Mosteller, N Engl J Med 1987;317:1098).
pub fn body_surface_m2(height_cm: f64, weight_kg: f64) -> Option<f64> {
    ((20.0..=260.0).contains(&height_cm) && weight(weight_kg)).then(|| (height_cm * weight_kg / 3600.0).sqrt())
}

/// Millilitres of a gadolinium agent for a dose in mmol/kg and a concentration in mmol/mL.
pub fn gadolinium_ml(weight_kg: f64, mmol_kg: f64, mmol_ml: f64) -> Option<f64> {
    (weight(weight_kg) && (0.01..=0.3).contains(&mmol_kg) && (0.1..=1.5).contains(&mmol_ml))
        .then(|| weight_kg * mmol_kg / mmol_ml)
}

/// Millilitres of an iodinated agent for a dose in mg iodine/kg and a concentration in mg iodine/mL, `most_ml` at most.
pub fn iodinated_ml(weight_kg: f64, mg_kg: f64, mg_ml: f64, most_ml: f64) -> Option<f64> {
    (weight(weight_kg) && (100.0..=1000.0).contains(&mg_kg) && (100.0..=400.0).contains(&mg_ml) && most_ml > 0.0)
        .then(|| (weight_kg * mg_kg / mg_ml).min(most_ml))
}

/// The greatest volume in mL of contrast for an arterial study by volume over eGFR, a ratio of 3 at most where the caller
/// passes 3 (Gurm et al., J Am Coll Cardiol 2011;58:907).
pub fn most_arterial_ml(egfr: f64, ratio: f64) -> Option<f64> {
    ((1.0..=200.0).contains(&egfr) && (0.5..=5.0).contains(&ratio)).then_some(egfr * ratio)
}

/// Milligrams of a drug by weight, `most_mg` at most.
pub fn by_weight_mg(weight_kg: f64, mg_kg: f64, most_mg: f64) -> Option<f64> {
    (weight(weight_kg) && mg_kg > 0.0 && mg_kg.is_finite() && most_mg > 0.0).then(|| (weight_kg * mg_kg).min(most_mg))
}

/// Activity in MBq left after minutes, from the half-life in minutes.
pub fn activity_left_mbq(mbq: f64, minutes: f64, half_life_minutes: f64) -> Option<f64> {
    (mbq >= 0.0 && mbq.is_finite() && minutes >= 0.0 && half_life_minutes > 0.0)
        .then(|| mbq * 0.5f64.powf(minutes / half_life_minutes))
}

fn weight(kg: f64) -> bool {
    (0.3..=400.0).contains(&kg)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn egfr_is_that_of_the_published_equation() {
        // Worked by hand from the equation: man of 60 years, 1.0 mg/dL; woman of 50 years, 0.7 mg/dL.
        let man = egfr_ckd_epi_2021(1.0, 60.0, false).unwrap();
        assert!((man - 142.0 * (1.0f64 / 0.9).powf(-1.2) * 0.9938f64.powi(60)).abs() < 1e-9, "{man}");
        assert!((man - 86.2).abs() < 0.5, "{man}");
        let woman = egfr_ckd_epi_2021(0.7, 50.0, true).unwrap();
        assert!((woman - 142.0 * 0.9938f64.powi(50) * 1.012).abs() < 1e-9);
        assert_eq!(egfr_ckd_epi_2021(1.0, 12.0, true), None);
        assert_eq!(egfr_ckd_epi_2021(f64::NAN, 50.0, true), None);
        assert!((creatinine_mg_dl(88.42) - 1.0).abs() < 1e-12);
        assert!((egfr_schwartz(0.5, 120.0).unwrap() - 99.12).abs() < 1e-9);
    }

    #[test]
    fn doses_follow_weight_and_stay_within_bounds() {
        assert!((gadolinium_ml(70.0, 0.1, 1.0).unwrap() - 7.0).abs() < 1e-9);
        assert_eq!(iodinated_ml(100.0, 500.0, 350.0, 130.0), Some(130.0));
        assert_eq!(iodinated_ml(-3.0, 500.0, 350.0, 130.0), None);
        assert_eq!(by_weight_mg(20.0, 1.0, 50.0), Some(20.0));
        assert_eq!(most_arterial_ml(40.0, 3.0), Some(120.0));
        assert!((activity_left_mbq(300.0, 109.77, 109.77).unwrap() - 150.0).abs() < 1e-9);
        assert!((body_surface_m2(180.0, 80.0).unwrap() - 2.0).abs() < 1e-12);
    }
}

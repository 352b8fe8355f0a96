//! The page of drugs and contrast agents: a search, rules with their sources, and the patient's numbers.

use std::sync::{Arc, LazyLock};

use lightbox_report::drug::dose;
pub use lightbox_report::drug::recall::Recall;
use lightbox_report::drug::{Context, recall};
pub use lightbox_report::drug::{Drug, Library, Rule, Topic};
use serde::{Deserialize, Serialize};

/// The project's own rules.
static OWN: LazyLock<Library> = LazyLock::new(Library::own);

/// The page.
#[derive(Debug, Clone, Default)]
pub struct Drugs {
    /// What is looked for.
    pub query: String,
    /// The generic name of the drug that is open.
    pub chosen: Option<String>,
    /// The patient's numbers.
    pub numbers: Numbers,
    /// Recall notices that were read.
    pub recalls: Vec<Recall>,
    /// The file that they are from.
    pub recalls_from: String,
    /// The own rules with those of the place before them.
    pub(crate) local: Option<Arc<Library>>,
}

/// Numbers of a patient; what is not known is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Numbers {
    /// Serum creatinine in the unit below.
    pub creatinine: Option<f64>,
    /// The creatinine is in µmol/L, not in mg/dL.
    pub micromol: bool,
    /// Years.
    pub age: Option<f64>,
    /// Whether female.
    pub female: Option<bool>,
    /// Centimetres.
    pub height_cm: Option<f64>,
    /// Kilograms.
    pub weight_kg: Option<f64>,
    /// mg iodine per kg, for an iodinated agent.
    pub iodine_mg_kg: Option<f64>,
    /// mg iodine per mL of it.
    pub iodine_mg_ml: Option<f64>,
    /// mmol per kg, for a gadolinium agent.
    pub gadolinium_mmol_kg: Option<f64>,
    /// mmol per mL of it.
    pub gadolinium_mmol_ml: Option<f64>,
}

/// Usual doses and concentrations, where the reader gives none.
pub const IODINE_MG_KG: f64 = 500.0;
/// Concentration of an iodinated agent, mg iodine/mL.
pub const IODINE_MG_ML: f64 = 350.0;
/// No more of an iodinated agent than this, mL.
pub const IODINE_MOST_ML: f64 = 200.0;
/// Dose of a gadolinium agent, mmol/kg.
pub const GADOLINIUM_MMOL_KG: f64 = 0.1;
/// Concentration of a gadolinium agent, mmol/mL.
pub const GADOLINIUM_MMOL_ML: f64 = 0.5;

impl Numbers {
    /// eGFR in mL/min/1.73 m², and by which formula: CKD-EPI 2021 for adults, bedside Schwartz for children.
    #[must_use]
    pub fn egfr(&self) -> Option<(f64, &'static str)> {
        let given = self.creatinine?;
        let creatinine = if self.micromol { dose::creatinine_mg_dl(given) } else { given };
        let age = self.age?;
        if age < 18.0 {
            return Some((dose::egfr_schwartz(creatinine, self.height_cm?)?, "bedside Schwartz 2009"));
        }
        Some((dose::egfr_ckd_epi_2021(creatinine, age, self.female?)?, "CKD-EPI 2021"))
    }

    /// Body surface in m².
    #[must_use]
    pub fn surface_m2(&self) -> Option<f64> {
        dose::body_surface_m2(self.height_cm?, self.weight_kg?)
    }

    /// Millilitres of an iodinated agent by weight.
    #[must_use]
    pub fn iodinated_ml(&self) -> Option<f64> {
        let (mg_kg, mg_ml) = (self.iodine_mg_kg.unwrap_or(IODINE_MG_KG), self.iodine_mg_ml.unwrap_or(IODINE_MG_ML));
        dose::iodinated_ml(self.weight_kg?, mg_kg, mg_ml, IODINE_MOST_ML)
    }

    /// Millilitres of a gadolinium agent by weight.
    #[must_use]
    pub fn gadolinium_ml(&self) -> Option<f64> {
        let mmol_kg = self.gadolinium_mmol_kg.unwrap_or(GADOLINIUM_MMOL_KG);
        dose::gadolinium_ml(self.weight_kg?, mmol_kg, self.gadolinium_mmol_ml.unwrap_or(GADOLINIUM_MMOL_ML))
    }

    /// The greatest volume in mL for an arterial study: three times the eGFR.
    #[must_use]
    pub fn most_arterial_ml(&self) -> Option<f64> {
        dose::most_arterial_ml(self.egfr()?.0, 3.0)
    }
}

impl Drugs {
    /// The drugs and rules at hand.
    #[must_use]
    pub fn library(&self) -> &Library {
        self.local.as_deref().unwrap_or(&OWN)
    }

    /// What the query finds, best first; everything by name while nothing is looked for.
    #[must_use]
    pub fn found(&self) -> Vec<&Drug> {
        if !self.query.trim().is_empty() {
            return self.library().search(&self.query);
        }
        let mut all: Vec<&Drug> = self.library().drugs().iter().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The drug that is open.
    #[must_use]
    pub fn drug(&self) -> Option<&Drug> {
        let name = self.chosen.as_deref()?;
        self.library().drugs().iter().find(|drug| drug.name.eq_ignore_ascii_case(name))
    }

    /// What the sources say of a drug for this patient.
    #[must_use]
    pub fn topics(&self, drug: &Drug) -> Vec<Topic<'_>> {
        self.library().safety(drug, Context { egfr: self.numbers.egfr().map(|(egfr, _)| egfr) })
    }

    /// Recall notices of a drug.
    #[must_use]
    pub fn recalls_of(&self, drug: &Drug) -> Vec<&Recall> {
        recall::of_drug(&self.recalls, drug, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formula_follows_the_age_and_the_unit() {
        let adult = Numbers {
            creatinine: Some(88.42),
            micromol: true,
            age: Some(50.0),
            female: Some(true),
            ..Numbers::default()
        };
        let (egfr, formula) = adult.egfr().unwrap();
        assert_eq!(formula, "CKD-EPI 2021");
        let in_mg = Numbers { creatinine: Some(1.0), micromol: false, ..adult };
        assert!((in_mg.egfr().unwrap().0 - egfr).abs() < 1e-9);
        let child = Numbers { age: Some(8.0), height_cm: Some(128.0), female: None, ..in_mg };
        assert_eq!(child.egfr().unwrap().1, "bedside Schwartz 2009");
        assert_eq!(Numbers::default().egfr(), None);
    }

    #[test]
    fn everything_is_listed_and_a_search_narrows() {
        let mut drugs = Drugs::default();
        let all = drugs.found().len();
        drugs.query = "iohexol".into();
        let found = drugs.found();
        assert!(!found.is_empty() && found.len() < all && found[0].name.eq_ignore_ascii_case("iohexol"));
    }
}

//! Recall notices in the shape of openFDA `drug/enforcement`: a file that the user drops in. Nothing is fetched.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Drug, plain};

/// One notice.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recall {
    /// Recall number ("D-0123-2026").
    #[serde(default)]
    pub recall_number: String,
    /// Class I (worst) to III.
    #[serde(default)]
    pub classification: String,
    /// Ongoing, completed, terminated.
    #[serde(default)]
    pub status: String,
    /// The product in the words of the notice.
    #[serde(default)]
    pub product_description: String,
    /// Why.
    #[serde(default)]
    pub reason_for_recall: String,
    /// Lots and codes.
    #[serde(default)]
    pub code_info: String,
    /// Who recalls.
    #[serde(default)]
    pub recalling_firm: String,
    /// Day, `YYYYMMDD`.
    #[serde(default)]
    pub report_date: String,
    /// Generic names that the notice lists.
    #[serde(skip_deserializing, default)]
    pub generic_names: Vec<String>,
    /// Trade names that the notice lists.
    #[serde(skip_deserializing, default)]
    pub brand_names: Vec<String>,
    /// National drug codes that the notice lists.
    #[serde(skip_deserializing, default)]
    pub product_ndc: Vec<String>,
}

/// Why a file of notices could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecallError {
    /// No JSON.
    #[error("the recall notices cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// JSON without `results`.
    #[error("the recall notices have no list named \"results\"; openFDA's drug/enforcement has one")]
    NoResults,
}

/// Reads `{"results": [{…}]}`, or the bare list. Entries that are no notices are left out.
///
/// # Errors
/// [`RecallError`].
pub fn read(text: &str) -> Result<Vec<Recall>, RecallError> {
    let value: Value = serde_json::from_str(text)?;
    let list = match &value {
        Value::Array(list) => list,
        other => other.get("results").and_then(Value::as_array).ok_or(RecallError::NoResults)?,
    };
    Ok(list
        .iter()
        .filter_map(|entry| {
            let mut recall: Recall = serde_json::from_value(entry.clone()).ok()?;
            let names = |key: &str| -> Vec<String> {
                let list = entry.get("openfda").and_then(|openfda| openfda.get(key)).and_then(Value::as_array);
                list.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
            };
            recall.generic_names = names("generic_name");
            recall.brand_names = names("brand_name");
            recall.product_ndc = names("product_ndc");
            (!recall.product_description.is_empty() || !recall.generic_names.is_empty()).then_some(recall)
        })
        .collect())
}

/// The notices of a drug, by generic or trade name; of a code, by NDC. Newest first.
pub fn of_drug<'r>(recalls: &'r [Recall], drug: &Drug, ndc: Option<&str>) -> Vec<&'r Recall> {
    let names: Vec<String> = std::iter::once(&drug.name).chain(&drug.brands).map(|name| plain(name)).collect();
    let code = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let mut found: Vec<&Recall> = recalls
        .iter()
        .filter(|recall| {
            let listed = recall.generic_names.iter().chain(&recall.brand_names).map(|name| plain(name));
            let by_name = listed
                .chain([plain(&recall.product_description)])
                .any(|text| names.iter().any(|name| name.len() >= 5 && text.contains(name.as_str())));
            let by_code = ndc.map(code).filter(|ndc| ndc.len() >= 6).is_some_and(|ndc| {
                recall.product_ndc.iter().any(|own| code(own) == ndc)
                    || code(&recall.product_description).contains(&ndc)
                    || code(&recall.code_info).contains(&ndc)
            });
            by_name || by_code
        })
        .collect();
    found.sort_by(|first, second| second.report_date.cmp(&first.report_date));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drug::Library;

    const NOTICES: &str = r#"{"meta": {}, "results": [
      {"recall_number": "D-0001-2026", "classification": "Class II", "status": "Ongoing", "report_date": "20260301",
       "product_description": "Omnipaque (iohexol) injection 350 mgI/mL, NDC 0407-1414-91", "reason_for_recall": "Particulate matter",
       "openfda": {"generic_name": ["IOHEXOL"], "brand_name": ["OMNIPAQUE"], "product_ndc": ["0407-1414"]}},
      {"recall_number": "D-0002-2026", "report_date": "20260401", "product_description": "Aspirin tablets", "openfda": {}},
      {"recall_number": 7}, "text"]}"#;

    #[test]
    fn notices_match_by_name_and_code() {
        let recalls = read(NOTICES).unwrap();
        assert_eq!(recalls.len(), 2);
        let library = Library::own();
        let iohexol = library.search("iohexol")[0];
        assert_eq!(of_drug(&recalls, iohexol, None)[0].recall_number, "D-0001-2026");
        let gadobutrol = library.search("gadobutrol")[0];
        assert!(of_drug(&recalls, gadobutrol, None).is_empty());
        assert_eq!(of_drug(&recalls, gadobutrol, Some("0407-1414")).len(), 1);
    }

    #[test]
    fn what_is_no_notice_is_said() {
        assert!(matches!(read("{}"), Err(RecallError::NoResults)));
        assert!(matches!(read("nothing"), Err(RecallError::Json(_))));
        assert!(read("[]").unwrap().is_empty());
    }
}

//! Applies the guidelines to the findings of a file: which of them speaks, what it says, and from which edition.
//!
//! A result is shown beside the finding; it enters a report only by the reader's hand.

use serde::Serialize;

use super::{Source, adrenal, fleischner, ratio, recist, tirads};
use crate::findings::{Assertion, Change, Finding, FindingsFile, State};
use crate::lexicon::lexicon;

/// What a guideline says of a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Applied {
    /// The finding's id, `None` where the result is about several.
    pub finding_id: Option<String>,
    /// The category or number ("TR4, 4 points").
    pub result: String,
    /// What follows from it, empty where nothing does.
    pub advice: String,
    /// Where it comes from.
    pub source: Source,
}

/// Everything that the guidelines say of confirmed findings. What a model proposes is judged after a reader took it.
pub fn apply(file: &FindingsFile) -> Vec<Applied> {
    let present: Vec<&Finding> = file
        .known_findings()
        .iter()
        .filter(|finding| {
            finding.effective_state() == State::Confirmed && finding.effective_assertion() == Assertion::Present
        })
        .collect();
    let mut applied = Vec::new();
    applied.extend(lung(file, &present));
    for finding in &present {
        applied.extend(thyroid(finding));
        applied.extend(adrenal_washout(finding));
        applied.extend(ratios(finding));
    }
    applied.extend(response(&present));
    applied
}

fn organ_of(finding: &Finding) -> &str {
    finding.term.as_deref().and_then(|term| lexicon().find(term)).map_or("", |entry| entry.organ.as_str())
}

fn one(finding: &Finding, result: String, advice: &str, source: Source) -> Applied {
    Applied { finding_id: finding.id.clone(), result, advice: advice.to_owned(), source }
}

/// Fleischner: the largest nodule decides; not under 35 years, not where one grows or a cancer is told.
fn lung(file: &FindingsFile, present: &[&Finding]) -> Option<Applied> {
    if file.patient.as_ref().and_then(|patient| patient.age).is_some_and(|age| age < 35.0) {
        return None;
    }
    let is_nodule = |finding: &&&Finding| {
        organ_of(finding) == "lung" && finding.term.as_deref().is_some_and(|term| term.contains("nodule"))
    };
    let nodules: Vec<&&Finding> = present.iter().filter(is_nodule).collect();
    let excluded = nodules.iter().any(|finding| finding.change == Some(Change::Increased))
        || present.iter().any(|finding| {
            finding.term.as_deref().is_some_and(|term| term.contains("cancer") || term.contains("metasta"))
        });
    if excluded {
        return None;
    }
    let mean = |finding: &Finding| -> Option<f64> {
        let sizes: Vec<f64> =
            finding.size_mm.as_ref()?.iter().copied().filter(|mm| mm.is_finite() && *mm > 0.0).take(2).collect();
        (!sizes.is_empty()).then(|| sizes.iter().sum::<f64>() / sizes.len() as f64)
    };
    let (size_mm, largest) = nodules
        .iter()
        .filter_map(|finding| Some((mean(finding)?, **finding)))
        .max_by(|first, second| first.0.total_cmp(&second.0))?;
    let composition = largest.attribute("composition").and_then(|word| fleischner::Composition::of(&word)).or(
        match largest.term.as_deref() {
            Some("ground-glass nodule") => Some(fleischner::Composition::GroundGlass),
            Some("part-solid nodule") => Some(fleischner::Composition::PartSolid),
            _ => None,
        },
    )?;
    let risk = largest.attribute("risk").and_then(|word| fleischner::Risk::of(&word));
    let count: u64 = nodules.iter().map(|finding| finding.count.unwrap_or(1)).sum();
    let advice = fleischner::advice(size_mm, composition, risk, count > 1);
    Some(one(largest, format!("{} mm mean diameter", size_mm.round()), advice.words, fleischner::SOURCE))
}

fn thyroid(finding: &Finding) -> Option<Applied> {
    if organ_of(finding) != "thyroid" {
        return None;
    }
    let points = tirads::Attributes::of(finding)?.points();
    let level = tirads::level(points);
    let advice = finding.longest_mm().map_or("", |size_mm| tirads::advice(level, size_mm).words());
    Some(one(finding, format!("TR{level}, {points} points"), advice, tirads::SOURCE))
}

fn adrenal_washout(finding: &Finding) -> Option<Applied> {
    if organ_of(finding) != "adrenal" {
        return None;
    }
    let hu = |name: &str| finding.attribute_number(name);
    let plain = hu("plain_hu").or(finding.mean_hu);
    if let (Some(plain), Some(venous), Some(delayed)) = (plain, hu("venous_hu"), hu("delayed_hu")) {
        let washout = adrenal::absolute_percent(plain, venous, delayed)?;
        let advice =
            if washout >= adrenal::ABSOLUTE_PERCENT { "speaks for an adenoma" } else { "does not prove an adenoma" };
        return Some(one(finding, format!("absolute washout {washout:.0} %"), advice, adrenal::SOURCE));
    }
    let plain = plain.filter(|plain| *plain <= adrenal::LIPID_RICH_HU)?;
    Some(one(finding, format!("{plain:.0} HU without contrast"), "speaks for a lipid-rich adenoma", adrenal::SOURCE))
}

fn ratios(finding: &Finding) -> Option<Applied> {
    let ratio = finding.attribute_number("ratio").filter(|ratio| (0.0..1.0).contains(ratio))?;
    match finding.term.as_deref()? {
        "cardiothoracic ratio" => {
            let advice = if ratio > ratio::CTR_LIMIT { "above the limit of an upright PA radiograph" } else { "" };
            Some(one(finding, format!("{ratio:.2}"), advice, ratio::CTR_SOURCE))
        }
        "Evans index" => {
            let advice = if ratio > ratio::EVANS_LIMIT { "the ventricles count as enlarged" } else { "" };
            Some(one(finding, format!("{ratio:.2}"), advice, ratio::EVANS_SOURCE))
        }
        _ => None,
    }
}

/// RECIST: findings marked `"target": true` with a size now and before. The prior stands for baseline and nadir, which is
/// said; a trial has its own sums.
fn response(present: &[&Finding]) -> Option<Applied> {
    let targets: Vec<&&Finding> = present
        .iter()
        .filter(|finding| {
            finding.attributes.as_ref().and_then(|all| all.get("target")).and_then(serde_json::Value::as_bool)
                == Some(true)
        })
        .collect();
    let sum = |size: fn(&Finding) -> Option<f64>| targets.iter().map(|finding| size(finding)).sum::<Option<f64>>();
    if targets.is_empty() {
        return None;
    }
    let (before, now) = (sum(Finding::prior_longest_mm)?, sum(Finding::longest_mm)?);
    let is_new = present.iter().any(|finding| {
        finding.change == Some(Change::New) && finding.term.as_deref().is_some_and(|term| term.contains("metasta"))
    });
    let words = match recist::response(before, before, now, is_new)? {
        recist::Response::Complete => "complete response",
        recist::Response::Partial => "partial response",
        recist::Response::Stable => "stable disease",
        recist::Response::Progressive => "progressive disease",
    };
    Some(Applied {
        finding_id: None,
        result: format!("sum of {} target lesions {now:.0} mm, before {before:.0} mm", targets.len()),
        advice: format!("{words}, with the prior as baseline and least sum"),
        source: recist::SOURCE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(json: &str) -> Vec<Applied> {
        apply(&FindingsFile::from_json(json).unwrap())
    }

    #[test]
    fn each_guideline_speaks_with_its_source() {
        let all = applied(
            r#"{"patient": {"age": 60}, "findings": [
              {"id": "a", "term": "pulmonary nodule", "size_mm": [7, 7], "attributes": {"composition": "solid"}},
              {"id": "b", "term": "thyroid nodule", "size_mm": [16], "attributes": {"composition": "solid", "echogenicity": "hypoechoic",
               "shape": "wider-than-tall", "margin": "smooth", "foci": "none"}},
              {"id": "c", "term": "adrenal nodule", "mean_hu": 20, "attributes": {"venous_hu": 100, "delayed_hu": 40}},
              {"id": "d", "term": "cardiothoracic ratio", "attributes": {"ratio": 0.56}},
              {"id": "e", "term": "hepatic metastasis", "size_mm": 30, "prior_size_mm": 20, "attributes": {"target": true}}]}"#,
        );
        let of = |id: &str| all.iter().find(|one| one.finding_id.as_deref() == Some(id));
        assert!(of("a").is_none(), "a known metastasis takes the nodule out of the guideline");
        assert_eq!(of("b").unwrap().result, "TR4, 4 points");
        assert!(of("c").unwrap().result.contains("75 %"));
        assert!(of("d").unwrap().advice.contains("above"));
        let response = all.iter().find(|one| one.source.short == "RECIST 1.1").unwrap();
        assert!(response.advice.starts_with("progressive"), "{response:?}");
        let lung = applied(
            r#"{"patient": {"age": 60}, "findings": [{"id": "a", "term": "pulmonary nodule", "size_mm": [7, 7], "attributes": {"composition": "solid"}}]}"#,
        );
        assert!(lung[0].advice.contains("6 to 12 months") && lung[0].source.version == "2017");
    }

    #[test]
    fn what_nobody_confirmed_or_is_not_known_gives_nothing() {
        for file in [
            r#"{}"#,
            r#"{"findings": [{"term": "pulmonary nodule", "size_mm": [7], "attributes": {"composition": "solid"}, "source": {"kind": "model"}}]}"#,
            r#"{"findings": [{"term": "pulmonary nodule", "size_mm": [7]}]}"#,
            r#"{"patient": {"age": 30}, "findings": [{"term": "pulmonary nodule", "size_mm": [7], "attributes": {"composition": "solid"}}]}"#,
            r#"{"findings": [{"term": "thyroid nodule", "size_mm": [7]}, {"term": "adrenal nodule"}]}"#,
        ] {
            assert!(applied(file).is_empty(), "{file}");
        }
    }
}

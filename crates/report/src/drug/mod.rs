//! Contrast agents, tracers and the drugs that matter in imaging: search, rules with their source, doses, recalls.
//!
//! A rule is a fact re-expressed with source, edition and date. Sources differ; they are shown side by side, and a
//! rule of the local file stands before all of them without hiding them.

pub mod dose;
pub mod recall;

use serde::{Deserialize, Serialize};

/// One drug or agent.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Drug {
    /// The generic name.
    pub name: String,
    /// Trade names and other names.
    #[serde(default)]
    pub brands: Vec<String>,
    /// What kind: `iodinated`, `gbca-group-1`, `gbca-group-2`, `gbca-group-3`, `ultrasound`, `enteral`, `tracer`, `premedication`,
    /// `bowel`, `cardiac`, `sedation`, `other`.
    pub class: String,
    /// What it is for in imaging.
    pub note: String,
    /// The usual adult dose, in words.
    #[serde(default)]
    pub dose: String,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Rule {
    /// A generic name, or a class with `class:` before it.
    pub about: String,
    /// What it turns on (`renal`, `allergy`, `pregnancy`, `lactation`, `thyroid`, `metformin`, …).
    pub topic: String,
    /// It holds below this eGFR in mL/min/1.73 m², where it turns on one.
    #[serde(default)]
    pub egfr_below: Option<f64>,
    /// What the source says: `contraindicated`, `caution`, `allowed`, `hold`, `inform`.
    pub verdict: String,
    /// The rule in one sentence.
    pub text: String,
    /// Who says so.
    pub source: String,
    /// Which edition.
    pub edition: String,
    /// As of when.
    pub date: String,
    /// Where it holds (`US`, `EU`, `local`).
    pub jurisdiction: String,
    /// Whether it comes from the local file.
    #[serde(default, skip_deserializing)]
    pub local: bool,
}

#[derive(Default, Deserialize)]
struct File {
    #[serde(default)]
    drug: Vec<Drug>,
    #[serde(default)]
    rule: Vec<Rule>,
}

/// Why a local file could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the local drug rules cannot be read: {0}")]
pub struct LocalError(#[from] toml::de::Error);

/// The drugs and rules at hand.
#[derive(Clone, Debug)]
pub struct Library {
    drugs: Vec<Drug>,
    rules: Vec<Rule>,
}

/// What is asked of a drug for one patient.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Context {
    /// eGFR in mL/min/1.73 m², where it is known.
    pub egfr: Option<f64>,
}

/// Rules on one topic whose sources say different things.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Topic<'a> {
    /// The topic.
    pub topic: &'a str,
    /// All rules on it that hold, the local ones first.
    pub rules: Vec<&'a Rule>,
    /// Whether their verdicts differ.
    pub conflict: bool,
}

impl Library {
    /// The project's own curated file.
    pub fn own() -> Self {
        // Part of the program and read by a test: a fault here is a broken build.
        let file: File = toml::from_str(include_str!("../../data/drugs.toml")).unwrap_or_default();
        Self { drugs: file.drug, rules: file.rule }
    }

    /// Adds a local file of the same form. Its rules stand before the others, its drugs are searched too.
    ///
    /// # Errors
    /// [`LocalError`] names line and column; nothing is added then.
    pub fn add_local(&mut self, text: &str) -> Result<(), LocalError> {
        let file: File = toml::from_str(text)?;
        for drug in file.drug {
            self.drugs.retain(|known| !known.name.eq_ignore_ascii_case(&drug.name));
            self.drugs.push(drug);
        }
        let local = file.rule.into_iter().map(|rule| Rule { local: true, ..rule });
        self.rules.splice(0..0, local);
        Ok(())
    }

    /// All drugs.
    pub fn drugs(&self) -> &[Drug] {
        &self.drugs
    }

    /// All rules.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Drugs by generic or trade name, best first; a slip of the pen still finds its drug.
    pub fn search(&self, words: &str) -> Vec<&Drug> {
        let wanted = plain(words);
        if wanted.is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(usize, &Drug)> = self
            .drugs
            .iter()
            .filter_map(|drug| {
                let names = std::iter::once(&drug.name).chain(&drug.brands).map(|name| plain(name));
                let best = names.filter_map(|name| distance(&wanted, &name)).min()?;
                Some((best, drug))
            })
            .collect();
        if found.is_empty() {
            found = self
                .drugs
                .iter()
                .filter(|drug| plain(&drug.note).contains(&wanted) || plain(&drug.class).contains(&wanted))
                .map(|drug| (9, drug))
                .collect();
        }
        found.sort_by(|first, second| first.0.cmp(&second.0).then(first.1.name.cmp(&second.1.name)));
        found.into_iter().map(|(_, drug)| drug).collect()
    }

    /// What the sources say of a drug, by topic; the local rule first, contradictions marked.
    pub fn safety<'a>(&'a self, drug: &Drug, context: Context) -> Vec<Topic<'a>> {
        let class = format!("class:{}", drug.class);
        let family = drug.class.split('-').next().map(|family| format!("class:{family}")).unwrap_or_default();
        let mut topics: Vec<Topic<'a>> = Vec::new();
        for rule in self.rules.iter().filter(|rule| {
            // A rule on contrast that speaks of a drug is one on that drug too.
            rule.about.eq_ignore_ascii_case(&drug.name)
                || rule.topic.eq_ignore_ascii_case(&drug.name)
                || rule.about == class
                || rule.about == family
        }) {
            // An unknown eGFR hides no rule.
            let holds = rule.egfr_below.zip(context.egfr).is_none_or(|(limit, egfr)| egfr < limit);
            if !holds {
                continue;
            }
            match topics.iter_mut().find(|topic| topic.topic == rule.topic) {
                Some(topic) => topic.rules.push(rule),
                None => topics.push(Topic { topic: &rule.topic, rules: vec![rule], conflict: false }),
            }
        }
        for topic in &mut topics {
            topic.rules.sort_by_key(|rule| !rule.local);
            topic.conflict = topic.rules.windows(2).any(|pair| pair[0].verdict != pair[1].verdict);
        }
        topics
    }
}

/// Small letters and digits only.
fn plain(text: &str) -> String {
    text.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// 0 equal, 1 begins so, 2 holds it, 3 or 4 one or two slips; `None` otherwise.
fn distance(wanted: &str, name: &str) -> Option<usize> {
    if wanted == name {
        return Some(0);
    }
    if wanted.len() >= 3 && name.starts_with(wanted) {
        return Some(1);
    }
    if wanted.len() >= 4 && name.contains(wanted) {
        return Some(2);
    }
    let limit = if wanted.len() >= 8 { 2 } else { 1 };
    let slips = slips(wanted.as_bytes(), name.as_bytes());
    (wanted.len() >= 5 && slips <= limit).then_some(2 + slips)
}

fn slips(first: &[u8], second: &[u8]) -> usize {
    let mut last: Vec<usize> = (0..=second.len()).collect();
    for (i, left) in first.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, right) in second.iter().enumerate() {
            let cost = (last[j] + usize::from(left != right)).min(last[j + 1] + 1).min(row[j] + 1);
            row.push(cost);
        }
        last = row;
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drug_that_rules_on_contrast_speak_of_has_these_rules() {
        let library = Library::own();
        let metformin = library.drugs().iter().find(|d| d.name == "metformin").unwrap();
        let rules = |egfr| library.safety(metformin, Context { egfr }).iter().map(|t| t.rules.len()).sum::<usize>();
        assert!(rules(Some(25.0)) >= 3 && rules(Some(90.0)) < rules(Some(25.0)));
    }

    #[test]
    fn the_own_file_is_read_and_each_rule_has_its_source() {
        let file: File = toml::from_str(include_str!("../../data/drugs.toml")).unwrap();
        assert!(file.drug.len() >= 60, "{}", file.drug.len());
        let mut names: Vec<&str> = file.drug.iter().map(|drug| drug.name.as_str()).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        for rule in &file.rule {
            assert!(!rule.source.is_empty() && !rule.edition.is_empty() && rule.date.len() >= 4, "{rule:?}");
            let known = rule.about.strip_prefix("class:").map_or_else(
                || file.drug.iter().any(|drug| drug.name == rule.about),
                |class| file.drug.iter().any(|drug| drug.class.starts_with(class)),
            );
            assert!(known, "{}", rule.about);
            assert!(["contraindicated", "caution", "allowed", "hold", "inform"].contains(&rule.verdict.as_str()));
        }
    }

    #[test]
    fn trade_names_and_slips_find_the_drug() {
        let library = Library::own();
        for (words, name) in [
            ("Gadavist", "gadobutrol"),
            ("omnipaque", "iohexol"),
            ("gadobutrl", "gadobutrol"),
            ("Buscopan", "hyoscine butylbromide"),
        ] {
            assert_eq!(library.search(words).first().map(|drug| drug.name.as_str()), Some(name), "{words}");
        }
        assert!(library.search("").is_empty() && library.search("qqqqqqq").is_empty());
    }

    #[test]
    fn sources_that_differ_are_shown_side_by_side_and_the_local_one_first() {
        let mut library = Library::own();
        let drug = library.search("gadobutrol")[0].clone();
        let at = |library: &Library, egfr: f64| -> (usize, bool, String) {
            let topics = library.safety(&drug, Context { egfr: Some(egfr) });
            let topic = topics.iter().find(|topic| topic.topic == "renal").unwrap();
            (topic.rules.len(), topic.conflict, topic.rules[0].source.clone())
        };
        let (count, conflict, _) = at(&library, 20.0);
        assert!(count >= 2 && conflict);
        library
            .add_local(
                "[[rule]]\nabout = \"gadobutrol\"\ntopic = \"renal\"\negfr_below = 30\nverdict = \"hold\"\n\
                 text = \"Ask the nephrologist.\"\nsource = \"Our hospital\"\nedition = \"3\"\ndate = \"2026-01\"\njurisdiction = \"local\"\n",
            )
            .unwrap();
        assert_eq!(at(&library, 20.0).2, "Our hospital");
        assert!(library.add_local("[[rule]]\nabout = 3").is_err());
    }
}

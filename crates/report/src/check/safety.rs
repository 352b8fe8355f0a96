//! R15 critical findings and who was told, R16 follow-up with modality and interval.

use super::{Facts, Issue, Rule};
use crate::lexicon::Kind;
use crate::parse::tokens::TokenKind;
use crate::parse::{Mention, SectionKind};

pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let mut issues = critical(facts);
    issues.extend(follow_up(facts));
    issues
}

const TOLD_WORDS: [&str; 26] = [
    "communicated",
    "communication",
    "discussed",
    "notified",
    "notification",
    "informed",
    "conveyed",
    "telephoned",
    "phoned",
    "called",
    "relayed",
    "paged",
    "acknowledged",
    "alerted",
    "reported",
    "told",
    "verbally",
    "advised",
    "contacted",
    "spoke",
    "spoken",
    "transmitted",
    "messaged",
    "telephone",
    "phone",
    "notify",
];
const PERSON_WORDS: [&str; 34] = [
    "dr",
    "doctor",
    "physician",
    "team",
    "nurse",
    "referring",
    "referrer",
    "clinician",
    "surgeon",
    "attending",
    "resident",
    "ed",
    "emergency",
    "provider",
    "consultant",
    "registrar",
    "service",
    "ward",
    "department",
    "icu",
    "np",
    "pa",
    "rn",
    "practitioner",
    "neurosurgery",
    "unit",
    "colleague",
    "phone",
    "telephone",
    "at",
    "clinic",
    "surgery",
    "house",
    "officer",
];

/// Whether somebody was told. "Will be" and "could not be reached" are not enough.
fn is_communicated(facts: &Facts<'_>) -> bool {
    let report = facts.report;
    (0..report.sentences.len()).any(|sentence| {
        let told = report.has_word(sentence, &TOLD_WORDS) && report.has_word(sentence, &PERSON_WORDS);
        let failed = report
            .has_word(sentence, &["unsuccessful", "unsuccessfully", "unable", "not", "pending", "attempted"])
            && !report.has_word(sentence, &["acknowledged"]);
        let is_section =
            report.kind_of(sentence) == SectionKind::Administrative && report.has_word(sentence, &TOLD_WORDS);
        (told || is_section) && !failed
    })
}

fn critical(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let found: Vec<&Mention> = report
        .mentions
        .iter()
        .filter(|mention| mention.is_present() && is_critical(facts, mention))
        .filter(|mention| {
            let kind = report.kind_of(mention.sentence);
            kind.describes() || kind.concludes()
        })
        .collect();
    let tube = misplaced_tube(facts);
    if found.is_empty() && tube.is_none() || is_communicated(facts) {
        return Vec::new();
    }
    let mut issues = Vec::new();
    let mut named: Vec<&str> = Vec::new();
    // One word is enough for each critical thing; the impression's is the one to look at.
    for mention in found.iter().rev() {
        if named.contains(&mention.entry.name.as_str()) || !named.is_empty() {
            continue;
        }
        named.push(&mention.entry.name);
        issues.push(Issue::new(
            Rule::R15,
            format!(
                "{} is critical, and the text does not say who was told.",
                super::side::capital(&mention.entry.name)
            ),
            [mention.span.clone()],
        ));
    }
    if let (Some(span), true) = (tube, issues.is_empty()) {
        issues.push(Issue::new(
            Rule::R15,
            "A misplaced tube is critical, and the text does not say who was told.",
            [span],
        ));
    }
    issues
}

fn is_critical(facts: &Facts<'_>, mention: &Mention) -> bool {
    if mention.entry.kind != Kind::Finding {
        return false;
    }
    let report = facts.report;
    let named =
        if mention.entry.flags.general { is_critical_in_context(facts, mention) } else { mention.entry.flags.critical };
    let start = report.sentences[mention.sentence].tokens.start;
    let before = &report.tokens[start.max(mention.tokens.start.saturating_sub(4))..mention.tokens.start];
    let end = report.sentences[mention.sentence].tokens.end;
    let after = &report.tokens[mention.tokens.end..end.min(mention.tokens.end + 6)];
    let calm = |words: &[crate::parse::Token]| {
        words.iter().any(|token| {
            matches!(
                &*token.norm,
                "chronic"
                    | "old"
                    | "prior"
                    | "previous"
                    | "remote"
                    | "resolved"
                    | "known"
                    | "evolving"
                    | "resolving"
                    | "residual"
                    | "unchanged"
                    | "stable"
            )
        })
    };
    // A stable known bleed was told before; "acute on chronic" is acute.
    let calmed = calm(before) && !before.iter().any(|token| &*token.norm == "acute")
        || after.iter().any(|token| matches!(&*token.norm, "unchanged" | "stable" | "resolved"));
    let calmed = calmed
        || mention.change.is_some_and(|change| {
            matches!(
                report.change_words[change].change,
                crate::findings::Change::Unchanged | crate::findings::Change::Decreased
            )
        });
    let pregnancy_site = mention.entry.name == "pneumoperitoneum"
        && report.has_word(
            mention.sentence,
            &["postoperative", "expected", "laparoscopy", "laparotomy", "surgery", "postsurgical"],
        );
    named && !calmed && !pregnancy_site
}

fn is_critical_in_context(facts: &Facts<'_>, mention: &Mention) -> bool {
    let organ_is_head = mention.organ == "brain";
    match mention.entry.name.as_str() {
        // A disc of cartilage, a drum or a septum perforates without danger.
        "perforation" => {
            !matches!(
                mention.organ,
                "joint" | "wrist" | "knee" | "shoulder" | "ear" | "nose" | "sinus" | "hip" | "temporal bone"
            ) && !facts.report.has_word(
                mention.sentence,
                &["tfcc", "tympanic", "membrane", "septum", "nasal", "cartilage", "degenerative", "drum", "cuff"],
            )
        }
        "hemorrhage" | "hematoma" => {
            organ_is_head && facts.report.has_word(mention.sentence, &["acute", "hyperdense", "new"])
        }
        "dissection" | "rupture" => mention.organ == "aorta",
        _ => false,
    }
}

/// A tube where it must not be: words for the wrong place in a sentence with a tube.
fn misplaced_tube(facts: &Facts<'_>) -> Option<std::ops::Range<usize>> {
    let report = facts.report;
    report
        .mentions
        .iter()
        .find(|mention| {
            if mention.entry.kind != Kind::Device
                || mention.historical
                || mention.assertion != crate::findings::Assertion::Present
            {
                return false;
            }
            let kind = report.kind_of(mention.sentence);
            if !(kind.describes() || kind.concludes()) {
                return false;
            }
            let sentence = mention.sentence;
            if report.has_word(sentence, &["no", "not", "without", "previously", "prior"])
                && !report.has_word(sentence, &["malpositioned", "misplaced"])
            {
                return false;
            }
            let name = mention.entry.name.as_str();
            let wrong_word = report.has_word(
                sentence,
                &["malpositioned", "malposition", "misplaced", "misplacement", "malplacement", "dislodged"],
            );
            let airway = (name == "nasogastric tube" || name == "gastrostomy tube")
                && (report.has_word(
                    sentence,
                    &["bronchus", "bronchial", "airway", "trachea", "lung", "coiled", "pleural", "bronchi"],
                ) && !report.has_word(sentence, &["below", "past", "carina"])
                    || report.has_word(sentence, &["coiled"]) && report.has_word(sentence, &["esophagus", "pharynx"]));
            let one_lung = name == "endotracheal tube"
                && (report.has_word(sentence, &["mainstem", "esophagus", "esophageal"])
                    || report.has_word(sentence, &["bronchus", "bronchi"])
                        && report.has_word(sentence, &["main", "right", "left"]))
                && !report.has_word(sentence, &["above", "proximal"]);
            let artery = name == "central venous catheter"
                && report.has_word(sentence, &["artery", "arterial", "extravascular"]);
            name == "misplaced tube" || wrong_word || airway || one_lung || artery
        })
        .map(|mention| mention.span.clone())
}

/// Words that name how to look.
const MODALITY_WORDS: [&str; 46] = [
    "ct",
    "mri",
    "mr",
    "ultrasound",
    "radiograph",
    "radiography",
    "xray",
    "x",
    "mammography",
    "mammogram",
    "pet",
    "cta",
    "mra",
    "mrcp",
    "sonography",
    "sonogram",
    "us",
    "tomography",
    "scintigraphy",
    "dxa",
    "dexa",
    "angiography",
    "angiogram",
    "colonoscopy",
    "endoscopy",
    "film",
    "cxr",
    "doppler",
    "duplex",
    "tomosynthesis",
    "echocardiography",
    "echocardiogram",
    "cystoscopy",
    "ldct",
    "biopsy",
    "fna",
    "hysteroscopy",
    "laryngoscopy",
    "bronchoscopy",
    "eus",
    "ercp",
    "urography",
    "fluoroscopy",
    "ultrasonography",
    "view",
    "enterography",
];

/// A follow-up that is advised must say how and when.
fn follow_up(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for sentence in 0..report.sentences.len() {
        let kind = report.kind_of(sentence);
        if !(kind.describes() || kind.concludes()) {
            continue;
        }
        let Some(word) = advised_follow_up(facts, sentence) else { continue };
        let here = report.sentences[sentence].tokens.clone();
        // The sentence behind may complete it ("Follow-up is recommended. CT in 6 months.").
        let next = (sentence + 1 < report.sentences.len()
            && report.kind_of(sentence + 1) == kind
            && !report.sentences[sentence + 1].begins_line)
            .then(|| report.sentences[sentence + 1].tokens.clone());
        let modality = has_modality(facts, here.clone()) || next.clone().is_some_and(|next| has_modality(facts, next));
        let interval = has_interval(facts, here.clone()) || next.is_some_and(|next| has_interval(facts, next));
        if modality && interval {
            continue;
        }
        let missing = match (modality, interval) {
            (false, false) => "modality and interval",
            (false, true) => "modality",
            _ => "interval",
        };
        issues.push(Issue::new(
            Rule::R16,
            format!("The follow-up lacks its {missing}."),
            [report.tokens[word].span.clone(), report.sentences[sentence].span.clone()],
        ));
    }
    issues
}

fn has_modality(facts: &Facts<'_>, range: std::ops::Range<usize>) -> bool {
    facts.report.tokens[range].iter().any(|token| MODALITY_WORDS.contains(&&*token.norm))
}

fn has_interval(facts: &Facts<'_>, range: std::ops::Range<usize>) -> bool {
    let tokens = &facts.report.tokens;
    let unit = |token: &crate::parse::Token| {
        matches!(
            &*token.norm,
            "week" | "month" | "year" | "day" | "hour" | "hr" | "mo" | "wk" | "yr" | "weekly" | "monthly"
        )
    };
    range.clone().any(|index| {
        let number_before = (index.saturating_sub(4).max(range.start)..index).any(|at| {
            tokens[at].kind == TokenKind::Number
                || matches!(
                    &*tokens[at].norm,
                    "one"
                        | "two"
                        | "three"
                        | "four"
                        | "five"
                        | "six"
                        | "eight"
                        | "nine"
                        | "ten"
                        | "twelve"
                        | "eighteen"
                        | "twenty"
                        | "a"
                        | "few"
                        | "seven"
                        | "next"
                        | "every"
                        | "per"
                )
        });
        unit(&tokens[index]) && number_before
            || matches!(
                &*tokens[index].norm,
                "annual"
                    | "annually"
                    | "yearly"
                    | "biannual"
                    | "biannually"
                    | "tomorrow"
                    | "biennial"
                    | "weekly"
                    | "monthly"
                    | "quarterly"
                    | "semiannual"
            )
    }) || facts.report.dates.iter().any(|date| range.contains(&date.tokens.start))
}

/// The token of a follow-up word in a sentence that advises.
fn advised_follow_up(facts: &Facts<'_>, sentence: usize) -> Option<usize> {
    let report = facts.report;
    let range = report.sentences[sentence].tokens.clone();
    let norm = |at: usize| if range.contains(&at) { &*report.tokens[at].norm } else { "" };
    let word = range.clone().find(|index| match norm(*index) {
        "followup" | "surveillance" | "rescan" | "reimaging" => true,
        "follow" => matches!(norm(index + 1), "up" | "-") && (norm(index + 1) == "up" || norm(index + 2) == "up"),
        "repeat" | "repeated" => norm(index.wrapping_sub(1)) != "on",
        "interval" => {
            matches!(norm(index + 1), "imaging" | "ct" | "mri" | "radiograph" | "ultrasound" | "scan")
                && report.has_word(sentence, &["recommend", "recommended", "advised", "suggested"])
        }
        _ => false,
    })?;
    let has = |words: &[&str]| report.has_word(sentence, words);
    // An appointment that stands already is no advice.
    if has(&["booked", "appointment"]) || has(&["scheduled", "arranged"]) && has_interval(facts, range.clone()) {
        return None;
    }
    // Not needed, not by imaging, or only told of.
    let denied = range.clone().any(|index| {
        matches!(norm(index), "no" | "not" | "without" | "unnecessary") && index < word + 8 && (index + 7 > word)
    }) && has(&["no", "not", "unnecessary", "without"])
        && (word.checked_sub(1).is_some_and(|at| {
            matches!(
                norm(at),
                "no" | "routine" | "further" | "imaging" | "additional" | "without" | "dedicated" | "specific"
            )
        }) || has(&["required", "needed", "necessary", "indicated", "recommended", "warranted"]));
    if denied {
        return None;
    }
    let after = norm(word + 1);
    let tail: Vec<&str> = (word + 1..word + 6).map(norm).collect();
    let clinical =
        tail.iter().any(|next| matches!(*next, "with" | "clinic" | "visit" | "consultation" | "appointment"))
            && has(&[
                "surgeon",
                "surgery",
                "pulmonology",
                "urology",
                "oncology",
                "orthopedic",
                "orthopaedic",
                "physician",
                "primary",
                "gp",
                "clinic",
                "neurosurgery",
                "gynecology",
                "cardiology",
                "specialist",
                "hematology",
                "provider",
                "doctor",
                "endocrinology",
                "visit",
                "nephrology",
                "gastroenterology",
                "referrer",
                "dentist",
                "ent",
            ])
            && !has_modality(facts, word..range.end)
            || matches!(
                word.checked_sub(1).map_or("", norm),
                "clinical"
                    | "surgical"
                    | "urologic"
                    | "urological"
                    | "orthopedic"
                    | "laboratory"
                    | "oncologic"
                    | "oncological"
                    | "gynecologic"
                    | "lost"
                    | "endocrine"
                    | "dental"
                    | "neurosurgical"
                    | "medical"
            )
            || has(&["clinically", "needed"]) && has(&["as"]);
    if clinical {
        return None;
    }
    if matches!(word.checked_sub(1).map_or("", norm), "on" | "at" | "during" | "for" | "since" | "under" | "of")
        && !has(&["recommend", "recommended", "advised", "suggested", "advise", "suggest"])
    {
        return None;
    }
    let advises = has(&[
        "recommend",
        "recommended",
        "recommendation",
        "suggest",
        "suggested",
        "advise",
        "advised",
        "should",
        "consider",
        "considered",
        "warranted",
        "needed",
        "required",
        "obtain",
        "obtained",
        "necessary",
        "continue",
        "continued",
        "indicated",
        "appropriate",
        "could",
        "can",
        "may",
        "arranged",
        "arrange",
        "requested",
        "please",
        "schedule",
        "scheduled",
        "due",
        "planned",
        "advisable",
        "prudent",
        "plan",
    ]);
    let begins =
        word <= range.start + 2 || report.sentences[sentence].tokens.clone().take(4).any(|index| index == word);
    let is_imperative = begins
        && !has(&["is", "are", "was", "were", "demonstrate", "show", "shows"])
        && report.kind_of(sentence).concludes()
        || matches!(after, "in" | "within" | "at") && report.kind_of(sentence).concludes();
    (advises || is_imperative).then_some(word)
}

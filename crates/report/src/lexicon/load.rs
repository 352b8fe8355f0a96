//! Reads the tables of the lexicon. They are part of the program, so a line that does not fit is a fault
//! that the tests of the lexicon find; at run time it is skipped.

use std::collections::HashSet;

use super::{Entry, Flags, Kind};
use crate::parse::tokens::normalised_words;

const ANATOMY: &str = include_str!("../../data/lexicon/anatomy.tsv");
const FINDINGS: &str = include_str!("../../data/lexicon/findings.tsv");
const MORE_FINDINGS: &str = include_str!("../../data/lexicon/findings2.tsv");
const COMPOSITES: &str = include_str!("../../data/lexicon/composites.tsv");
const DEVICES: &str = include_str!("../../data/lexicon/devices.tsv");
const PROCEDURES: &str = include_str!("../../data/lexicon/procedures.tsv");
const MODIFIERS: &str = include_str!("../../data/lexicon/modifiers.tsv");

/// General words and the words by which a written-out entry is recognised as one of them.
const HEADS: [(&str, &[&str]); 35] = [
    ("hemangioma", &["hemangioma"]),
    ("nodule", &["nodule"]),
    ("mass", &["mass"]),
    ("lesion", &["lesion"]),
    ("neoplasm", &["cancer", "carcinoma", "neoplasm", "malignancy", "tumor"]),
    ("metastasis", &["metastasis"]),
    ("cyst", &["cyst"]),
    ("abscess", &["abscess"]),
    ("hematoma", &["hematoma"]),
    ("hemorrhage", &["hemorrhage"]),
    ("effusion", &["effusion"]),
    ("fracture", &["fracture"]),
    ("dislocation", &["dislocation"]),
    ("stone", &["stone", "calculus"]),
    ("calcification", &["calcification"]),
    ("thrombus", &["thrombus", "thrombosis"]),
    ("stenosis", &["stenosis"]),
    ("occlusion", &["occlusion"]),
    ("aneurysm", &["aneurysm"]),
    ("dissection", &["dissection"]),
    ("infarct", &["infarct", "infarction"]),
    ("edema", &["edema"]),
    ("laceration", &["laceration"]),
    ("contusion", &["contusion"]),
    ("rupture", &["rupture"]),
    ("perforation", &["perforation"]),
    ("tear", &["tear"]),
    ("lymphadenopathy", &["lymphadenopathy"]),
    ("atrophy", &["atrophy"]),
    ("obstruction", &["obstruction"]),
    ("hernia", &["hernia"]),
    ("polyp", &["polyp"]),
    ("wall thickening", &["wall thickening", "thickening"]),
    ("fluid collection", &["fluid collection"]),
    ("varices", &["varices"]),
];

pub(super) fn entries() -> Vec<Entry> {
    let mut entries = Vec::new();
    for line in rows(FINDINGS).chain(rows(MORE_FINDINGS)) {
        if let [name, organ, family, flags, synonyms] = fields(line)[..] {
            let flags = flags_of(Kind::Finding, flags);
            let head = if flags.general || family == "calcification" { None } else { head_of(organ, name, synonyms) };
            entries.push(entry(Kind::Finding, name, organ, family, flags, head, synonyms));
        }
    }
    for (kind, table) in [(Kind::Device, DEVICES), (Kind::Procedure, PROCEDURES), (Kind::Anatomy, ANATOMY)] {
        for line in rows(table) {
            if let [name, organ, flags, synonyms] = fields(line)[..] {
                entries.push(entry(kind, name, organ, "", flags_of(kind, flags), None, synonyms));
            }
        }
    }
    add_composites(&mut entries);
    for line in rows(MODIFIERS) {
        let Some((class, words)) = line.split_once('|') else { continue };
        for word in words.split(';') {
            let (name, synonyms) = word.split_once('=').unwrap_or((word, ""));
            let synonyms = synonyms.replace(',', ";");
            entries.push(entry(Kind::Modifier, name.trim(), "", class, Flags::default(), None, &synonyms));
        }
    }
    entries
}

fn rows(table: &str) -> impl Iterator<Item = &str> {
    table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn fields(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

fn entry(
    kind: Kind,
    name: &str,
    organ: &str,
    family: &str,
    flags: Flags,
    head: Option<String>,
    synonyms: &str,
) -> Entry {
    Entry {
        name: name.to_owned(),
        kind,
        organ: organ.to_owned(),
        family: family.to_owned(),
        flags,
        head,
        synonyms: synonyms.split(';').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect(),
    }
}

/// `L` means a lesion where something is found and the left side where something lies.
fn flags_of(kind: Kind, letters: &str) -> Flags {
    let has = |letter| letters.contains(letter);
    let place = kind == Kind::Anatomy;
    Flags {
        paired: has('P'),
        actionable: has('A'),
        benign: has('B'),
        critical: has('C'),
        diagnosis: has('D'),
        lesion: !place && has('L'),
        female: has('F'),
        male: has('M'),
        general: has('G'),
        removes: has('O'),
        right_only: place && has('R'),
        left_only: place && has('L'),
        own_side: place && has('V'),
    }
}

/// The general word of a written-out finding: the last words of its name, else of a synonym.
fn head_of(organ: &str, name: &str, synonyms: &str) -> Option<String> {
    if organ.is_empty() {
        return None;
    }
    std::iter::once(name).chain(synonyms.split(';')).find_map(|words| {
        HEADS
            .iter()
            .find(|(_, endings)| endings.iter().any(|ending| words.trim().ends_with(ending)))
            .map(|(head, _)| (*head).to_owned())
    })
}

/// How well an entry stands for "HEAD in ORGAN", best first: its name is the organ and the general word, nothing more; a
/// synonym of it is; its name ends so. A meningioma is also called an extraaxial mass, but a mass in the brain is no
/// meningioma, nor a tumour of an organ its commonest carcinoma: then none.
pub(super) fn stands_for(entry: &Entry) -> Option<u8> {
    let head = entry.head.as_deref()?;
    let organ_words: Vec<&str> = rows(COMPOSITES)
        .filter_map(|line| match fields(line)[..] {
            [organ, _, words, _] if organ == entry.organ => Some(words.split(';')),
            _ => None,
        })
        .flatten()
        .collect();
    let plain = |name: &String| {
        let before = name.strip_suffix(head).map(str::trim_end);
        before.is_some_and(|b| b == entry.organ || organ_words.contains(&b))
    };
    let ends_so = |name: &str| {
        let of = HEADS.iter().find(|(h, _)| *h == head);
        let one_of_many = |ending: &str| matches!(ending, "carcinoma" | "tumor");
        of.is_some_and(|(_, endings)| endings.iter().any(|e| !one_of_many(e) && name.ends_with(e)))
    };
    match entry {
        e if plain(&e.name) => Some(0),
        e if e.synonyms.iter().any(plain) => Some(1),
        e if ends_so(&e.name) => Some(2),
        _ => None,
    }
}

fn add_composites(entries: &mut Vec<Entry>) {
    let key = |words: &str| normalised_words(words).join(" ");
    let mut taken: HashSet<String> = entries
        .iter()
        .flat_map(|entry| std::iter::once(&entry.name).chain(&entry.synonyms))
        .map(|name| key(name))
        .collect();
    for line in rows(COMPOSITES) {
        let [organ, organ_flags, words, heads] = fields(line)[..] else { continue };
        let words: Vec<&str> = words.split(';').collect();
        for head in heads.split(';') {
            let name = format!("{} {head}", words[0]);
            if !taken.insert(key(&name)) {
                continue;
            }
            let general = entries.iter().find(|entry| entry.flags.general && entry.name == head);
            let family = general.map(|entry| entry.family.clone()).unwrap_or_default();
            let mut flags = general.map(|entry| entry.flags).unwrap_or_default();
            flags.general = false;
            flags.critical = false; // a critical composite is written out in the tables
            flags.paired = organ_flags.contains('P');
            flags.female = organ_flags.contains('F');
            flags.male = organ_flags.contains('M');
            let mut synonyms: Vec<String> = words[1..].iter().map(|word| format!("{word} {head}")).collect();
            synonyms.extend(words.iter().map(|word| format!("{head} of {word}")));
            synonyms.retain(|synonym| !taken.contains(&key(synonym)));
            let mut composite = entry(Kind::Finding, &name, organ, &family, flags, Some(head.to_owned()), "");
            composite.synonyms = synonyms;
            entries.push(composite);
        }
    }
}

//! When two mentions speak of the same thing, when one supports or covers the other.

use crate::findings::{Assertion, Finding, Side, State};
use crate::lexicon::{Entry, lexicon};
use crate::parse::{Mention, Report};

/// A finding of the file in the terms of the lexicon.
pub(crate) struct Known<'a> {
    pub(crate) finding: &'a Finding,
    pub(crate) entry: &'static Entry,
    pub(crate) organ: &'static str,
    pub(crate) site: Option<&'static Entry>,
    pub(crate) side: Option<Side>,
}

impl<'a> Known<'a> {
    /// `None` where the lexicon does not know the term: nothing can be compared then.
    pub(crate) fn new(finding: &'a Finding) -> Option<Self> {
        let term = finding.term.as_deref()?;
        let site = finding.site.as_deref().unwrap_or_default();
        let phrase = if site.is_empty() { format!("{term}.") } else { format!("{term} in the {site}.") };
        let read = Report::read(&phrase);
        let mention = read.mentions.first();
        let entry = mention.map(|mention| mention.entry).or_else(|| lexicon().find(term))?;
        let told = mention.and_then(|mention| mention.side.as_ref()).map(|side| side.side);
        Some(Self {
            finding,
            entry,
            organ: mention.map_or(entry.organ.as_str(), |mention| mention.organ),
            site: mention.and_then(|mention| mention.site),
            side: finding.side.filter(|side| *side != Side::Midline).or(told),
        })
    }

    pub(crate) fn is_live(&self) -> bool {
        self.finding.effective_state() != State::Rejected
    }

    pub(crate) fn is_confirmed(&self) -> bool {
        self.finding.effective_state() == State::Confirmed
    }

    pub(crate) fn is_positive(&self) -> bool {
        matches!(self.finding.effective_assertion(), Assertion::Present | Assertion::Possible)
    }

    /// Whether a mention may speak of it: the same thing, not on the other side, not in another lobe.
    pub(crate) fn fits(&self, mention: &Mention) -> bool {
        self.names(mention) && !self.other_side(mention) && !other_site(self.site, mention.site)
    }

    /// Whether a mention names the same kind of thing.
    pub(crate) fn names(&self, mention: &Mention) -> bool {
        same_term(self.entry, self.organ, mention.entry, mention.organ)
    }

    fn other_side(&self, mention: &Mention) -> bool {
        match (self.side, &mention.side) {
            (Some(known), Some(told)) => known.contradicts(told.side),
            _ => false,
        }
    }
}

/// Two lobes, poles or levels that exclude each other.
pub(crate) fn other_site(first: Option<&Entry>, second: Option<&Entry>) -> bool {
    match (first, second) {
        (Some(first), Some(second)) => {
            first.organ == second.organ
                && first.name != second.name
                && !first.name.ends_with(second.name.as_str())
                && !second.name.ends_with(first.name.as_str())
                && part_word(first) == part_word(second)
                && is_part(first)
                && is_part(second)
        }
        _ => false,
    }
}

/// A horn lies in a meniscus and a segment in a lobe: only parts of one kind exclude each other.
fn part_word(site: &Entry) -> &str {
    let kind = |word: &&str| matches!(*word, "horn" | "meniscus" | "segment" | "head" | "body" | "tail");
    site.name.split(' ').find(kind).unwrap_or_default()
}

/// A part of an organ, not the organ itself.
pub(crate) fn is_part(site: &Entry) -> bool {
    const PARTS: [&str; 13] = [
        "isthmus", "lobe", "pole", "segment", "zone", "lingula", "head", "body", "tail", "base", "apex", "horn",
        "meniscus",
    ];
    site.name.split(' ').any(|word| PARTS.contains(&word)) || site.organ == "vertebra" || site.name.ends_with("disc")
}

/// Organs that belong together for a diagnosis.
const NEAR: [&[&str]; 14] = [
    &["kidney", "ureter", "bladder"],
    &["gallbladder", "bile duct", "liver", "pancreas"],
    &["bowel", "colon", "appendix", "mesentery", "stomach", "peritoneum", "abdomen"],
    &["spine", "vertebra", "spinal cord", "disc", "epidural space", "sacrum"],
    &[
        "bone",
        "rib",
        "sternum",
        "clavicle",
        "scapula",
        "humerus",
        "radius",
        "ulna",
        "scaphoid",
        "metacarpal",
        "phalanx",
        "femur",
        "tibia",
        "fibula",
        "patella",
        "ankle",
        "calcaneus",
        "talus",
        "metatarsal",
        "pelvis",
        "vertebra",
        "skull",
        "face",
        "sacrum",
        "hip",
        "wrist",
        "hand",
        "foot",
        "elbow",
        "shoulder",
        "knee",
    ],
    &["joint", "knee", "shoulder", "hip", "ankle", "wrist", "elbow", "foot", "hand", "sacroiliac joint", "soft tissue"],
    &["brain", "brainstem", "cerebellum", "thalamus", "basal ganglia", "pituitary", "skull", "carotid"],
    &["lung", "bronchus", "airway", "mediastinum", "pulmonary artery"],
    &["lung", "pleura"],
    &["heart", "pericardium"],
    &["heart", "lung", "pleura"],
    &["aorta", "artery", "vessel", "retroperitoneum"],
    &["vein", "leg", "thigh", "vessel"],
    &["uterus", "ovary", "pregnancy", "cervix", "endometrium", "pelvis"],
];

/// Whether two organs are the same or belong together. An unknown organ fits any.
pub(crate) fn near(first: &str, second: &str) -> bool {
    first.is_empty()
        || second.is_empty()
        || first == second
        || NEAR.iter().any(|group| group.contains(&first) && group.contains(&second))
}

/// Whether two terms name the same thing: one entry, or a general word for the other in the same organ.
pub(crate) fn same_term(first: &Entry, first_organ: &str, second: &Entry, second_organ: &str) -> bool {
    if first.name == second.name {
        return first_organ.is_empty() || second_organ.is_empty() || near(first_organ, second_organ);
    }
    let organs_fit = first_organ.is_empty() || second_organ.is_empty() || first_organ == second_organ;
    if !organs_fit {
        return false;
    }
    let head = |entry: &Entry| if entry.flags.general { Some(entry.name.clone()) } else { entry.head.clone() };
    let same_head = match (head(first), head(second)) {
        (Some(first), Some(second)) => first == second,
        _ => false,
    };
    let lesions = first.family == second.family && first.family == "mass" && (is_vague(first) || is_vague(second));
    let lung_nodules = first.organ == "lung"
        && second.organ == "lung"
        && first.name.contains("nodule")
        && second.name.contains("nodule");
    same_head && (first.flags.general || second.flags.general) || lesions || lung_nodules
}

/// "Lesion" and "mass" stand for any mass of their organ.
fn is_vague(entry: &Entry) -> bool {
    matches!(entry.name.as_str(), "lesion" | "mass" | "nodule") || entry.name.ends_with(" lesion")
}

/// Organs so close that a finding of one is described by a finding of the other.
const CLOSE: [&[&str]; 13] = [
    &["kidney", "ureter"],
    &["gallbladder", "bile duct"],
    &["spine", "vertebra", "spinal cord", "disc"],
    &["bowel", "mesentery", "peritoneum"],
    &["lung", "bronchus", "airway"],
    &["lung", "pulmonary artery"],
    &["heart", "pericardium"],
    &["heart", "lung"],
    &["aorta", "artery"],
    &["vein", "leg", "thigh"],
    &["pregnancy", "ovary"],
    &["liver", "vein", "spleen", "peritoneum"],
    &["mediastinum", "lymph node"],
];

fn close(first: &str, second: &str) -> bool {
    let same_group = |groups: &[&[&str]]| groups.iter().any(|group| group.contains(&first) && group.contains(&second));
    first.is_empty() || second.is_empty() || first == second || same_group(&CLOSE) || same_group(&NEAR[4..7])
}

/// Whether a described finding bears out a concluded one. Stricter than [`answers`]: another disease of the
/// neighbourhood does not.
pub(crate) fn supports(described: &Mention, concluded: &Entry, organ: &str) -> bool {
    if same_term(described.entry, described.organ, concluded, organ) {
        return true;
    }
    let organs_close = close(described.organ, organ);
    let same_family = described.entry.family == concluded.family && !concluded.family.is_empty();
    // An abscess, seroma or hematoma is described as a collection; a lesion is named in the impression.
    let collection = described.entry.name.contains("collection")
        && (concluded.name.contains("abscess")
            || concluded.name.contains("hematoma")
            || matches!(concluded.family.as_str(), "fluid" | "inflammation"));
    let named_lesion =
        described.entry.flags.general && described.entry.family == "mass" && concluded.flags.lesion && organs_close;
    let blood_in_belly = described.entry.family == "fluid"
        && concluded.organ == "peritoneum"
        && matches!(described.organ, "peritoneum" | "pelvis" | "abdomen" | "");
    if collection && organs_close || named_lesion || blood_in_belly {
        return true;
    }
    let known = !described.organ.is_empty() && !organ.is_empty();
    same_family && organs_close
        || concluded.flags.diagnosis && organs_close && known
        || known
            && described.organ == organ
            && !matches!(concluded.family.as_str(), "mass" | "fracture" | "hemorrhage" | "clot")
}

/// Whether `cover` in one section answers for `finding` in the other: the same thing, the same kind of thing
/// in the same or a neighbouring organ, or a diagnosis of that organ.
pub(crate) fn answers(cover: &Mention, finding: &Entry, organ: &str) -> bool {
    if same_term(cover.entry, cover.organ, finding, organ) {
        return true;
    }
    let organs_near = near(cover.organ, organ);
    let same_family = cover.entry.family == finding.family && !finding.family.is_empty();
    if same_family && organs_near {
        return true;
    }
    // What stands alone must be named; what goes along with a disease is covered by naming that disease.
    let stands_alone = matches!(
        finding.family.as_str(),
        "mass"
            | "cyst"
            | "stone"
            | "fracture"
            | "clot"
            | "aneurysm"
            | "hemorrhage"
            | "tear"
            | "node"
            | "air"
            | "torsion"
            | "pregnancy"
    );
    let known_organs = !cover.organ.is_empty() && !organ.is_empty();
    if !stands_alone && organs_near && (known_organs || finding.flags.general) && !cover.entry.flags.benign {
        return true;
    }
    if cover.entry.flags.diagnosis && organs_near && known_organs && !stands_alone {
        return true;
    }
    // A disease that spreads, and what a tumour, stone or trauma brings along.
    matches!(
        (cover.entry.family.as_str(), finding.family.as_str()),
        ("mass", "node")
            | ("ischemia", "clot")
            | ("clot", "ischemia")
            | ("tear", "hemorrhage")
            | ("hemorrhage", "tear")
            | ("inflammation", "air")
            | ("mass", "fracture")
            | ("air", "fluid")
            | ("aneurysm", "hemorrhage" | "clot")
            | ("node", "mass")
    ) && (organs_near && (known_organs || cover.entry.family == "aneurysm")
        || cover.entry.family == "mass" && finding.family == "node")
}

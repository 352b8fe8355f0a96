//! Finds the terms and binds to each what is said of it.

use std::ops::Range;

use super::context::{self, Cue};
use super::side::{self, BoundSide};
use super::size::Role;
use super::wrap::Wrapped;
use super::{AnatomyMention, Mention, Report, SectionKind};
use crate::findings::{Assertion, Side};
use crate::lexicon::{Entry, Kind, lexicon};

/// Fills terms, parts of the body and modifiers of a report.
pub(crate) fn find(report: &mut Report<'_>) {
    let in_side_word: Vec<bool> = {
        let mut flags = vec![false; report.tokens.len()];
        for word in &report.side_words {
            // "RLL" is side and lobe at once, so it stays readable.
            if word.tokens.len() > 1
                || matches!(
                    &*report.tokens[word.tokens.start].norm,
                    "left" | "right" | "bilateral" | "both" | "lt" | "rt" | "l" | "r"
                )
            {
                word.tokens.clone().for_each(|index| flags[index] = true);
            }
        }
        flags
    };
    let without_sides = Wrapped::new(&report.tokens, &report.sentences, |index| !in_side_word[index]);
    let whole = Wrapped::new(&report.tokens, &report.sentences, |_| true);
    let hits: Vec<(&'static Entry, Range<usize>)> = lexicon()
        .matches(&without_sides.text)
        .map(|(entry, range)| (entry, without_sides.tokens_of(range)))
        .filter(|(_, tokens)| !tokens.is_empty())
        .collect();
    let title = title_site(report, &hits);
    let cues = context::cues(&whole);
    let mut hit = 0;
    let mut cue = 0;
    for index in 0..report.sentences.len() {
        let range = report.sentences[index].tokens.clone();
        let first_hit = hit;
        while hit < hits.len() && hits[hit].1.start < range.end {
            hit += 1;
        }
        let first_cue = cue;
        while cue < cues.len() && cues[cue].tokens.start < range.end {
            cue += 1;
        }
        read_sentence(report, index, title, &hits[first_hit..hit], &cues[first_cue..cue]);
    }
}

/// "T1" and "T2" before a word of signal are weightings, not vertebrae.
fn is_weighting(report: &Report<'_>, entry: &Entry, tokens: &Range<usize>) -> bool {
    if !matches!(entry.name.as_str(), "T1" | "T2") || tokens.len() != 1 {
        return false;
    }
    let mut next = tokens.end;
    while report.tokens.get(next).is_some_and(|token| matches!(&*token.norm, "-" | "and" | "/" | "t1" | "t2" | ",")) {
        next += 1;
    }
    report.tokens.get(next).is_some_and(|token| {
        matches!(
            &*token.norm,
            "weighted"
                | "hyperintense"
                | "hypointense"
                | "isointense"
                | "signal"
                | "image"
                | "sequence"
                | "bright"
                | "dark"
                | "shading"
                | "flair"
                | "stir"
                | "hyperintensity"
                | "hypointensity"
                | "prolongation"
                | "shortening"
                | "high"
                | "low"
                | "fat"
                | "axial"
                | "sagittal"
                | "coronal"
                | "with"
                | "."
        )
    })
}

/// The organ that a title names alone: general words without a site mean it.
fn title_site(report: &Report<'_>, hits: &[(&'static Entry, Range<usize>)]) -> Option<&'static Entry> {
    let title = report.sections.iter().find(|section| section.kind == SectionKind::Title)?;
    let mut places =
        hits.iter().filter(|(entry, tokens)| entry.kind == Kind::Anatomy && title.tokens.contains(&tokens.start));
    let (first, _) = places.next()?;
    let alone = places.all(|(entry, _)| entry.organ == first.organ);
    (alone && matches!(first.organ.as_str(), "thyroid" | "breast" | "prostate" | "knee" | "shoulder" | "testis"))
        .then_some(first)
}

fn read_sentence(
    report: &mut Report<'_>,
    index: usize,
    title_site: Option<&'static Entry>,
    hits: &[(&'static Entry, Range<usize>)],
    cues: &[Cue],
) {
    let sentence = report.sentences[index].clone();
    let kind = report.sections[sentence.section].kind;
    let anatomy_start = report.anatomy.len();
    let thyroid_report = title_site.is_some_and(|site| site.organ == "thyroid");
    for (entry, tokens) in hits {
        if is_weighting(report, entry, tokens) {
            continue;
        }
        let span = report.bytes(tokens);
        let entry = if matches!(entry.name.as_str(), "upper pole" | "lower pole" | "interpolar region") {
            if thyroid_report {
                lexicon().find("thyroid lobe").unwrap_or(entry)
            } else {
                organ_with_poles(report, index).unwrap_or(entry)
            }
        } else {
            entry
        };
        match entry.kind {
            // The neck of the gallbladder, the femur or the bladder is no neck.
            Kind::Anatomy if entry.name == "neck" && is_neck_of_organ(report, index) => {}
            Kind::Anatomy => {
                report.anatomy.push(AnatomyMention { entry, span, tokens: tokens.clone(), sentence: index });
            }
            Kind::Modifier => report.modifiers.push((entry, tokens.clone())),
            _ => {}
        }
    }
    let mut terms: Vec<(&'static Entry, Range<usize>)> =
        hits.iter().filter(|(entry, _)| !matches!(entry.kind, Kind::Anatomy | Kind::Modifier)).cloned().collect();
    let mut denied_inside = Vec::new();
    for told in super::predicate::find(&report.tokens, &sentence.tokens, &report.anatomy[anatomy_start..]) {
        let taken = terms.iter().any(|(_, tokens)| tokens.start < told.tokens.end && told.tokens.start < tokens.end);
        if !taken {
            if told.denied {
                denied_inside.push(told.tokens.start);
            }
            terms.push((told.entry, told.tokens));
        }
    }
    terms.sort_by_key(|(_, tokens)| tokens.start);
    let finding_ranges: Vec<Range<usize>> =
        terms.iter().filter(|(entry, _)| entry.kind != Kind::Procedure).map(|(_, tokens)| tokens.clone()).collect();
    let mut mentions = Vec::with_capacity(terms.len());
    for (entry, tokens) in &terms {
        if is_no_finding(report, entry, tokens) {
            continue;
        }
        let others: Vec<Range<usize>> = finding_ranges.iter().filter(|other| *other != tokens).cloned().collect();
        let site = site_of(&report.anatomy[anatomy_start..], tokens, &others)
            .or_else(|| label_site(report, index))
            .or(title_site);
        let entry = resolve(entry, site);
        let organ: &'static str =
            if entry.organ.is_empty() { site.map_or("", |site| site.organ.as_str()) } else { &entry.organ };
        let verdict = context::judge(&report.tokens, &sentence.tokens, cues, tokens);
        let assertion = if verdict.absent || denied_inside.contains(&tokens.start) {
            Assertion::Absent
        } else if verdict.possible || kind == SectionKind::History && asks(report, index) {
            Assertion::Possible
        } else {
            Assertion::Present
        };
        let bound = side::bind(&report.tokens, &report.side_words, &sentence.tokens, tokens, &others)
            .filter(|bound| !bound.shared)
            .or_else(|| implied_side(site, entry, report, &report.anatomy[anatomy_start..]))
            .or_else(|| label_side(report, index))
            .or_else(|| side::bind(&report.tokens, &report.side_words, &sentence.tokens, tokens, &others));
        mentions.push(Mention {
            entry,
            organ,
            site,
            span: report.bytes(tokens),
            tokens: tokens.clone(),
            sentence: index,
            assertion,
            denied_by: verdict.cue,
            historical: verdict.historical && !verdict.absent,
            family: verdict.family,
            side: bound,
            size: None,
            more_sizes: Vec::new(),
            prior_size: None,
            change: None,
            plural: is_plural(report, tokens),
        });
    }
    refer_back(report, &sentence.tokens, &mut mentions);
    bind_measures(report, &sentence.tokens, &mut mentions);
    pass_sizes_on(report, &mut mentions);
    bind_changes(report, &sentence.tokens, &mut mentions);
    report.mentions.append(&mut mentions);
}

fn is_neck_of_organ(report: &Report<'_>, sentence: usize) -> bool {
    report.has_word(
        sentence,
        &[
            "gallbladder",
            "femur",
            "femoral",
            "bladder",
            "humerus",
            "humeral",
            "scapula",
            "pancreatic",
            "pancreas",
            "aneurysm",
            "hernia",
            "talar",
            "talus",
            "metatarsal",
            "radial",
            "gallstone",
        ],
    ) || label_site(report, sentence)
        .is_some_and(|site| matches!(site.organ.as_str(), "gallbladder" | "bladder" | "hip" | "femur" | "pancreas"))
}

/// Testis, spleen and thyroid have poles too: the last such organ of this sentence or the two before it, on the same line.
fn organ_with_poles(report: &Report<'_>, sentence: usize) -> Option<&'static Entry> {
    let place = report
        .anatomy
        .iter()
        .rev()
        .take_while(|place| place.sentence + 2 >= sentence)
        .find(|place| matches!(place.entry.organ.as_str(), "testis" | "spleen" | "thyroid" | "kidney"))?;
    match place.entry.organ.as_str() {
        "testis" => lexicon().find("testis"),
        "spleen" => lexicon().find("spleen"),
        "thyroid" => lexicon().find("thyroid lobe"),
        _ => None,
    }
}

/// "The mass abuts the vein": the mass told just before, wherever the sentence goes on to.
fn refer_back(report: &Report<'_>, sentence: &Range<usize>, mentions: &mut [Mention]) {
    for mention in mentions.iter_mut() {
        let term = mention.tokens.clone();
        let word = &*report.tokens[term.start].norm;
        let begins = term.start == sentence.start + 1
            && matches!(&*report.tokens[sentence.start].norm, "the" | "this" | "it" | "these")
            && term.len() == 1;
        let says_where =
            report.tokens.get(term.end).is_some_and(|next| matches!(&*next.norm, "in" | "of" | "within" | "at"));
        if !begins
            || says_where
            || !matches!(word, "mass" | "lesion" | "nodule" | "tumor" | "collection" | "cyst" | "fracture")
        {
            continue;
        }
        let before =
            report.mentions.iter().rev().take_while(|other| other.sentence + 3 >= mention.sentence).find(|other| {
                other.entry.kind == Kind::Finding && other.entry.family == mention.entry.family && other.is_present()
            });
        if let Some(before) = before {
            mention.entry = before.entry;
            mention.organ = before.organ;
            mention.site = before.site;
            if mention.side.as_ref().is_none_or(|side| side.shared) {
                mention.side.clone_from(&before.side);
            }
        }
    }
}

/// Words that name a finding elsewhere but not here.
fn is_no_finding(report: &Report<'_>, entry: &Entry, tokens: &Range<usize>) -> bool {
    let norm = |index: usize| report.tokens.get(index).map_or("", |token| &*token.norm);
    let before = tokens.start.checked_sub(1).map_or("", norm);
    let next = norm(tokens.end);
    let word = norm(tokens.start);
    match word {
        // "mass effect" is a term of its own; "collection" of images, "port" of entry, "drain" as a verb.
        "collection" => matches!(next, "of") && matches!(norm(tokens.end + 1), "image" | "data"),
        "lesion" | "mass" => before == "of" && next == "effect",
        "pe" => matches!(next, "protocol" | "study"),
        "aspiration" | "biopsy" | "fna" if entry.kind == Kind::Finding => matches!(before, "needle" | "joint"),
        // LI-RADS calls its lesions so; elsewhere the word means something else.
        "observation" => !(report.text.contains("LR-") || report.text.contains("LI-RADS")),
        "early" => true,
        // The shunt is written in capitals; any other "tip" is the end of a tube.
        "tip" if entry.name == "TIPS" => !report.text[report.bytes(tokens)].starts_with("TIP"),
        "port" | "stent" | "cast" | "drain" | "clip" | "shunt" => matches!(before, "viewing" | "a") && word == "cast",
        "radiation" => matches!(next, "dose" | "exposure"),
        "ablation" => false,
        "infection" | "malignancy" | "cancer" if next == "screening" => true,
        "swelling" | "gas" if matches!(next, "pattern") || before == "bowel" && word == "gas" => true,
        "scar" | "stone" if next == "protocol" => true,
        "occlusion" => false,
        _ => false,
    }
}

/// The part of the body that a term is in: the nearest behind it, else the nearest before it, with no other
/// finding between; else any of the sentence.
fn site_of(anatomy: &[AnatomyMention], term: &Range<usize>, others: &[Range<usize>]) -> Option<&'static Entry> {
    let clear = |gap: Range<usize>| !others.iter().any(|other| other.start >= gap.start && other.end <= gap.end);
    let after = anatomy.iter().find(|place| place.tokens.start >= term.end && place.tokens.start - term.end <= 12);
    let before = anatomy.iter().rev().find(|place| place.tokens.end <= term.start);
    // "Abdomen: metastasis in segment VI": the label of a region gives way to the organ behind.
    let is_region = |place: &&AnatomyMention| {
        matches!(
            place.entry.organ.as_str(),
            "abdomen" | "pelvis" | "chest wall" | "neck" | "bone" | "soft tissue" | "thorax"
        )
    };
    let close_before = before
        .filter(|place| term.start - place.tokens.end <= 2)
        .filter(|place| !(is_region(place) && after.is_some_and(|next| clear(term.end..next.tokens.start))));
    close_before
        .or_else(|| after.filter(|place| clear(term.end..place.tokens.start)))
        .or_else(|| before.filter(|place| clear(place.tokens.end..term.start)))
        .or(before)
        .map(|place| place.entry)
}

fn label_site(report: &Report<'_>, sentence: usize) -> Option<&'static Entry> {
    let label = report.sentences[sentence].label.clone()?;
    report.anatomy.iter().rev().find(|place| label.contains(&place.tokens.start)).map(|place| place.entry)
}

fn label_side(report: &Report<'_>, sentence: usize) -> Option<BoundSide> {
    let label = report.sentences[sentence].label.clone()?;
    let word = report.side_words.iter().find(|word| label.contains(&word.tokens.start))?;
    Some(BoundSide { side: word.side, span: word.span.clone(), shared: false })
}

/// The middle lobe is on the right, the lingula on the left.
fn implied_side(
    site: Option<&'static Entry>,
    entry: &Entry,
    report: &Report<'_>,
    anatomy: &[AnatomyMention],
) -> Option<BoundSide> {
    let site = site.filter(|_| entry.kind == Kind::Finding)?;
    let side = match (site.flags.right_only, site.flags.left_only) {
        (true, false) => Side::Right,
        (false, true) => Side::Left,
        _ => return None,
    };
    let place = anatomy.iter().find(|place| std::ptr::eq(place.entry, site))?;
    let _ = report;
    Some(BoundSide { side, span: place.span.clone(), shared: false })
}

/// "Cyst" in the kidney becomes "renal cyst".
fn resolve(entry: &'static Entry, site: Option<&'static Entry>) -> &'static Entry {
    if !entry.flags.general {
        return entry;
    }
    let Some(site) = site else { return entry };
    let organ = match (site.organ.as_str(), entry.name.as_str()) {
        ("lung" | "chest wall", "effusion") => "pleura",
        ("shoulder" | "hip" | "knee" | "elbow" | "ankle" | "wrist", "effusion") => "joint",
        ("abdomen", "effusion") => "peritoneum",
        (organ, _) => organ,
    };
    lexicon().specific(organ, &entry.name).unwrap_or(entry)
}

fn is_plural(report: &Report<'_>, tokens: &Range<usize>) -> bool {
    let last = &report.tokens[tokens.end - 1];
    let written = report.text[last.span.clone()].to_lowercase();
    written.chars().count() > 3
        && written != *last.norm
        && (written.ends_with('s') && !last.norm.ends_with('s')
            || written.ends_with("ses")
            || matches!(&*last.norm, "calculus" | "thrombus" | "embolus" | "focus" | "diverticulum" | "bulla")
                && !written.ends_with("us")
                && !written.ends_with('m'))
}

/// Whether a sentence of the history asks rather than tells.
fn asks(report: &Report<'_>, sentence: usize) -> bool {
    report.words(sentence).any(|word| word == "?")
}

/// Each length goes to the nearest finding of its sentence that can have one; the closest pairs come first.
fn bind_measures(report: &Report<'_>, sentence: &Range<usize>, mentions: &mut [Mention]) {
    let first = report.measures.partition_point(|measure| measure.tokens.start < sentence.start);
    let last = report.measures.partition_point(|measure| measure.tokens.start < sentence.end);
    let mut pairs: Vec<(usize, usize, usize)> = Vec::new();
    for index in first..last {
        let measure = &report.measures[index];
        for (place, mention) in mentions.iter().enumerate() {
            let can_have = mention.entry.kind == Kind::Finding
                && mention.assertion != Assertion::Absent
                && measure.role != Role::Other;
            if can_have && !is_measure_of_anatomy(report, &measure.tokens, &mention.tokens, sentence) {
                pairs.push((gap_cost(report, &measure.tokens, &mention.tokens, sentence), index, place));
            }
        }
    }
    pairs.sort_unstable();
    let mut bound = vec![false; last - first];
    for (_, index, place) in pairs {
        let slot = if report.measures[index].role == Role::Now {
            &mut mentions[place].size
        } else {
            &mut mentions[place].prior_size
        };
        if !bound[index - first] && slot.is_none() {
            *slot = Some(index);
            bound[index - first] = true;
        }
    }
    // "Two nodules: 7 mm in the right upper lobe and 5 mm in the left lower lobe."
    let several = mentions.iter().filter(|mention| mention.size.is_some()).count() == 1;
    if let (true, Some(mention)) =
        (several, mentions.iter_mut().find(|mention| mention.size.is_some() && mention.plural))
    {
        mention.more_sizes =
            (first..last).filter(|index| !bound[index - first] && report.measures[*index].role == Role::Now).collect();
    }
}

/// "A 38 mm lesion, in keeping with an endometrioma": the size is that of the thing it is called.
fn pass_sizes_on(report: &Report<'_>, mentions: &mut [Mention]) {
    for index in 1..mentions.len() {
        let (before, rest) = mentions.split_at_mut(index);
        let (first, second) = (&before[index - 1], &mut rest[0]);
        let called = first.tokens.end < second.tokens.start
            && report.tokens[first.tokens.end..second.tokens.start].iter().any(|token| {
                matches!(
                    &*token.norm,
                    "consistent"
                        | "compatible"
                        | "keeping"
                        | "characteristic"
                        | "typical"
                        | "representing"
                        | "diagnostic"
                )
            });
        if called
            && first.entry.flags.general
            && first.size.is_some()
            && second.size.is_none()
            && second.entry.flags.lesion
            && second.assertion != Assertion::Absent
        {
            second.size = first.size;
            second.prior_size = second.prior_size.or(first.prior_size);
        }
    }
}

/// Distance in tokens; a comma between costs four, and a word right behind ("8 mm nodule") nothing.
fn gap_cost(report: &Report<'_>, measure: &Range<usize>, term: &Range<usize>, sentence: &Range<usize>) -> usize {
    let gap =
        if measure.end <= term.start { measure.end..term.start } else { term.end.min(measure.start)..measure.start };
    let start = gap.start.max(sentence.start).min(report.tokens.len());
    let gap = start..gap.end.clamp(start, report.tokens.len());
    let marks = report.tokens[gap.clone()].iter().filter(|token| matches!(&*token.norm, "," | "and" | "with")).count();
    let before_term = measure.end <= term.start;
    let skipped = if before_term { gap.len() * 2 } else { gap.len() };
    if before_term && gap.len() <= 4 && marks == 0 { gap.len() } else { skipped + 4 * marks + 2 }
}

/// "The common bile duct measures 4 mm" beside a finding of the same sentence: a part of the body stands
/// right before "measures".
fn is_measure_of_anatomy(
    report: &Report<'_>,
    measure: &Range<usize>,
    term: &Range<usize>,
    sentence: &Range<usize>,
) -> bool {
    let before = &report.tokens[sentence.start..measure.start];
    let Some(verb) = before.iter().rposition(|token| {
        matches!(
            &*token.norm,
            "measure"
                | "measuring"
                | "measured"
                | "enlarged"
                | "diameter"
                | "caliber"
                | "length"
                | "thick"
                | "thickness"
        )
    }) else {
        return false;
    };
    let verb = sentence.start + verb;
    if measure.start - verb > 5 || report.tokens[verb..measure.start].iter().any(|token| token.is_mark(",")) {
        return false;
    }
    let closest_anatomy =
        report.anatomy.iter().rev().find(|place| place.tokens.end <= verb && place.tokens.start >= sentence.start);
    let Some(place) = closest_anatomy else { return false };
    // "nodule in the right lower lobe measures 8 mm": the finding is the subject.
    let finding_is_subject = term.start < place.tokens.start
        && !report.tokens[term.end.min(place.tokens.start)..place.tokens.start].iter().any(|token| token.is_mark(","));
    !(finding_is_subject || term.start >= place.tokens.end && term.end <= verb)
}

fn bind_changes(report: &Report<'_>, sentence: &Range<usize>, mentions: &mut [Mention]) {
    let first = report.change_words.partition_point(|word| word.tokens.start < sentence.start);
    for (index, word) in report.change_words.iter().enumerate().skip(first) {
        if word.tokens.start >= sentence.end {
            break;
        }
        let nearest = mentions
            .iter_mut()
            .filter(|mention| mention.entry.kind == Kind::Finding)
            .min_by_key(|mention| gap_cost(report, &word.tokens, &mention.tokens, sentence));
        if let Some(mention) = nearest
            && mention.change.is_none()
        {
            mention.change = Some(index);
        }
    }
}

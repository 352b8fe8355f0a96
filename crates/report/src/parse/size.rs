//! Lengths with their unit, and what they measure.

use std::ops::Range;

use super::tokens::{Token, TokenKind};

/// A length in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Measure {
    /// One to three lengths in mm, as written and in the order written; a range gives both ends.
    pub mm: Vec<f64>,
    /// Byte range of numbers and unit.
    pub span: Range<usize>,
    /// Indices of its tokens.
    pub tokens: Range<usize>,
    /// What kind of length it is.
    pub role: Role,
    /// The unit as written ("mm"), empty where none is.
    pub unit: String,
}

/// What a length is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A size as it is now.
    Now,
    /// A size on the earlier examination.
    Before,
    /// From one thing to another, or a slice thickness, or a limit in a rule ("nodules under 6 mm").
    Other,
}

impl Measure {
    /// The longest length in mm.
    pub fn longest_mm(&self) -> f64 {
        self.mm.iter().copied().fold(0.0, f64::max)
    }
}

/// All lengths with a unit, and products of numbers without one ("12 x 9").
pub(crate) fn measures(tokens: &[Token]) -> Vec<Measure> {
    let mut found: Vec<Measure> = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        match measure_at(tokens, index) {
            Some(measure) => {
                index = measure.tokens.end;
                found.extend(from_to(tokens, measure));
            }
            None => index += 1,
        }
    }
    let ends: Vec<usize> = found.iter().map(|measure| measure.tokens.end).collect();
    for (place, measure) in found.iter_mut().enumerate() {
        let after_other = place.checked_sub(1).map_or(0, |before| ends[before]);
        measure.role = role_of(tokens, &measure.tokens, after_other);
    }
    found
}

/// "From 47 to 32 mm" is two sizes, "ranging from 3 to 5 mm" one range.
fn from_to(tokens: &[Token], measure: Measure) -> Vec<Measure> {
    let start = measure.tokens.start;
    let norm = |back: usize| start.checked_sub(back).map_or("", |at| &*tokens[at].norm);
    let is_change = measure.mm.len() == 2
        && measure.tokens.len() >= 4
        && norm(1) == "from"
        && !matches!(norm(2), "ranging" | "range" | "varying" | "vary" | "measuring" | "measure" | "size" | "diameter")
        && tokens[start + 1].norm.as_ref() == "to";
    if !is_change {
        return vec![measure];
    }
    let first = Measure {
        mm: vec![measure.mm[0]],
        span: tokens[start].span.clone(),
        tokens: start..start + 1,
        ..measure.clone()
    };
    let second = Measure {
        mm: vec![measure.mm[1]],
        span: tokens[start + 2].span.start..measure.span.end,
        tokens: start + 2..measure.tokens.end,
        ..measure
    };
    vec![first, second]
}

fn measure_at(tokens: &[Token], start: usize) -> Option<Measure> {
    let mut values: Vec<(f64, Option<f64>)> = vec![(tokens[start].number()?, None)];
    if start > 0
        && !tokens[start].spaced
        && matches!(&*tokens[start - 1].norm, "/" | ":" | "." | "-")
        && tokens[start - 1].breaks == 0
        && start > 1
        && !tokens[start - 1].spaced
        && tokens[start - 2].kind != TokenKind::Mark
    {
        return None; // the second half of "45/300" or of a word with a hyphen
    }
    let mut index = start + 1;
    let mut unit = String::new();
    let mut product = false;
    loop {
        if let Some((factor, name, next)) = unit_at(tokens, index) {
            if let Some(last) = values.last_mut() {
                last.1 = Some(factor);
            }
            unit = name;
            index = next;
        }
        let joint = match tokens.get(index) {
            Some(token) if matches!(&*token.norm, "x" | "×" | "by" | "*" | "∗") => {
                product = true;
                true
            }
            Some(token) if matches!(&*token.norm, "to" | "-" | "–") => {
                !product && values.last().is_some_and(|(_, unit)| unit.is_none())
            }
            _ => false,
        };
        // "12 x 9 x 7", "12 mm AP x 9 mm": a word for the direction may stand before the sign.
        let named = !joint
            && matches!(
                tokens.get(index).map(|token| &*token.norm),
                Some("ap" | "tr" | "cc" | "transverse" | "craniocaudal" | "trv" | "long")
            )
            && matches!(tokens.get(index + 1).map(|token| &*token.norm), Some("x" | "×" | "by"));
        let next = if named {
            product = true;
            index + 2
        } else {
            index + 1
        };
        match tokens.get(next).and_then(Token::number) {
            Some(value) if (joint || named) && values.len() < 3 && tokens[next].breaks == 0 => {
                values.push((value, None));
                index = next + 1;
            }
            _ => break,
        }
    }
    let last_factor = values.iter().rev().find_map(|(_, factor)| *factor);
    if last_factor.is_none() && !(product && values.len() > 1) {
        return None;
    }
    // Values before a unit share it: "12 x 9 mm", "3-4 cm".
    let mut factor = last_factor;
    let mut mm: Vec<f64> = Vec::with_capacity(values.len());
    for (value, own) in values.iter().rev() {
        factor = own.or(factor);
        mm.push(value * factor.unwrap_or(1.0));
    }
    mm.reverse();
    let span = tokens[start].span.start..tokens[index - 1].span.end;
    Some(Measure { mm, span, tokens: start..index, role: Role::Now, unit })
}

/// Gives mm per unit, the unit and the index behind it. A hyphen may stand before it ("8-mm").
fn unit_at(tokens: &[Token], index: usize) -> Option<(f64, String, usize)> {
    let mut at = index;
    if tokens.get(at)?.is_mark("-") && tokens.get(at + 1).is_some_and(|next| !next.spaced) {
        at += 1;
    }
    let token = tokens.get(at)?;
    let factor = match &*token.norm {
        "mm" | "mms" | "millimeter" => 1.0,
        "cm" | "cms" | "centimeter" => 10.0,
        "m" | "meter" => 1000.0,
        "inch" => 25.4,
        _ => return None,
    };
    // "cm²" and "mm3" are no lengths, nor is "cm/s".
    let is_rate = tokens.get(at + 1).is_some_and(|next| !next.spaced && next.is_mark("/"))
        && tokens.get(at + 2).is_some_and(|next| matches!(&*next.norm, "s" | "sec" | "second" | "min"));
    let is_power =
        tokens.get(at + 1).is_some_and(|next| !next.spaced && matches!(&*next.norm, "²" | "³" | "^" | "2" | "3"));
    (!is_power && !is_rate).then(|| (factor, token.norm.to_string(), at + 1))
}

fn role_of(tokens: &[Token], measure: &Range<usize>, after_other: usize) -> Role {
    let near = |count: usize| {
        let from = measure.start.saturating_sub(count).max(after_other.min(measure.start));
        from..measure.start
    };
    let end_of_sentence = |token: &Token| token.is_mark(".") || token.is_mark(";");
    let words_before = |count: usize| {
        let range = near(count);
        let start =
            range.clone().rev().find(|index| end_of_sentence(&tokens[*index])).map_or(range.start, |index| index + 1);
        tokens[start..range.end].iter().map(|token| &*token.norm).collect::<Vec<_>>()
    };
    let after: Vec<&str> = tokens[measure.end..(measure.end + 6).min(tokens.len())]
        .iter()
        .take_while(|token| !end_of_sentence(token))
        .map(|token| &*token.norm)
        .collect();
    let before = words_before(5);
    let has = |words: &[&str], any: &[&str]| words.iter().any(|word| any.contains(word));
    let is_last = |words: &[&str]| before.last().is_some_and(|last| words.contains(last));
    // "previously 6 mm", "from 6 mm", "(was 6 mm)", "compared with 6 mm", "6 mm on the prior".
    // "18 mm, stable (17 mm)", "9 mm (6 mm on 20/8/2026)": the second size stands in brackets.
    let in_brackets_after_size = measure.start > 0
        && tokens[measure.start - 1].is_mark("(")
        && after_other > 0
        && measure.start - after_other.min(measure.start) <= 5
        && !tokens[after_other..measure.start].iter().any(end_of_sentence)
        && (tokens[after_other..measure.start].iter().any(|token| {
            matches!(&*token.norm, "stable" | "unchanged" | "increased" | "decreased" | "larger" | "smaller" | "grown")
        }) || matches!(after.as_slice(), ["on" | "in", next, ..] if next.starts_with(|digit: char| digit.is_ascii_digit())));
    let says_now = has(&before, &["now", "currently", "today", "to"]) && !has(&before, &["compared"]);
    if !says_now
        && (has(
            &before,
            &["previously", "prior", "formerly", "previous", "earlier", "baseline", "initially", "formerly"],
        ) || has(&before[before.len().saturating_sub(2)..], &["was", "were"])
            || is_last(&["from"])
            || in_brackets_after_size
            || has(&before[before.len().saturating_sub(3)..], &["versus", "vs", "compared"]))
        || after.first() == Some(&"previously")
        || after.len() > 1
            && has(&after[..after.len().min(4)], &["previously"])
            && has(&after[..1], &["on", "in", "at"])
        || after.first() == Some(&"on") && has(&after, &["prior", "previous", "earlier"])
        || after.first() == Some(&"before")
    {
        return Role::Before;
    }
    let comparing_limit = is_last(&["<", ">", "≤", "≥", "least"])
        || has(
            &before[before.len().saturating_sub(3)..],
            &["under", "exceeding", "threshold", "than", "above", "below"],
        )
        || is_last(&["every"]);
    let after_to_from = after.first() == Some(&"from")
        && tokens.get(measure.end + 1).is_some_and(|next| next.kind == TokenKind::Number);
    let distance = !after_to_from
        && matches!(
            after.as_slice(),
            [
                "above"
                    | "below"
                    | "from"
                    | "proximal"
                    | "distal"
                    | "cranial"
                    | "caudal"
                    | "superior"
                    | "inferior"
                    | "beyond"
                    | "deep"
                    | "off"
                    | "past"
                    | "anterior"
                    | "posterior"
                    | "lateral"
                    | "medial"
                    | "into",
                ..
            ]
        )
        || matches!(after.as_slice(), ["away" | "inside", ..])
        || matches!(
            after.as_slice(),
            [
                "slice"
                    | "section"
                    | "collimation"
                    | "cut"
                    | "axial"
                    | "contiguous"
                    | "reconstruction"
                    | "thick"
                    | "increment"
                    | "interval"
                    | "needle"
                    | "sheath"
                    | "of",
                "slice"
                    | "section"
                    | "image"
                    | "axial"
                    | "reconstruction"
                    | "thickness"
                    | "cut"
                    | "displacement"
                    | "shift"
                    | "thick",
                ..
            ]
        )
        || matches!(after.as_slice(), ["slice" | "collimation" | "contiguous" | "section", ..])
        || has(
            // "9 mm in thickness, with 4 mm of shift": the comma ends what the word is about.
            before.rsplit(|word| *word == ",").next().unwrap_or_default(),
            &["distance", "thickness", "collimation", "within", "skin", "tip", "displaced", "interval", "margin"],
        );
    if comparing_limit || distance { Role::Other } else { Role::Now }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tokens::tokenize;

    fn read(text: &str) -> Vec<(Vec<f64>, Role)> {
        measures(&tokenize(text)).into_iter().map(|measure| (measure.mm, measure.role)).collect()
    }

    #[test]
    fn lengths_are_read_in_mm() {
        assert_eq!(read("8.4 x 6.1 mm"), [(vec![8.4, 6.1], Role::Now)]);
        assert_eq!(read("1.2 cm x 9 mm"), [(vec![12.0, 9.0], Role::Now)]);
        assert_eq!(read("an 8-mm nodule"), [(vec![8.0], Role::Now)]);
        assert_eq!(read("3 to 4 mm"), [(vec![3.0, 4.0], Role::Now)]);
        assert_eq!(read("1,2 cm"), [(vec![12.0], Role::Now)]);
        assert_eq!(read("12 x 9 in the liver"), [(vec![12.0, 9.0], Role::Now)]);
    }

    #[test]
    fn earlier_sizes_distances_and_limits_are_told_apart() {
        assert_eq!(read("now 8 mm, previously 6 mm"), [(vec![8.0], Role::Now), (vec![6.0], Role::Before)]);
        assert_eq!(read("increased from 6 mm to 8 mm"), [(vec![6.0], Role::Before), (vec![8.0], Role::Now)]);
        assert_eq!(read("tip 4 cm above the carina"), [(vec![40.0], Role::Other)]);
        assert_eq!(read("nodules smaller than 6 mm")[0].1, Role::Other);
    }

    #[test]
    fn areas_and_fractions_are_no_lengths() {
        assert!(read("1200 mm² and 45/300 and 20 HU").is_empty());
    }
}

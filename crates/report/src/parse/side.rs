//! Left, right, both: which side a term is said to be on.

use std::ops::Range;

use super::tokens::{Token, TokenKind};
use crate::findings::Side;
use crate::lexicon::lexicon;

/// A word that names a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SideWord {
    /// The side.
    pub side: Side,
    /// Indices of its tokens.
    pub tokens: Range<usize>,
    /// Byte range.
    pub span: Range<usize>,
}

/// The side bound to a term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundSide {
    /// The side.
    pub side: Side,
    /// Bytes of the word that says so.
    pub span: Range<usize>,
    /// Whether the word may belong to another term ("right effusion and atelectasis").
    pub shared: bool,
}

/// Whether a side word belongs to the name of a chamber or branch, as in "left ventricle".
pub(crate) fn is_part_of_name(tokens: &[Token], index: usize) -> bool {
    if !matches!(&*tokens[index].norm, "left" | "right") {
        return false;
    }
    let word =
        |ahead: usize| tokens.get(index + ahead).filter(|token| token.breaks == 0).map_or("", |token| &*token.norm);
    let (mut next, mut second) = (word(1), word(2));
    if next == "-" {
        (next, second) = (second, word(3));
    }
    match next {
        "ventricle" | "ventricular" | "atrium" | "atrial" | "heart" | "bundle" | "circumflex" => true,
        "main" => matches!(second, "coronary" | "disease" | "stenosis"),
        "anterior" => second == "descending",
        "coronary" => true,
        _ => false,
    }
}

/// "(R)": a capital letter alone in brackets.
fn in_brackets(tokens: &[Token], index: usize) -> bool {
    index > 0 && tokens[index - 1].is_mark("(") && tokens.get(index + 1).is_some_and(|next| next.is_mark(")"))
}

/// "R ICA", "L: no DVT", "R>L": a capital letter alone before a word of the lexicon, a colon or the other letter.
fn is_side_letter(text: &str, tokens: &[Token], index: usize) -> bool {
    let is_capital = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| matches!(&*token.norm, "l" | "r") && text[token.span.clone()].starts_with(['L', 'R']))
    };
    if !is_capital(index) || index > 0 && !tokens[index].spaced && tokens[index - 1].kind != TokenKind::Mark {
        return false;
    }
    let before = index.checked_sub(1).map(|at| &tokens[at]);
    let Some(next) = tokens.get(index + 1) else { return false };
    let compared = |mark: &Token| matches!(&*mark.norm, ">" | "<" | "/" | "+" | "&" | "and");
    if compared(next) && is_capital(index + 2) || before.is_some_and(compared) && index >= 2 && is_capital(index - 2) {
        return true;
    }
    // "1.5 L" is a volume, "Dr R Jones" an initial.
    if before.is_some_and(|before| before.kind == TokenKind::Number || matches!(&*before.norm, "dr" | "prof")) {
        return false;
    }
    if next.is_mark(":") {
        return tokens[index].breaks > 0 || before.is_none_or(|before| matches!(&*before.norm, "." | ";" | "," | ")"));
    }
    next.kind == TokenKind::Word
        && next.spaced
        && next.breaks == 0
        && &*next.norm != "spine"
        && lexicon().has_word(&next.norm)
}

/// "Shifted to the left": where something goes, not where it is.
fn is_direction(tokens: &[Token], index: usize) -> bool {
    let norm = |back: usize| index.checked_sub(back).map_or("", |at| &*tokens[at].norm);
    let to = norm(1) == "to" || norm(1) == "the" && norm(2) == "to";
    to && (2..=9).map(norm).take_while(|word| *word != ".").any(|word| {
        word.starts_with("shift")
            || word.starts_with("deviat")
            || word.starts_with("displace")
            || word.starts_with("herniat")
            || word.starts_with("convex")
            || word.starts_with("curv")
            || word == "bowing"
            || word == "pushed"
    })
}

/// All side words of the text.
pub(crate) fn side_words(text: &str, tokens: &[Token]) -> Vec<SideWord> {
    let mut words: Vec<SideWord> = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.kind != TokenKind::Word || is_part_of_name(tokens, index) {
            continue;
        }
        if is_direction(tokens, index) {
            continue;
        }
        let next = tokens.get(index + 1).map_or("", |token| &*token.norm);
        let side =
            match &*token.norm {
                "left"
                    if next == "in"
                        && tokens.get(index + 2).is_some_and(|word| matches!(&*word.norm, "place" | "situ")) =>
                {
                    continue;
                }
                "l" | "r" if in_brackets(tokens, index) || is_side_letter(text, tokens, index) => {
                    if &*token.norm == "l" { Side::Left } else { Side::Right }
                }
                "left" | "lt" | "lul" | "lll" | "luq" | "llq" | "leftsided" => Side::Left,
                "right" | "rt" | "rul" | "rml" | "rll" | "ruq" | "rlq" | "rightsided" => Side::Right,
                "bilateral" | "bilaterally" | "both" | "biapical" | "bibasilar" | "bibasal" => Side::Bilateral,
                "midline" if next != "shift" => Side::Midline,
                _ => continue,
            };
        let word = SideWord { side, tokens: index..index + 1, span: token.span.clone() };
        match words.last_mut() {
            Some(before) if before.side.contradicts(side) && joins(&tokens[before.tokens.end..index]) => {
                before.side = Side::Bilateral;
                before.tokens.end = index + 1;
                before.span.end = token.span.end;
            }
            _ => words.push(word),
        }
    }
    words
}

/// "left and right", "right greater than left", "right or left".
fn joins(between: &[Token]) -> bool {
    let words: Vec<&str> = between.iter().map(|token| &*token.norm).collect();
    // "Severe right and moderate left osteoarthritis."
    if let ["and" | ",", degree] | [",", "and", degree] = words.as_slice() {
        return matches!(
            *degree,
            "mild"
                | "moderate"
                | "severe"
                | "small"
                | "large"
                | "trace"
                | "tiny"
                | "minimal"
                | "marked"
                | "moderately"
                | "mildly"
                | "slight"
                | "probable"
                | "possible"
                | "less"
                | "more"
                | "early"
                | "advanced"
                | "smaller"
        );
    }
    matches!(
        words.as_slice(),
        ["and" | "or" | "/" | "&"]
            | ["greater" | "more" | "worse" | "larger" | "less", "than"]
            | [">" | "<" | "+" | ">>" | "≥" | "="]
            | ["and", "the"]
            | ["as", "well", "as"]
    )
}

/// Binds a side to the term at `term`. `others` are the other terms of the sentence; a side word behind one of
/// them belongs to that one first.
pub(crate) fn bind(
    tokens: &[Token],
    words: &[SideWord],
    sentence: &Range<usize>,
    term: &Range<usize>,
    others: &[Range<usize>],
) -> Option<BoundSide> {
    let in_sentence =
        || words.iter().filter(|word| word.tokens.start >= sentence.start && word.tokens.end <= sentence.end);
    let other_between =
        |gap: &Range<usize>| others.iter().any(|other| other.start >= gap.start && other.end <= gap.end);
    let comma_between = |gap: &Range<usize>| tokens[gap.clone()].iter().any(|token| token.is_mark(","));
    let bound = |word: &SideWord, shared: bool| BoundSide { side: word.side, span: word.span.clone(), shared };
    // Inside the term: "fracture of the left clavicle".
    if let Some(word) = in_sentence().find(|word| word.tokens.start >= term.start && word.tokens.end <= term.end) {
        return Some(bound(word, false));
    }
    let before = in_sentence().rfind(|word| word.tokens.end <= term.start);
    let after = in_sentence().find(|word| word.tokens.start >= term.end);
    let gap_before = before.map(|word| word.tokens.end..term.start);
    let gap_after = after.map(|word| term.end..word.tokens.start);
    let free_before = gap_before.as_ref().is_some_and(|gap| !other_between(gap));
    // "Metastasis in segment VI and growing left lower lobe metastasis": the side of the next term.
    let next_term_follows = |word: &SideWord, gap: &Range<usize>| {
        tokens[gap.clone()].iter().any(|token| matches!(&*token.norm, "," | "and" | "with"))
            && others.iter().any(|other| other.start >= word.tokens.end && other.start - word.tokens.end <= 4)
    };
    let free_after = after
        .zip(gap_after.as_ref())
        .is_some_and(|(word, gap)| !other_between(gap) && gap.len() <= 14 && !next_term_follows(word, gap));
    if let (Some(word), Some(gap)) = (before, &gap_before)
        && free_before
        && gap.len() <= 3
        && !comma_between(gap)
    {
        return Some(bound(word, false));
    }
    if let (Some(word), Some(gap)) = (after, &gap_after)
        && free_after
        && (!comma_between(gap) || !free_before)
        && !starts_new_clause(tokens, gap)
    {
        return Some(bound(word, false));
    }
    if let (Some(word), true) = (before, free_before) {
        return Some(bound(word, false));
    }
    if let (Some(word), Some(gap)) = (after, &gap_after)
        && free_after
        && !starts_new_clause(tokens, gap)
    {
        return Some(bound(word, false));
    }
    // "The left kidney shows an atrophic cortex and a stone": the side of the subject holds for all of it.
    let subject = in_sentence().rfind(|word| word.tokens.start - sentence.start <= 3 && word.tokens.end <= term.start);
    let only_one = in_sentence().count() == 1;
    if let Some(word) = subject
        && only_one
        && tokens[word.tokens.end..term.start].iter().any(|token| {
            matches!(&*token.norm, "show" | "demonstrate" | "contain" | "has" | "have" | "reveal" | "is" | "are")
        })
    {
        return Some(bound(word, false));
    }
    before.or(after).map(|word| bound(word, true))
}

fn starts_new_clause(tokens: &[Token], gap: &Range<usize>) -> bool {
    tokens[gap.clone()].windows(2).any(|pair| {
        matches!(&*pair[0].norm, "," | "and" | "but" | "with")
            && matches!(&*pair[1].norm, "the" | "there" | "no" | "a" | "an")
    }) || tokens[gap.clone()]
        .iter()
        .any(|token| matches!(&*token.norm, "but" | "however" | "whereas" | "while" | "than"))
}

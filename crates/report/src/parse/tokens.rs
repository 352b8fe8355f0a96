//! Words with their place in the text, and the one spelling under which they are compared.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Letters, or letters with digits ("L4", "13th").
    Word,
    /// Digits with a decimal point or comma.
    Number,
    /// One other character.
    Mark,
}

/// A word, a number or a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Byte range in the text, on character boundaries.
    pub span: Range<usize>,
    /// Lower case, American, singular; a mark as it stands.
    pub norm: Box<str>,
    /// What it is.
    pub kind: TokenKind,
    /// Line breaks between this token and the one before, 255 at most.
    pub breaks: u8,
    /// Whether white space stands before it.
    pub spaced: bool,
}

impl Token {
    /// Whether it is this mark.
    pub fn is_mark(&self, mark: &str) -> bool {
        self.kind == TokenKind::Mark && &*self.norm == mark
    }

    /// The number that it writes, `None` for words and marks. A comma before one or two digits is a decimal
    /// comma, before three a separator of thousands.
    pub fn number(&self) -> Option<f64> {
        if self.kind != TokenKind::Number {
            return None;
        }
        match self.norm.rsplit_once(',') {
            Some((whole, decimals)) if decimals.len() < 3 => format!("{whole}.{decimals}").parse().ok(),
            Some(_) => self.norm.replace(',', "").parse().ok(),
            None => self.norm.parse().ok(),
        }
    }
}

/// Units that may follow a number without a space.
const ATTACHED_UNITS: [&str; 18] =
    ["mm", "cm", "m", "ml", "cc", "hu", "x", "mg", "kg", "g", "yo", "y", "mo", "wk", "mm2", "cm2", "cm3", "mm3"];

/// Cuts a text into tokens. Linear in its length.
pub fn tokenize(text: &str) -> Vec<Token> {
    let mut tokens = Vec::with_capacity(text.len() / 5);
    let mut letters = text.char_indices().peekable();
    let mut breaks = 0u8;
    let mut spaced = true;
    while let Some((start, letter)) = letters.next() {
        if letter.is_whitespace() {
            if letter == '\n' {
                breaks = breaks.saturating_add(1);
            }
            spaced = true;
            continue;
        }
        let mut end = start + letter.len_utf8();
        let kind = if letter.is_numeric() {
            end = number_end(text, start);
            TokenKind::Number
        } else if letter.is_alphabetic() {
            end = word_end(text, start);
            // "8.4x6.1": the sign of a product is a word of its own.
            if matches!(letter, 'x' | 'X') && text[start + 1..end].starts_with(|next: char| next.is_ascii_digit()) {
                end = start + 1;
            }
            TokenKind::Word
        } else {
            TokenKind::Mark
        };
        let (kind, end) = join_number_with_letters(text, kind, start, end);
        while letters.peek().is_some_and(|(next, _)| *next < end) {
            letters.next();
        }
        let written = &text[start..end];
        let norm = match kind {
            TokenKind::Word => normalise(written),
            _ => written.to_owned(),
        };
        tokens.push(Token { span: start..end, norm: norm.into(), kind, breaks, spaced });
        breaks = 0;
        spaced = false;
    }
    tokens
}

fn word_end(text: &str, start: usize) -> usize {
    let rest = &text[start..];
    start + rest.char_indices().find(|(_, letter)| !letter.is_alphanumeric()).map_or(rest.len(), |(index, _)| index)
}

/// Digits, with `.` or `,` between digits. A number with two points is a date and ends at the first mark that
/// is not followed by a digit.
fn number_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let mut end = start;
    let mut decimal = false;
    while end < bytes.len() {
        let byte = bytes[end];
        if byte.is_ascii_digit() {
            end += 1;
        } else if !decimal
            && matches!(byte, b'.' | b',')
            && end > start
            && bytes.get(end + 1).is_some_and(u8::is_ascii_digit)
        {
            decimal = true;
            end += 1;
        } else {
            break;
        }
    }
    // A numeral of another script begins with no ASCII digit: take it alone.
    if end == start { start + text[start..].chars().next().map_or(0, char::len_utf8) } else { end }
}

/// "13th" and "4a" are words, "8mm" is a number before its unit.
fn join_number_with_letters(text: &str, kind: TokenKind, start: usize, end: usize) -> (TokenKind, usize) {
    if kind != TokenKind::Number || !text[end..].chars().next().is_some_and(char::is_alphabetic) {
        return (kind, end);
    }
    let whole = word_end(text, end);
    let tail = text[end..whole].to_ascii_lowercase();
    let is_size = ATTACHED_UNITS.contains(&tail.as_str())
        || (tail.starts_with('x') && tail[1..].starts_with(|c: char| c.is_ascii_digit()));
    if is_size || text[start..end].contains(['.', ',']) { (kind, end) } else { (TokenKind::Word, whole) }
}

/// The normalised words of a phrase, without articles and hyphens: how lexicon and text are compared.
pub fn normalised_words(phrase: &str) -> Vec<String> {
    tokenize(phrase).into_iter().filter(|token| !is_skipped(token)).map(|token| token.norm.into_string()).collect()
}

/// Tokens that never decide whether a term matches.
pub(crate) fn is_skipped(token: &Token) -> bool {
    match token.kind {
        TokenKind::Word => matches!(&*token.norm, "the"),
        TokenKind::Mark => matches!(&*token.norm, "-" | "‐" | "‑" | "'" | "’"),
        TokenKind::Number => false,
    }
}

/// Lower case, American spelling, singular.
pub fn normalise(word: &str) -> String {
    let lower = word.to_lowercase();
    if !lower.is_ascii() {
        return lower;
    }
    singular(american(&lower))
}

fn american(word: &str) -> String {
    let mut word = word.to_owned();
    for (british, american) in BRITISH {
        if word.contains(british) {
            word = word.replace(british, american);
        }
    }
    if word.len() > 6 {
        for (ending, replacement) in
            [("isation", "ization"), ("ised", "ized"), ("ising", "izing"), ("ise", "ize"), ("ysed", "yzed")]
        {
            if let Some(stem) = word.strip_suffix(ending)
                && !matches!(
                    word.as_str(),
                    "exercise"
                        | "comprise"
                        | "comprised"
                        | "comprising"
                        | "otherwise"
                        | "precise"
                        | "raised"
                        | "likewise"
                        | "advised"
                        | "advise"
                        | "revised"
                        | "promised"
                        | "compromised"
                        | "compromise"
                )
            {
                return format!("{stem}{replacement}");
            }
        }
    }
    word
}

/// Spellings that differ inside a word. Both the lexicon and the text pass through this table, so an
/// over-eager line costs nothing as long as it makes no two words alike.
const BRITISH: [(&str, &str); 24] = [
    ("haem", "hem"),
    ("aemi", "emi"),
    ("oedem", "edem"),
    ("oesoph", "esoph"),
    ("caec", "cec"),
    ("paed", "ped"),
    ("gynaec", "gynec"),
    ("rhoea", "rhea"),
    ("foet", "fet"),
    ("faec", "fec"),
    ("anaesth", "anesth"),
    ("leuco", "leuko"),
    ("tumour", "tumor"),
    ("colour", "color"),
    ("favour", "favor"),
    ("calibre", "caliber"),
    ("centre", "center"),
    ("fibre", "fiber"),
    ("metre", "meter"),
    ("goitre", "goiter"),
    ("grey", "gray"),
    ("dilation", "dilatation"),
    ("distension", "distention"),
    ("disk", "disc"),
];

fn singular(word: String) -> String {
    if let Ok(index) = IRREGULAR.binary_search_by(|(plural, _)| (*plural).cmp(word.as_str())) {
        return IRREGULAR[index].1.to_owned();
    }
    let length = word.len();
    if length < 4 || !word.ends_with('s') || word.ends_with("ss") || word.ends_with("us") || word.ends_with("is") {
        return word;
    }
    if let Some(stem) = word.strip_suffix("ies")
        && length > 4
    {
        return format!("{stem}y");
    }
    if word.ends_with("sses") || word.ends_with("xes") || word.ends_with("ches") || word.ends_with("shes") {
        return word[..length - 2].to_owned();
    }
    word[..length - 1].to_owned()
}

/// Sorted by the first word, for the binary search.
const IRREGULAR: [(&str, &str); 67] = [
    ("anastomoses", "anastomosis"),
    ("apices", "apex"),
    ("atria", "atrium"),
    ("biopsies", "biopsy"),
    ("bronchi", "bronchus"),
    ("bullae", "bulla"),
    ("bursae", "bursa"),
    ("calculi", "calculus"),
    ("calices", "calyx"),
    ("calyces", "calyx"),
    ("carcinomata", "carcinoma"),
    ("condyli", "condyle"),
    ("cortices", "cortex"),
    ("criteria", "criterion"),
    ("diagnoses", "diagnosis"),
    ("diverticula", "diverticulum"),
    ("does", "does"),
    ("emboli", "embolus"),
    ("exostoses", "exostosis"),
    ("feet", "foot"),
    ("femora", "femur"),
    ("fistulae", "fistula"),
    ("foci", "focus"),
    ("foramina", "foramen"),
    ("fossae", "fossa"),
    ("ganglia", "ganglia"),
    ("gas", "gas"),
    ("gyri", "gyrus"),
    ("has", "has"),
    ("hematomata", "hematoma"),
    ("hemithoraces", "hemithorax"),
    ("hila", "hilum"),
    ("hippocampi", "hippocampus"),
    ("humeri", "humerus"),
    ("indices", "index"),
    ("infundibula", "infundibulum"),
    ("is", "is"),
    ("laminae", "lamina"),
    ("leiomyomata", "leiomyoma"),
    ("lentes", "lens"),
    ("loci", "locus"),
    ("maxillae", "maxilla"),
    ("menisci", "meniscus"),
    ("metastases", "metastasis"),
    ("nuclei", "nucleus"),
    ("pancreas", "pancreas"),
    ("phalanges", "phalanx"),
    ("pleurae", "pleura"),
    ("pneumothoraces", "pneumothorax"),
    ("prognoses", "prognosis"),
    ("scapulae", "scapula"),
    ("scleroses", "sclerosis"),
    ("septa", "septum"),
    ("series", "series"),
    ("stenoses", "stenosis"),
    ("sulci", "sulcus"),
    ("symphyses", "symphysis"),
    ("teeth", "tooth"),
    ("testes", "testis"),
    ("thrombi", "thrombus"),
    ("thromboses", "thrombosis"),
    ("tibiae", "tibia"),
    ("trachs", "trach"),
    ("varices", "varices"),
    ("vertebrae", "vertebra"),
    ("villi", "villus"),
    ("was", "was"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn norms(text: &str) -> Vec<String> {
        tokenize(text).into_iter().map(|token| token.norm.into_string()).collect()
    }

    #[test]
    fn the_irregular_table_is_sorted_for_its_search() {
        let mut sorted = IRREGULAR;
        sorted.sort_unstable();
        let place = IRREGULAR.iter().zip(&sorted).find(|(is, should)| is != should);
        assert_eq!(place, None);
    }

    #[test]
    fn numbers_keep_their_decimals_and_lose_their_units() {
        assert_eq!(norms("8.4x6.1mm, 1,2 cm"), ["8.4", "x", "6.1", "mm", ",", "1,2", "cm"]);
        assert_eq!(tokenize("1,2 1,250 8.4").iter().filter_map(Token::number).collect::<Vec<_>>(), [1.2, 1250.0, 8.4]);
        assert_eq!(norms("13th rib, L4-5, 12x9 mm"), ["13th", "rib", ",", "l4", "-", "5", ",", "12", "x", "9", "mm"]);
    }

    #[test]
    fn spans_stay_on_character_boundaries() {
        let text = "Größe 8 µm — Übergang ٣ 影像 nödules";
        for token in tokenize(text) {
            assert!(text.get(token.span.clone()).is_some(), "{token:?}");
        }
    }

    #[test]
    fn spelling_is_made_alike() {
        assert_eq!(
            norms("Haematomas metastases opacities visualised masses pancreas"),
            ["hematoma", "metastasis", "opacity", "visualized", "mass", "pancreas"]
        );
    }
}

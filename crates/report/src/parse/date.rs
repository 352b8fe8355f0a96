//! Dates in words and figures, and the days that they may mean.

use std::ops::Range;

use time::{Date, Month};

use super::tokens::{Token, TokenKind};

/// A date in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DateMention {
    /// Byte range.
    pub span: Range<usize>,
    /// Indices of its tokens.
    pub tokens: Range<usize>,
    /// The first and last day of each reading: one day, a whole month or a whole year; several readings
    /// where day and month cannot be told apart.
    pub readings: Vec<(Date, Date)>,
}

impl DateMention {
    /// Whether one reading holds this day.
    pub fn may_be(&self, day: Date) -> bool {
        self.readings.iter().any(|(first, last)| *first <= day && day <= *last)
    }

    /// Whether every reading begins after this day.
    pub fn is_after(&self, day: Date) -> bool {
        !self.readings.is_empty() && self.readings.iter().all(|(first, _)| *first > day)
    }
}

/// Reads `YYYY-MM-DD` or the DICOM form `YYYYMMDD`.
pub fn parse_iso(text: &str) -> Option<Date> {
    let digits: String = text.trim().chars().filter(char::is_ascii_digit).collect();
    if digits.len() != 8 {
        return None;
    }
    day(digits[0..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..8].parse().ok()?)
}

fn day(year: i32, month: u8, day: u8) -> Option<Date> {
    Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()
}

/// All dates of the text. A bare year counts only where `comparing` words stand near it, which the caller decides:
/// here it needs "in", "from", "of", "since" or "dated" before it.
pub(crate) fn dates(text: &str, tokens: &[Token]) -> Vec<DateMention> {
    let mut found = Vec::new();
    let mut index = 0;
    while index < tokens.len() {
        match date_at(text, tokens, index) {
            Some((end, readings)) => {
                let span = tokens[index].span.start..tokens[end - 1].span.end;
                found.push(DateMention { span, tokens: index..end, readings });
                index = end;
            }
            None => index += 1,
        }
    }
    found
}

fn date_at(text: &str, tokens: &[Token], index: usize) -> Option<(usize, Vec<(Date, Date)>)> {
    numeric(text, tokens, index)
        .or_else(|| month_name_first(tokens, index))
        .or_else(|| day_first(tokens, index))
        .or_else(|| bare_year(tokens, index))
}

/// 2025-10-30, 10/30/2025, 30.10.2025, 10/30/25, 10/2025. The digits are read from the text because
/// "30.10" is one number token.
fn numeric(text: &str, tokens: &[Token], index: usize) -> Option<(usize, Vec<(Date, Date)>)> {
    if tokens[index].kind != TokenKind::Number || glued_to_previous(tokens, index) {
        return None;
    }
    let start = tokens[index].span.start;
    let mut parts: Vec<u32> = Vec::new();
    let mut separator = None;
    let mut position = start;
    let bytes = text.as_bytes();
    loop {
        let digits_end = position + bytes[position..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits_end == position || digits_end - position > 4 {
            return None;
        }
        parts.push(text[position..digits_end].parse().ok()?);
        let mark = bytes.get(digits_end).copied();
        let goes_on = parts.len() < 3
            && matches!(mark, Some(b'/' | b'-' | b'.'))
            && (separator.is_none() || separator == mark)
            && bytes.get(digits_end + 1).is_some_and(u8::is_ascii_digit);
        position = digits_end;
        if !goes_on {
            break;
        }
        separator = mark;
        position += 1;
    }
    let readings = readings_of(&parts, separator?);
    if readings.is_empty() {
        return None;
    }
    let end = tokens[index..].iter().take_while(|token| token.span.start < position).count() + index;
    // A unit right after it makes it a size ("3-4-5 mm"), not a date.
    Some((end, readings))
}

fn glued_to_previous(tokens: &[Token], index: usize) -> bool {
    index > 0 && !tokens[index].spaced && matches!(&*tokens[index - 1].norm, "/" | "-")
}

fn readings_of(parts: &[u32], separator: u8) -> Vec<(Date, Date)> {
    let single = |date: Option<Date>| date.map(|date| (date, date));
    let year_of = |value: u32| if value < 100 { 2000 + value as i32 } else { value as i32 };
    let small = |value: u32| u8::try_from(value).ok();
    match *parts {
        [year, month, day_number] if year >= 1900 => small(month)
            .zip(small(day_number))
            .and_then(|(month, number)| single(day(year as i32, month, number)))
            .into_iter()
            .collect(),
        [first, second, year]
            if (1900..2200).contains(&year)
                || (separator == b'/' && year < 100)
                || (separator == b'.' && year < 100 && year > 9) =>
        {
            let year = year_of(year);
            let mut readings = Vec::new();
            for (month, number) in [(first, second), (second, first)] {
                // Points are used for day-month-year only.
                if separator == b'.' && month == first && first != second {
                    continue;
                }
                if let Some(reading) =
                    small(month).zip(small(number)).and_then(|(month, number)| single(day(year, month, number)))
                    && !readings.contains(&reading)
                {
                    readings.push(reading);
                }
            }
            readings
        }
        [month, year] if separator == b'/' && (1990..2200).contains(&year) => {
            small(month).and_then(|month| whole_month(year as i32, month)).into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn whole_month(year: i32, month: u8) -> Option<(Date, Date)> {
    let month = Month::try_from(month).ok()?;
    let first = Date::from_calendar_date(year, month, 1).ok()?;
    let last = Date::from_calendar_date(year, month, month.length(year)).ok()?;
    Some((first, last))
}

fn month_number(word: &str) -> Option<u8> {
    const NAMES: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    const LONG: [&str; 12] = [
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let index = LONG
        .iter()
        .position(|name| *name == word)
        .or_else(|| NAMES.iter().position(|name| *name == word || word == "sept" && *name == "sep"))?;
    Some(index as u8 + 1)
}

fn year_at(tokens: &[Token], index: usize) -> Option<i32> {
    let token = tokens.get(index)?;
    (token.kind == TokenKind::Number && token.norm.len() == 4)
        .then(|| token.norm.parse().ok())
        .flatten()
        .filter(|year| (1900..2200).contains(year))
}

fn day_number(token: &Token) -> Option<u8> {
    let digits: String = token.norm.chars().take_while(char::is_ascii_digit).collect();
    let rest = &token.norm[digits.len()..];
    matches!(rest, "" | "st" | "nd" | "rd" | "th")
        .then(|| digits.parse().ok())
        .flatten()
        .filter(|number| (1..=31).contains(number))
}

fn skip_marks(tokens: &[Token], mut index: usize) -> usize {
    while tokens.get(index).is_some_and(|token| matches!(&*token.norm, "," | "." | "-" | "of")) {
        index += 1;
    }
    index
}

/// "October 30, 2025", "Oct 2025".
fn month_name_first(tokens: &[Token], index: usize) -> Option<(usize, Vec<(Date, Date)>)> {
    let month = month_number(&tokens[index].norm)?;
    let next = skip_marks(tokens, index + 1);
    if let Some(year) = year_at(tokens, next) {
        return Some((next + 1, vec![whole_month(year, month)?]));
    }
    let number = day_number(tokens.get(next)?)?;
    let after = skip_marks(tokens, next + 1);
    let date = day(year_at(tokens, after)?, month, number)?;
    Some((after + 1, vec![(date, date)]))
}

/// "30 October 2025", "30-Oct-2025", "the 3rd of March 2024".
fn day_first(tokens: &[Token], index: usize) -> Option<(usize, Vec<(Date, Date)>)> {
    let number = day_number(&tokens[index])?;
    let next = skip_marks(tokens, index + 1);
    let month = month_number(&tokens.get(next)?.norm)?;
    let after = skip_marks(tokens, next + 1);
    let date = day(year_at(tokens, after)?, month, number)?;
    Some((after + 1, vec![(date, date)]))
}

fn bare_year(tokens: &[Token], index: usize) -> Option<(usize, Vec<(Date, Date)>)> {
    let year = year_at(tokens, index).filter(|year| (1950..2100).contains(year))?;
    let before = index.checked_sub(1).map(|before| &*tokens[before].norm)?;
    if !matches!(before, "in" | "from" | "since" | "of" | "dated" | "year") {
        return None;
    }
    // "in 2025 patients" does not occur in reports; "of 2000 HU" does.
    let followed_by_unit = tokens
        .get(index + 1)
        .is_some_and(|next| matches!(&*next.norm, "hu" | "mm" | "cm" | "ml" | "msec" | "ms" | "mg"));
    if followed_by_unit {
        return None;
    }
    Some((index + 1, vec![(day(year, 1, 1)?, day(year, 12, 31)?)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::tokens::tokenize;

    fn first(text: &str) -> Vec<(String, String)> {
        dates(text, &tokenize(text))
            .first()
            .map(|date| date.readings.iter().map(|(first, last)| (first.to_string(), last.to_string())).collect())
            .unwrap_or_default()
    }

    fn one(day: &str) -> Vec<(String, String)> {
        vec![(day.into(), day.into())]
    }

    #[test]
    fn common_forms_are_read() {
        for text in [
            "2025-10-30",
            "30.10.2025",
            "10/30/2025",
            "October 30, 2025",
            "30 October 2025",
            "30-Oct-2025",
            "Oct 30th, 2025",
            "10/30/25",
        ] {
            assert_eq!(first(&format!("CT of {text}.")), one("2025-10-30"), "{text}");
        }
        assert_eq!(first("from October 2025"), [("2025-10-01".to_owned(), "2025-10-31".to_owned())]);
        assert_eq!(first("CT in 2024."), [("2024-01-01".to_owned(), "2024-12-31".to_owned())]);
    }

    #[test]
    fn an_unclear_order_keeps_both_readings() {
        assert_eq!(first("CT 03/04/2025").len(), 2);
    }

    #[test]
    fn sizes_levels_and_nonsense_are_no_dates() {
        for text in ["3-4 mm", "8.4 x 6.1 mm", "L4/5", "45/300", "99/99/2025", "1.2.3", "series 4/112"] {
            assert!(first(text).is_empty(), "{text}: {:?}", first(text));
        }
    }
}

//! Character sets, names, dates and ages as people read them.

use dicom_encoding::text::{SpecificCharacterSet, TextCodec};

/// The decoder for the text values of a data set (PS3.3 C.12.1.1.2, PS3.5 6.1).
#[derive(Debug, Clone, Default)]
pub(crate) struct Charset {
    first: SpecificCharacterSet,
    /// More than one value: ISO 2022 escapes may switch.
    extended: bool,
    /// One that dicom-encoding 0.10 does not have.
    own: Option<Own>,
}

/// Sets that dicom-encoding 0.10 does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Own {
    /// ISO 8859-9.
    Latin5,
    /// ISO 8859-15.
    Latin9,
}

impl Own {
    fn from_code(code: &str) -> Option<Self> {
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        match digits.strip_prefix("2022").unwrap_or(&digits) {
            "148" => Some(Self::Latin5),
            "203" => Some(Self::Latin9),
            _ => None,
        }
    }

    fn decode(self, bytes: &[u8]) -> String {
        match self {
            Self::Latin5 => latin5(bytes),
            Self::Latin9 => latin9(bytes),
        }
    }
}

impl Charset {
    /// From the values of Specific Character Set (0008,0005). The second part says what was not understood.
    pub(crate) fn new(values: &[String]) -> (Self, Option<String>) {
        let mut note = None;
        let code = values.first().map_or("", |v| v.trim());
        let own = Own::from_code(code);
        let first = if code.is_empty() || own.is_some() {
            SpecificCharacterSet::default()
        } else {
            from_code(code).unwrap_or_else(|| {
                note = Some("unknown character set; text is read as UTF-8 or Latin 1".into());
                SpecificCharacterSet::default()
            })
        };
        let extended = values.len() > 1 || code.starts_with("ISO 2022");
        (Self { first, extended, own }, note)
    }

    pub(crate) fn decode(&self, bytes: &[u8]) -> String {
        if bytes.is_ascii() && !(self.extended && bytes.contains(&0x1b)) {
            return String::from_utf8_lossy(bytes).into_owned();
        }
        if self.extended && bytes.contains(&0x1b) {
            return self.decode_iso2022(bytes);
        }
        self.decode_plain(&self.first, bytes)
    }

    fn decode_plain(&self, set: &SpecificCharacterSet, bytes: &[u8]) -> String {
        if let Some(own) = self.own {
            return own.decode(bytes);
        }
        if *set == SpecificCharacterSet::default() {
            // Not allowed without a character set, yet written by many: UTF-8 proves itself, the rest is Latin 1.
            return match std::str::from_utf8(bytes) {
                Ok(s) => s.to_string(),
                Err(_) => bytes.iter().map(|&b| char::from(b)).collect(),
            };
        }
        set.decode(bytes).unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
    }

    /// PS3.5 6.1.2.5: an escape sequence designates G0 or G1 until the next one; delimiters, line ends and the end of
    /// a component bring the first character set back.
    fn decode_iso2022(&self, bytes: &[u8]) -> String {
        let mut out = String::new();
        let mut active: Option<&'static str> = None;
        let mut run: Vec<u8> = Vec::new();
        let mut i = 0;
        while i < bytes.len() {
            let b = bytes[i];
            if b == 0x1b {
                self.flush(active, &mut run, &mut out);
                let rest = &bytes[i + 1..];
                if let Some((code, n)) = ESCAPES.iter().find(|(e, _)| rest.starts_with(e)).map(|(e, c)| (*c, e.len())) {
                    active = Some(code);
                    i += 1 + n;
                } else {
                    // An escape that we do not know: leave it out with its intermediate bytes and its final byte.
                    let n = rest.iter().position(|&c| (0x30..0x7f).contains(&c)).map_or(rest.len(), |p| p + 1);
                    active = None;
                    i += 1 + n;
                }
                continue;
            }
            let two_byte_g0 = matches!(active, Some("87" | "159"));
            if !two_byte_g0 && matches!(b, b'\\' | b'^' | b'=' | b'\n' | b'\r' | 0x0c) {
                self.flush(active, &mut run, &mut out);
                active = None;
                out.push(char::from(b));
                i += 1;
                continue;
            }
            run.push(b);
            i += 1;
        }
        self.flush(active, &mut run, &mut out);
        out
    }

    fn flush(&self, active: Option<&'static str>, run: &mut Vec<u8>, out: &mut String) {
        if run.is_empty() {
            return;
        }
        let bytes = std::mem::take(run);
        match active {
            None => out.push_str(&self.decode_plain(&self.first, &bytes)),
            Some("6") => out.push_str(&String::from_utf8_lossy(&bytes)),
            // The codec speaks ISO-2022-JP itself and wants to see the escapes.
            Some("87") => {
                let mut escaped = b"\x1b$B".to_vec();
                escaped.extend_from_slice(&bytes);
                escaped.extend_from_slice(b"\x1b(B");
                out.push_str(&decode_with("ISO 2022 IR 87", &escaped));
            }
            Some("159") => {
                // JIS X 0212 in EUC-JP form: 0x8F and both bytes with the high bit.
                for pair in bytes.chunks(2) {
                    match pair {
                        [a, b] => out.push_str(&jis0212(*a, *b)),
                        _ => out.push('\u{fffd}'),
                    }
                }
            }
            Some(code) if Own::from_code(code).is_some() => {
                out.push_str(&Own::from_code(code).map_or_else(String::new, |own| own.decode(&bytes)));
            }
            Some(code) => out.push_str(&decode_with(&format!("ISO 2022 IR {code}"), &bytes)),
        }
    }
}

/// Escape sequences (without ESC) and the registration that they designate (PS3.3 tables C.12-3, C.12-4).
const ESCAPES: [(&[u8], &str); 20] = [
    (b"(B", "6"),
    (b"(J", "13"),
    (b")I", "13"),
    (b"-A", "100"),
    (b"-B", "101"),
    (b"-C", "109"),
    (b"-D", "110"),
    (b"-L", "144"),
    (b"-G", "127"),
    (b"-F", "126"),
    (b"-H", "138"),
    (b"-M", "148"),
    (b"-T", "166"),
    (b"-b", "203"),
    (b"$B", "87"),
    (b"$@", "87"),
    (b"$(D", "159"),
    (b"$)C", "149"),
    (b"$)A", "58"),
    (b"%/I", "192"),
];

fn from_code(code: &str) -> Option<SpecificCharacterSet> {
    SpecificCharacterSet::from_code(code).or_else(|| {
        // Spellings that occur: `ISO-IR 100`, `ISO IR 100`, `ISO_IR100`, `iso_ir 192`.
        let digits: String = code.chars().filter(char::is_ascii_digit).collect();
        let upper = code.to_ascii_uppercase();
        if upper.starts_with("ISO") && upper.contains("IR") {
            let number = digits.strip_prefix("2022").filter(|d| !d.is_empty()).unwrap_or(&digits);
            SpecificCharacterSet::from_code(&format!("ISO_IR {number}"))
        } else if upper.starts_with("UTF") {
            SpecificCharacterSet::from_code("ISO_IR 192")
        } else {
            None
        }
    })
}

fn decode_with(code: &str, bytes: &[u8]) -> String {
    SpecificCharacterSet::from_code(code)
        .and_then(|set| set.decode(bytes).ok())
        .unwrap_or_else(|| String::from_utf8_lossy(bytes).into_owned())
}

/// ISO 8859-9 is Latin 1 with six letters exchanged; dicom-encoding 0.10 does not have it.
fn latin5(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|&b| match b {
            0xd0 => 'Ğ',
            0xdd => 'İ',
            0xde => 'Ş',
            0xf0 => 'ğ',
            0xfd => 'ı',
            0xfe => 'ş',
            other => char::from(other),
        })
        .collect()
}

/// ISO 8859-15 is Latin 1 with eight characters exchanged.
fn latin9(bytes: &[u8]) -> String {
    use encoding::Encoding;
    encoding::all::ISO_8859_15
        .decode(bytes, encoding::DecoderTrap::Replace)
        .unwrap_or_else(|_| String::from_utf8_lossy(bytes).into_owned())
}

/// A character of JIS X 0212, which is code set 3 of EUC-JP.
fn jis0212(a: u8, b: u8) -> String {
    use encoding::Encoding;
    let euc = [0x8F, a | 0x80, b | 0x80];
    encoding::all::EUC_JP.decode(&euc, encoding::DecoderTrap::Replace).unwrap_or_else(|_| "\u{fffd}".into())
}

/// Text without control characters and without marks that turn the direction of reading, so that a name can neither
/// steer a terminal nor disguise itself.
pub(crate) fn safe(text: &str) -> String {
    text.chars()
        .filter(|c| {
            !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
        })
        .collect::<String>()
        .trim()
        .to_string()
}

/// A person name (PS3.5 6.2.1) as people read it: `FAMILY, Given Middle`, the alphabetic group where it is filled.
pub(crate) fn person_name(value: &str) -> String {
    let group = value.split('=').find(|g| !g.trim_matches(['^', ' ']).is_empty()).unwrap_or("");
    let parts: Vec<String> = group.split('^').map(safe).collect();
    let part = |i: usize| parts.get(i).map_or("", String::as_str);
    let given = [part(3), part(1), part(2)].iter().filter(|p| !p.is_empty()).copied().collect::<Vec<_>>().join(" ");
    let mut name = match (part(0).is_empty(), given.is_empty()) {
        (false, false) => format!("{}, {given}", part(0)),
        (false, true) => part(0).to_string(),
        _ => given,
    };
    if !part(4).is_empty() {
        name = format!("{name} {}", part(4));
    }
    shortened(&name, 256)
}

/// At most `n` characters; a longer text ends in an ellipsis.
pub(crate) fn shortened(text: &str, n: usize) -> String {
    if text.chars().count() <= n {
        return text.to_string();
    }
    text.chars().take(n.saturating_sub(1)).chain(['…']).collect()
}

/// A DICOM date (`YYYYMMDD`, the old `YYYY.MM.DD`, or the beginning of a date time) as `YYYY-MM-DD`; empty when it is none.
pub(crate) fn date(value: &str) -> String {
    let digits: String = value.chars().filter(|c| !matches!(c, '.' | '-' | ' ')).take(8).collect();
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return String::new();
    }
    let (month, day) = (&digits[4..6], &digits[6..8]);
    if !("01"..="12").contains(&month) || !("01"..="31").contains(&day) {
        return String::new();
    }
    format!("{}-{month}-{day}", &digits[..4])
}

/// A DICOM time (`HHMMSS.FFFFFF` or the old `HH:MM:SS`) as `HH:MM`; empty when it is none.
pub(crate) fn time(value: &str) -> String {
    let digits: String = value.chars().filter(|c| *c != ':').take(4).collect();
    if digits.len() < 4 || !digits.bytes().all(|b| b.is_ascii_digit()) || &digits[..2] > "23" || &digits[2..] > "59" {
        return String::new();
    }
    format!("{}:{}", &digits[..2], &digits[2..])
}

/// Seconds since midnight of a DICOM time.
pub(crate) fn seconds(value: &str) -> Option<f64> {
    let digits: String = value.trim().chars().filter(|c| *c != ':').collect();
    let part = |a: usize, b: usize| digits.get(a..b).map_or(Some(0.0), |s| s.parse::<f64>().ok());
    let (h, m) = (digits.get(..2)?.parse::<f64>().ok()?, part(2, 4)?);
    let s = if digits.len() > 4 { digits.get(4..)?.parse::<f64>().ok()? } else { 0.0 };
    Some(h * 3600.0 + m * 60.0 + s)
}

/// Age in years from an age string (PS3.5 6.2, `034Y`, `018M`, `003W`, `012D`).
pub(crate) fn age_years(value: &str) -> Option<f64> {
    let v = value.trim();
    let number: f64 = v.get(..v.len().checked_sub(1)?)?.trim().parse().ok()?;
    match v.as_bytes().last()? {
        b'Y' => Some(number),
        b'M' => Some(number / 12.0),
        b'W' => Some(number * 7.0 / 365.25),
        b'D' => Some(number / 365.25),
        _ => None,
    }
}

/// Whole years between two dates `YYYY-MM-DD`.
pub(crate) fn years_between(birth: &str, then: &str) -> Option<f64> {
    let year = |d: &str| d.get(..4)?.parse::<f64>().ok();
    let years = year(then)? - year(birth)?;
    let before_birthday = then.get(5..)? < birth.get(5..)?;
    let age = years - f64::from(u8::from(before_birthday));
    (0.0..150.0).contains(&age).then_some(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_as_people_write_them() {
        assert_eq!(person_name("DOE^Jane^M^Dr^"), "DOE, Dr Jane M");
        assert_eq!(person_name("^Jane"), "Jane");
        assert_eq!(person_name("Yamada^Tarou=山田^太郎"), "Yamada, Tarou");
        assert_eq!(person_name("=山田^太郎"), "山田, 太郎");
        assert_eq!(person_name("\u{1b}[31mRED\u{202e}^x"), "[31mRED, x");
    }

    #[test]
    fn dates_times_ages() {
        assert_eq!(date("20200229"), "2020-02-29");
        assert_eq!(date("1997.04.24"), "1997-04-24");
        assert_eq!(date("20201340"), "");
        assert_eq!((time("101112.5"), time("10:11:12"), time("2460")), ("10:11".into(), "10:11".into(), String::new()));
        assert_eq!(seconds("010203.5"), Some(3723.5));
        assert_eq!(age_years("018M"), Some(1.5));
        assert_eq!(years_between("1970-06-15", "2020-06-14"), Some(49.0));
        assert_eq!(years_between("1970-06-15", "2020-06-15"), Some(50.0));
    }

    #[test]
    fn escapes_switch_the_character_set() {
        // PS3.5 H.3.1: Yamada^Tarou=山田^太郎=やまだ^たろう
        let (set, note) = Charset::new(&["".into(), "ISO 2022 IR 87".into()]);
        assert_eq!(note, None);
        let bytes = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B";
        assert_eq!(set.decode(bytes), "Yamada^Tarou=山田^太郎=やまだ^たろう");
        // PS3.5 I.2: Hong^Gildong=洪^吉洞=홍^길동
        let (set, _) = Charset::new(&["".into(), "ISO 2022 IR 149".into()]);
        let bytes = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf";
        assert_eq!(set.decode(bytes), "Hong^Gildong=洪^吉洞=홍^길동");
        // An escape that never ends harms nothing.
        assert!(set.decode(b"PH^\x1b$B;3\x1b$").starts_with("PH^"));
    }
}

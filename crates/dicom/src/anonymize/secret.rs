//! What replaces identifiers: derived from a key, the same for the same original within a run, and useless without the key.

use sha2::{Digest, Sha256};

/// A key of 256 bits.
#[derive(Clone)]
pub(super) struct Secret([u8; 32]);

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut pad = [0x36; 64];
    pad.iter_mut().zip(key).for_each(|(p, k)| *p ^= k);
    let mut inner = Sha256::new();
    inner.update(pad);
    for part in parts {
        inner.update((part.len() as u64).to_le_bytes());
        inner.update(part);
    }
    pad.iter_mut().for_each(|p| *p ^= 0x36 ^ 0x5c);
    let mut outer = Sha256::new();
    outer.update(pad);
    outer.update(inner.finalize());
    outer.finalize().into()
}

impl Secret {
    /// From the operating system's random numbers: nobody can repeat the run's names.
    pub(super) fn random() -> Self {
        use rand::Rng;
        let mut key = [0; 32];
        rand::rng().fill(&mut key);
        Self(key)
    }

    pub(super) fn from_text(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    fn number(&self, what: &str, name: &str) -> u128 {
        let hash = hmac(&self.0, &[what.as_bytes(), name.as_bytes()]);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        u128::from_le_bytes(bytes)
    }

    /// The UID that stands for this one, under 2.25 (PS3.5 B.2).
    pub(super) fn uid(&self, original: &str) -> String {
        crate::compose::uid_from(self.number("uid", original))
    }

    /// A patient's new name and ID.
    pub(super) fn pseudonym(&self, patient: &str) -> String {
        format!("ANON-{:010X}", self.number("patient", patient) & 0xFF_FFFF_FFFF)
    }

    /// Days by which a patient's dates go back: 1 to 3,650.
    pub(super) fn days(&self, patient: &str) -> i64 {
        1 + (self.number("days", patient) % 3650) as i64
    }
}

/// `YYYYMMDD` that many days earlier; `None` where it is no date.
pub(super) fn shifted(date: &str, days_back: i64) -> Option<String> {
    let digits: String = date.chars().filter(|c| *c != '.').collect();
    if digits.len() != 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (digits[..4].parse().ok()?, digits[4..6].parse().ok()?, digits[6..].parse().ok()?);
    let days = days_of(year, month, day)? - days_back;
    let (year, month, day) = crate::compose::civil_date(u64::try_from(days + SHIFT).ok()?);
    let year = year.checked_sub(400)?;
    Some(format!("{year:04}{month:02}{day:02}"))
}

/// Days of 400 years, so that dates before 1970 count from something positive.
const SHIFT: i64 = 146_097;

/// Days since 1970-01-01 (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_of(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year < 1600 {
        return None;
    }
    let y = if month <= 2 { year - 1 } else { year };
    let era = y / 400;
    let year_of_era = y - era * 400;
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hmac_is_that_of_the_rfc() {
        // The construction without our length marks, against RFC 4231 test case 1, key 20 bytes of 0x0b padded with zeros.
        let mut key = [0; 32];
        key[..20].fill(0x0b);
        let mut inner = Sha256::new();
        let mut pad = [0x36; 64];
        pad.iter_mut().zip(&key).for_each(|(p, k)| *p ^= k);
        inner.update(pad);
        inner.update(b"Hi There");
        pad.iter_mut().for_each(|p| *p ^= 0x36 ^ 0x5c);
        let mut outer = Sha256::new();
        outer.update(pad);
        outer.update(inner.finalize());
        let hash: [u8; 32] = outer.finalize().into();
        assert_eq!(hash[..4], [0xb0, 0x34, 0x4c, 0x61]);
        assert_ne!(hmac(&key, &[b"a", b"bc"]), hmac(&key, &[b"ab", b"c"]));
    }

    #[test]
    fn the_same_key_gives_the_same_names() {
        let (a, b) = (Secret::from_text("one"), Secret::from_text("two"));
        assert_eq!(a.uid("1.2.3"), a.uid("1.2.3"));
        assert_ne!(a.uid("1.2.3"), b.uid("1.2.3"));
        assert_ne!(a.uid("1.2.3"), a.uid("1.2.4"));
        assert!(a.uid("1.2.3").starts_with("2.25.") && a.uid("1.2.3").len() <= 64);
        assert_ne!(Secret::random().pseudonym("x"), Secret::random().pseudonym("x"));
    }

    #[test]
    fn dates_go_back() {
        assert_eq!(shifted("20240301", 1).as_deref(), Some("20240229"));
        assert_eq!(shifted("1970.01.01", 366).as_deref(), Some("19681231"));
        assert_eq!(shifted("18991231", 3650).as_deref(), Some("18900102"));
        assert_eq!(shifted("20241301", 1), None);
        assert_eq!(shifted("", 1), None);
    }
}

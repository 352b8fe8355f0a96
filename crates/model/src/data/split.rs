//! Train, validation and test by a seeded hash of the person, never of the image.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Which part a person belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Trained on.
    Train,
    /// For choosing thresholds and checkpoints.
    Validation,
    /// Held back.
    Test,
}

/// A reproducible split: the hash of seed and person decides, so a new person never moves another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SplitSpec {
    /// Any number; another one makes another split.
    pub seed: u64,
    /// Expected fraction of the persons for validation.
    pub validation: f64,
    /// Expected fraction of the persons held back.
    pub test: f64,
}

impl SplitSpec {
    /// Whether the fractions leave something to train on; the reason where not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let good = |f: f64| (0.0..1.0).contains(&f);
        if good(self.validation) && good(self.test) && self.validation + self.test < 1.0 {
            Ok(())
        } else {
            Err("the split's fractions leave nothing to train on".into())
        }
    }

    /// The part of a person.
    pub fn part(&self, person: &str) -> Part {
        let digest = Sha256::new().chain_update(self.seed.to_le_bytes()).chain_update(person.as_bytes()).finalize();
        let head = digest.iter().take(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
        // 53 bits: exactly representable, uniform in [0, 1).
        let place = (head >> 11) as f64 / (1u64 << 53) as f64;
        if place < self.test {
            Part::Test
        } else if place < self.test + self.validation {
            Part::Validation
        } else {
            Part::Train
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_met_and_the_seed_matters() {
        let split = SplitSpec { seed: 7, validation: 0.1, test: 0.15 };
        let count = |split: &SplitSpec, part| (0..4000).filter(|i| split.part(&format!("person{i}")) == part).count();
        assert!((520..680).contains(&count(&split, Part::Test)));
        assert!((330..470).contains(&count(&split, Part::Validation)));
        let other = SplitSpec { seed: 8, ..split.clone() };
        let moved = (0..4000).filter(|i| split.part(&format!("p{i}")) != other.part(&format!("p{i}"))).count();
        assert!(moved > 500);
        assert!(SplitSpec { seed: 0, validation: 0.5, test: 0.5 }.check().is_err());
    }
}

//! R12: words of change against the sizes now and before.

use super::relation::Known;
use super::side::capital;
use super::size::{counts, differs, now_mm, shown};
use super::{Facts, Issue, Rule};
use crate::findings::Change;

/// R12: the word of change against the sizes.
pub(super) fn check(facts: &Facts<'_>) -> Vec<Issue> {
    let report = facts.report;
    let mut issues = Vec::new();
    for mention in report.mentions.iter().filter(|mention| counts(facts, mention) || mention.is_absent()) {
        let Some(word) = mention.change.map(|change| &report.change_words[change]) else { continue };
        if !(report.kind_of(mention.sentence).describes() || report.kind_of(mention.sentence).concludes()) {
            continue;
        }
        let told_now = now_mm(facts, mention);
        let told_before = mention.prior_size.map(|prior| report.measures[prior].longest_mm());
        let known: Vec<&Known<'_>> = facts
            .known
            .iter()
            .filter(|known| known.is_live() && known.is_positive())
            .filter(|known| if mention.plural { known.names(mention) } else { known.fits(mention) })
            .collect();
        let by_size = told_now.and_then(|now| {
            known.iter().find(|known| known.finding.longest_mm().is_some_and(|stored| !differs(now, stored)))
        });
        // Several of a kind: all must speak against the word.
        if by_size.is_none() && known.len() > 1 {
            let reasons: Vec<Option<String>> = known
                .iter()
                .map(|known| {
                    let sizes = known.finding.longest_mm().zip(known.finding.prior_longest_mm());
                    sizes.map_or_else(
                        || known.finding.change.and_then(|change| against_word(word.change, change)),
                        |(now, before)| against_sizes(word.change, now, before),
                    )
                })
                .collect();
            if let (true, Some(Some(reason))) = (reasons.iter().all(Option::is_some), reasons.first()) {
                let message = format!(
                    "{} is called {}, but {reason}.",
                    capital(&mention.entry.name),
                    &report.text[word.span.clone()]
                );
                issues.push(Issue::new(Rule::R12, message, [word.span.clone(), mention.span.clone()]));
            }
            continue;
        }
        let stored = by_size.or(known.first());
        // The stored sizes come first; without them the text's own must fit.
        let stored_sizes =
            stored.and_then(|known| Some((known.finding.longest_mm()?, known.finding.prior_longest_mm()?)));
        let sizes = stored_sizes.or_else(|| told_now.zip(told_before));
        let conflict = match sizes {
            Some((now, before)) => against_sizes(word.change, now, before),
            None => stored.and_then(|known| against_word(word.change, known.finding.change?)),
        };
        // Another stored finding, under another name, may be the one that the word is about.
        let other_fits = told_now.is_some_and(|now| {
            facts.known.iter().any(|known| {
                known.is_live()
                    && known.finding.change == Some(word.change)
                    && known.finding.longest_mm().is_some_and(|stored| !differs(now, stored))
            })
        });
        if let (Some(reason), false) = (conflict, other_fits) {
            let message = format!(
                "{} is called {}, but {reason}.",
                capital(&mention.entry.name),
                &report.text[word.span.clone()]
            );
            issues.push(Issue::new(Rule::R12, message, [word.span.clone(), mention.span.clone()]));
        }
    }
    issues
}

fn against_sizes(told: Change, now_mm: f64, before_mm: f64) -> Option<String> {
    let changed = (now_mm - before_mm).abs() >= 2.0 && (now_mm - before_mm).abs() >= 0.2 * before_mm;
    let wrong = match told {
        Change::Unchanged => changed,
        Change::Increased => now_mm <= before_mm,
        Change::Decreased => now_mm >= before_mm,
        Change::New => before_mm > 0.0,
        Change::Resolved => now_mm > 0.0,
    };
    wrong.then(|| format!("it was {} mm and is {} mm", shown(before_mm), shown(now_mm)))
}

fn against_word(told: Change, stored: Change) -> Option<String> {
    let word = |change: Change| match change {
        Change::New => "new",
        Change::Increased => "increased",
        Change::Decreased => "decreased",
        Change::Unchanged => "unchanged",
        Change::Resolved => "resolved",
    };
    (told != stored).then(|| format!("the stored finding is {}", word(stored)))
}

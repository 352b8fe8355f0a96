//! Findings told by an adjective: "the heart is enlarged", "enlarged right paratracheal lymph node".

use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

use super::AnatomyMention;
use super::tokens::{Token, TokenKind, normalise};
use crate::lexicon::{Entry, lexicon};

/// Finding by part of the body and adjective.
static PREDICATES: LazyLock<HashMap<(&'static str, String), &'static Entry>> = LazyLock::new(|| {
    let mut table = HashMap::new();
    for line in include_str!("../../data/lexicon/predicates.tsv").lines().filter(|line| !line.starts_with('#')) {
        if let [adjectives, place, finding] = line.split('|').collect::<Vec<_>>()[..]
            && let Some(entry) = lexicon().find(finding)
        {
            for adjective in adjectives.split(' ') {
                table.insert((place, normalise(adjective)), entry);
            }
        }
    }
    table
});

const LINKS: [&str; 9] = ["is", "are", "appear", "remain", "was", "were", "look", "seem", "be"];

/// A finding told by an adjective: the entry, its tokens, and whether a "not" stands inside.
pub(super) struct Told {
    pub(super) entry: &'static Entry,
    pub(super) tokens: Range<usize>,
    pub(super) denied: bool,
}

/// All such findings of a sentence.
pub(super) fn find(tokens: &[Token], sentence: &Range<usize>, anatomy: &[AnatomyMention]) -> Vec<Told> {
    let mut told = Vec::new();
    for place in anatomy {
        let get = |adjective: &str| PREDICATES.get(&(place.entry.name.as_str(), adjective.to_owned())).copied();
        // "Enlarged right paratracheal lymph node": up to three words between, no mark.
        let before = (sentence.start..place.tokens.start).rev().take(4).take_while(|index| {
            tokens[*index].kind == TokenKind::Word
                && !LINKS.contains(&&*tokens[*index].norm)
                && !matches!(&*tokens[*index].norm, "and" | "with" | "of" | "in" | "no")
        });
        if let Some((index, entry)) =
            before.filter_map(|index| get(&tokens[index].norm).map(|entry| (index, entry))).last()
        {
            told.push(Told { entry, tokens: index..place.tokens.end, denied: false });
            continue;
        }
        // "The heart is mildly enlarged": a link, adverbs, the adjective; a list of adjectives goes on.
        let Some(link) = (place.tokens.end..sentence.end).take(3).find(|index| LINKS.contains(&&*tokens[*index].norm))
        else {
            continue;
        };
        let found = (link + 1..sentence.end)
            .take(6)
            .take_while(|index| tokens[*index].kind == TokenKind::Word || tokens[*index].is_mark(","))
            .take_while(|index| !matches!(&*tokens[*index].norm, "in" | "by" | "which" | "but" | "with" | "without"))
            .find_map(|index| get(&tokens[index].norm).map(|entry| (index, entry)));
        if let Some((index, entry)) = found {
            let denied =
                tokens[place.tokens.end..index].iter().any(|token| matches!(&*token.norm, "not" | "neither" | "no"));
            told.push(Told { entry, tokens: place.tokens.start..index + 1, denied });
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_names_a_finding_and_a_part_of_the_body() {
        for line in include_str!("../../data/lexicon/predicates.tsv").lines().filter(|line| !line.starts_with('#')) {
            let [_, place, finding] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
            assert!(lexicon().find(finding).is_some(), "{line}");
            assert!(lexicon().find(place).is_some(), "{line}");
        }
    }
}

//! Completion while typing: the words that the text most likely goes on with.
//!
//! An n-gram counted over public text proposes; the reader's own signed reports, counted the same way, weigh in where
//! they know the words before; a small network may be a partner, whose probabilities are mixed in. What a partner has
//! computed for a text is kept while the next word is typed, so that a keystroke costs little.

use super::causal::{Past, log_softmax};
use super::corpus;
use super::ngram::Ngram;
use super::store::TextModel;
use crate::arch::Architecture;
use crate::{Entry, Result, RunCx, Store};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

/// A word proposed.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Completion {
    /// The whole word.
    pub word: String,
    /// What is still to be inserted behind what was typed.
    pub insert: String,
    /// How likely it is after what was typed, 0 to 1.
    pub probability: f64,
}

/// The share of the reader's own reports where they know the words before.
const HISTORY_SHARE: f64 = 0.5;
/// Own reports that are counted; older ones are forgotten.
const MOST_REPORTS: usize = 2000;
/// No more of a text than this is looked at: the words before the cursor.
const LOOK_BACK_BYTES: usize = 600;
/// Tokens of it that a partner reads.
const LOOK_BACK_TOKENS: usize = 96;
/// Steps of the partner for one text.
const MOST_STEPS: usize = 6;
/// Words with a smaller probability are not followed further.
const LEAST_PROBABILITY: f32 = 1e-3;
/// Candidates of each model that are weighed against each other.
const CANDIDATES: usize = 24;

/// Completes words.
pub struct Completer {
    ngram: Arc<Ngram>,
    reports: Vec<String>,
    history: Ngram,
    partner: Option<Partner>,
    share: f64,
}

impl std::fmt::Debug for Completer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Completer").field("partner", &self.partner.is_some()).finish_non_exhaustive()
    }
}

impl Completer {
    /// With counted public text alone.
    #[must_use]
    pub fn new(ngram: Arc<Ngram>) -> Self {
        Self { ngram, reports: Vec::new(), history: Ngram::default(), partner: None, share: 0.0 }
    }

    /// With a network whose probabilities count for `share` (0 to 1).
    ///
    /// # Errors
    /// [`crate::Error::Text`] where the model gives no next token or has no tokenizer.
    pub fn with_partner(mut self, model: Arc<TextModel>, share: f64) -> Result<Self> {
        self.partner = Some(Partner::new(model, &self.ngram)?);
        self.share = share.clamp(0.0, 1.0);
        Ok(self)
    }

    /// From the models at hand: the n-gram, and as its partner the network whose card saves most keys on held-back text,
    /// where that is more than the n-gram alone saves. `partner` names another one, `none` none; `None` where there is no
    /// n-gram.
    ///
    /// # Errors
    /// What loading says; [`crate::Error::UnknownModel`].
    pub fn open(store: &Store, partner: Option<&str>) -> Result<Option<Self>> {
        let usable = |e: &&Entry| e.problem.is_none();
        let kind = |e: &Entry| match &e.card.architecture {
            Architecture::Text(net) => net.name(),
            _ => "",
        };
        let Some(counted) = store.entries().iter().filter(usable).find(|e| kind(e) == "ngram") else { return Ok(None) };
        let ngram = Arc::new(TextModel::load(counted)?.ngram()?.clone());
        let completer = Self::new(ngram);
        let saves = |e: &Entry| e.card.metrics.get("keystrokes_saved").map_or(0.0, |m| m.value);
        let plain = |e: &Entry| {
            e.card.baseline.as_ref().and_then(|b| b.metrics.get("keystrokes_saved")).map_or(f64::INFINITY, |m| m.value)
        };
        let best = || {
            let network = |e: &&Entry| matches!(kind(e), "gpt2" | "recurrent-lm") && saves(e) > plain(e);
            store.entries().iter().filter(usable).filter(network).max_by(|a, b| saves(a).total_cmp(&saves(b)))
        };
        let entry = match partner {
            Some("none") => None,
            Some(id) => Some(store.get(id)?),
            None => best(),
        };
        match entry {
            Some(entry) => {
                let model = Arc::new(TextModel::load(entry)?);
                let share = super::evaluate::share(model.card());
                completer.with_partner(model, share).map(Some)
            }
            None => Ok(Some(completer)),
        }
    }

    /// Counts signed reports of the reader beside those counted before. They stay in memory; where they are kept is the
    /// caller's.
    pub fn learn<'t>(&mut self, reports: impl IntoIterator<Item = &'t str>) {
        self.reports.extend(reports.into_iter().map(str::to_owned));
        let surplus = self.reports.len().saturating_sub(MOST_REPORTS);
        self.reports.drain(..surplus);
        self.history = Ngram::learn(self.reports.iter().map(String::as_str));
    }

    /// Forgets the reader's own reports.
    pub fn forget(&mut self) {
        self.reports.clear();
        self.history = Ngram::default();
    }

    /// Whether this is a word that was counted, in whatever case.
    #[must_use]
    pub fn is_word(&self, word: &str) -> bool {
        let word = word.to_lowercase();
        self.ngram.words().chain(self.history.words()).any(|known| known == word)
    }

    /// The likeliest words for the text before the cursor, best first; empty where nothing is likely, or directly behind
    /// a finished word without a space.
    ///
    /// # Errors
    /// [`crate::Error::Cancelled`]; what the partner says.
    pub fn complete(&self, before_cursor: &str, count: usize, cx: &RunCx<'_>) -> Result<Vec<Completion>> {
        cx.check()?;
        let mut start = before_cursor.len().saturating_sub(LOOK_BACK_BYTES);
        while !before_cursor.is_char_boundary(start) {
            start += 1;
        }
        let cut = start > 0;
        let text = &before_cursor[start..];
        // A paragraph stands for itself.
        let (text, whole) = match text.rfind("\n\n") {
            Some(at) => (&text[at + 2..], true),
            None => (text, !cut),
        };
        let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '\'' | '\u{2019}');
        let typed_at =
            text.char_indices().rev().take_while(|(_, c)| letter(*c)).last().map_or(text.len(), |(at, _)| at);
        let (context, typed) = text.split_at(typed_at);
        let prefix = typed.to_lowercase();
        let mut before = corpus::words(context);
        if !whole && before.len() > 1 {
            // The first word was cut.
            before.remove(0);
        }
        let mut found: BTreeMap<String, f64> = BTreeMap::new();
        let mut add = |words: Vec<(String, f64)>, weight: f64| {
            for (word, p) in words {
                *found.entry(word).or_default() += weight * p;
            }
        };
        let partner_share = if self.partner.is_some() { self.share } else { 0.0 };
        let known = !self.reports.is_empty() && self.history.knows(&before);
        let history_share = if known { HISTORY_SHARE * (1.0 - partner_share) } else { 0.0 };
        add(self.ngram.next(&before, &prefix, CANDIDATES), 1.0 - partner_share - history_share);
        if known {
            add(self.history.next(&before, &prefix, CANDIDATES), history_share);
        }
        if let Some(partner) = self.partner.as_ref().filter(|_| partner_share > 0.0) {
            add(partner.next(context, &prefix, cx)?, partner_share);
        }
        let total: f64 = found.values().sum();
        let mut all: Vec<(String, f64)> =
            found.into_iter().filter(|(word, _)| word.len() > prefix.len() && word.starts_with(&prefix)).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let sentence_start = context.trim_end().is_empty() || context.trim_end().ends_with(['.', '!', '?']);
        let capital = typed.chars().next().map_or(sentence_start, char::is_uppercase);
        Ok(all
            .into_iter()
            .filter(|(word, _)| word.chars().all(letter))
            .take(count)
            .map(|(word, p)| {
                // The lower-case word has the prefix's letters; where a letter has another length in lower case, the
                // boundary was checked by starts_with.
                let rest = word[prefix.len()..].to_owned();
                let insert = if capital && typed.is_empty() { capitalised(&rest) } else { rest };
                Completion { word: format!("{typed}{insert}"), insert, probability: p / total.max(1e-12) }
            })
            .collect())
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}

/// One token of the ways to spell the known words.
#[derive(Debug, Default)]
struct Node {
    /// The node before and the token that leads here.
    before: (usize, u32),
    next: BTreeMap<u32, usize>,
    /// The word that ends here, as a number in the list.
    word: Option<usize>,
    /// What was spelled so far, lower case.
    spelled: String,
}

/// Words as tokens: a tree of nodes, the first its root.
#[derive(Debug)]
struct Tree(Vec<Node>);

impl Tree {
    fn new() -> Self {
        Self(vec![Node::default()])
    }

    fn add(&mut self, tokens: &[(u32, String)], word: usize) {
        let mut at = 0;
        for (token, text) in tokens {
            at = match self.0[at].next.get(token) {
                Some(next) => *next,
                None => {
                    let spelled = format!("{}{}", self.0[at].spelled, text.to_lowercase());
                    self.0.push(Node { before: (at, *token), spelled, ..Node::default() });
                    let new = self.0.len() - 1;
                    self.0[at].next.insert(*token, new);
                    new
                }
            };
        }
        self.0[at].word = Some(word);
    }
}

/// What was computed for the text before the word that is being typed.
struct Kept {
    tokens: Vec<u32>,
    past: Past,
    logs: Vec<f32>,
    /// Probability, past and what comes next, by node.
    nodes: HashMap<(bool, usize), (Past, Vec<f32>)>,
}

/// A network that weighs words.
struct Partner {
    model: Arc<TextModel>,
    words: Vec<String>,
    /// After a space, and directly behind a mark.
    spaced: Tree,
    joined: Tree,
    /// Tokens that begin with a space or hold no letter: behind them a word is over.
    ends: Vec<bool>,
    first: u32,
    kept: Mutex<Option<Kept>>,
}

impl Partner {
    fn new(model: Arc<TextModel>, ngram: &Ngram) -> Result<Self> {
        model.causal()?;
        let tokenizer = model.tokenizer()?;
        let words: Vec<String> =
            ngram.words().filter(|w| w.chars().any(char::is_alphabetic)).map(str::to_owned).collect();
        let (mut spaced, mut joined) = (Tree::new(), Tree::new());
        let text_of = |id: u32| tokenizer.decode(&[id]).unwrap_or_default();
        let texts: Vec<String> = (0..tokenizer.size() as u32).map(text_of).collect();
        for (number, word) in words.iter().enumerate() {
            let capital = capitalised(word);
            for (space, written) in [(true, format!(" {word}")), (true, format!(" {capital}")), (false, word.clone())] {
                let tree = if space { &mut spaced } else { &mut joined };
                let tokens: Vec<(u32, String)> = tokenizer
                    .encode(&written)?
                    .into_iter()
                    .map(|id| (id, texts.get(id as usize).map(|t| t.trim_start().to_owned()).unwrap_or_default()))
                    .collect();
                if !tokens.is_empty() && tokens.len() <= 8 {
                    tree.add(&tokens, number);
                }
            }
        }
        let ends = texts.iter().map(|t| !t.starts_with(|c: char| c.is_alphanumeric() || c == '-')).collect();
        let first = tokenizer.id(super::tokenizer::END_OF_TEXT).unwrap_or(0);
        Ok(Self { model, words, spaced, joined, ends, first, kept: Mutex::new(None) })
    }

    /// Words that begin with `prefix`, with the probability of each as the whole word after `context`.
    fn next(&self, context: &str, prefix: &str, cx: &RunCx<'_>) -> Result<Vec<(String, f64)>> {
        let (causal, tokenizer) = (self.model.causal()?, self.model.tokenizer()?);
        let spaced = context.is_empty() || context.ends_with(char::is_whitespace);
        let mut tokens = vec![self.first];
        let text = context.split_whitespace().collect::<Vec<_>>().join(" ");
        if !text.is_empty() {
            tokens.extend(tokenizer.encode(&format!(" {text}"))?);
        }
        let longest = causal.longest().map_or(LOOK_BACK_TOKENS, |n| LOOK_BACK_TOKENS.min(n.saturating_sub(16)).max(1));
        if tokens.len() > longest {
            tokens.drain(..tokens.len() - longest);
        }
        // A panic elsewhere leaves at worst a text that is computed again.
        let mut slot = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = match slot.take() {
            Some(kept) if kept.tokens == tokens => kept,
            Some(kept) if tokens.len() > kept.tokens.len() && tokens.starts_with(&kept.tokens) => {
                let mut past = kept.past;
                let logits = causal.advance(&mut past, &tokens[kept.tokens.len()..])?;
                Kept { tokens, past, logs: log_softmax(&logits), nodes: HashMap::new() }
            }
            _ => {
                let mut past = causal.start();
                let logits = causal.advance(&mut past, &tokens)?;
                Kept { tokens, past, logs: log_softmax(&logits), nodes: HashMap::new() }
            }
        };
        let kept = slot.insert(kept);
        let tree = if spaced { &self.spaced } else { &self.joined };
        let mut found: BTreeMap<usize, f64> = BTreeMap::new();
        // Ways to go on: probability so far, node.
        let mut open: Vec<(f32, usize)> = vec![(1.0, 0)];
        let mut steps = 0;
        while let Some(best) = open.iter().enumerate().max_by(|a, b| a.1.0.total_cmp(&b.1.0)).map(|(i, _)| i) {
            let (p, at) = open.swap_remove(best);
            let node = &tree.0[at];
            let mut end = 1.0;
            let logs = if at == 0 {
                &kept.logs
            } else {
                if !kept.nodes.contains_key(&(spaced, at)) {
                    cx.check()?;
                    if steps == MOST_STEPS {
                        break;
                    }
                    steps += 1;
                    let (mut past, token) = Self::way(tree, kept, spaced, at);
                    let logits = causal.advance(&mut past, &token)?;
                    kept.nodes.insert((spaced, at), (past, log_softmax(&logits)));
                }
                let logs = &kept.nodes[&(spaced, at)].1;
                // The word may go on; then it is another one.
                end = logs.iter().zip(&self.ends).filter(|(_, end)| **end).map(|(l, _)| l.exp()).sum();
                logs
            };
            if let Some(word) = node.word
                && at != 0
            {
                // Counted in full when its node was met; now it is known how often it ends here.
                *found.entry(word).or_default() -= f64::from(p * (1.0 - end));
            }
            for (token, next) in &node.next {
                let child = &tree.0[*next];
                if !(child.spelled.starts_with(prefix) || prefix.starts_with(&child.spelled)) {
                    continue;
                }
                let p = p * logs.get(*token as usize).map_or(0.0, |l| l.exp());
                if let Some(word) = child.word.filter(|w| self.words[*w].starts_with(prefix)) {
                    *found.entry(word).or_default() += f64::from(p);
                }
                let towards = prefix.len() > child.spelled.len();
                if !child.next.is_empty() && (p > LEAST_PROBABILITY || towards) {
                    open.push((p, *next));
                }
            }
        }
        let mut all: Vec<(String, f64)> =
            found.into_iter().map(|(word, p)| (self.words[word].clone(), p.max(0.0))).collect();
        all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        all.truncate(CANDIDATES);
        Ok(all)
    }

    /// The past nearest above a node that was computed, and the tokens from there to the node.
    fn way(tree: &Tree, kept: &Kept, spaced: bool, at: usize) -> (Past, Vec<u32>) {
        let mut tokens = Vec::new();
        let mut at = at;
        while at != 0 {
            let (before, token) = tree.0[at].before;
            tokens.push(token);
            at = before;
            if let Some((past, _)) = kept.nodes.get(&(spaced, at)) {
                tokens.reverse();
                return (past.clone(), tokens);
            }
        }
        tokens.reverse();
        (kept.past.clone(), tokens)
    }
}

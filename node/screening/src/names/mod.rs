//! Names against watch lists: fast, bounded, and explained token by token.
//!
//! Listed names are cut into tokens once. A query's tokens find the listed tokens they may be a spelling of, those find
//! the names that have them, heaviest (rarest) tokens first, until what is left of the query could not reach the
//! threshold alone. Only these candidates are scored, at most [`MAX_CANDIDATES`] of them: there is no scan of the whole
//! list for a name that resembles nothing. All arithmetic is in integers, so that every replica finds the same.

pub mod normalise;
mod score;
mod similarity;
#[cfg(test)]
mod tests;
mod vocabulary;

use std::collections::BTreeMap;

use hansa_types::country::Country;
use hansa_types::date::Date;
use serde::Serialize;

use crate::watchlist::{Entry, EntryKind, Strength, Watchlist};

pub use normalise::{MAX_TOKEN, MAX_TOKENS, Token, TokenClass, tokens};
pub use score::{How, TokenMatch};
pub use similarity::similarity;

use score::{Weighed, score, token_likeness};
use vocabulary::{Table, TokenId, Vocabulary, hash};

/// The most listed names that are scored for one query.
pub const MAX_CANDIDATES: usize = 8192;
/// The most hits given for one query.
pub const MAX_HITS: usize = 16;
/// The likeness, in thousandths, from which a name is a hit, unless the policy says otherwise.
pub const DEFAULT_THRESHOLD: u16 = 800;

/// What a hit loses, in thousandths, when birth years are known and apart by more than [`YEARS_APART`].
const OTHER_BIRTH: u32 = 150;
/// What a hit loses when countries are known and differ.
const OTHER_COUNTRY: u32 = 20;
/// What a hit by a weak alias loses.
const WEAK_ALIAS: u32 = 50;
/// Birth years on lists are often estimates.
const YEARS_APART: u16 = 2;

/// What else is known of whoever bears the name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hints {
    /// Birth date.
    pub birth: Option<Date>,
    /// Country of residence or nationality.
    pub country: Option<Country>,
}

/// A listed name that a query resembles.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hit {
    /// Which list, as given to [`Matcher::build`].
    pub list: usize,
    /// Which of its entries.
    pub entry: usize,
    /// The name on the list.
    pub name: String,
    /// The likeness in thousandths, hints included.
    pub score: u16,
    /// Which tokens answer to each other.
    pub tokens: Vec<TokenMatch>,
    /// What the hints changed.
    pub adjustments: Vec<Adjustment>,
}

/// Why a hit counts less than its tokens say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Adjustment {
    /// The birth years are apart.
    OtherBirth,
    /// The countries differ.
    OtherCountry,
    /// The name is a weak alias.
    WeakAlias,
}

/// A listed name: its entry and its tokens.
struct ListedName {
    list: u16,
    entry: u32,
    name: u16,
    first: u32,
    count: u8,
    /// Whether one of its tokens is a single letter.
    initial: bool,
}

/// The names of watch lists, indexed.
pub struct Matcher {
    names: Vec<ListedName>,
    tokens: Vec<TokenId>,
    vocabulary: Vocabulary,
    /// Names by token: those of token `t` are `postings[starts[t]..starts[t + 1]]`.
    starts: Vec<u32>,
    postings: Vec<u32>,
    /// Names by two neighbouring tokens written together.
    joins: Table,
}

const JOIN: u8 = 3;

/// The tokens of a listed name; the part behind a comma of a person's name comes first, as it is spoken.
fn listed_tokens(kind: EntryKind, name: &str) -> Vec<Token> {
    match name.split_once(',') {
        Some((last, first)) if kind == EntryKind::Person => tokens(&format!("{first} {last}")),
        _ => tokens(name),
    }
}

/// One token of a query and the listed tokens alike to it.
struct QueryToken {
    token: Token,
    weight: u32,
    alike: Vec<(TokenId, u32)>,
}

impl QueryToken {
    /// How alike the listed token is, in thousandths.
    fn likeness(&self, listed: TokenId) -> u32 {
        self.alike.binary_search_by_key(&listed, |(id, _)| *id).map_or(0, |at| self.alike[at].1)
    }
}

/// The share of either name, in thousandths, that must be matched for a likeness of `threshold`: by `score::total`, the
/// better covered side is worth at most 1000 and the other's share counts half.
fn least_share(threshold: u16) -> u64 {
    u64::from(threshold.saturating_sub(500)) * 2
}

impl Matcher {
    /// Indexes the names of `lists`.
    pub fn build(lists: &[Watchlist]) -> Self {
        let mut counts: BTreeMap<Token, u32> = BTreeMap::new();
        let mut cut: Vec<(ListedName, Vec<Token>)> = Vec::new();
        for (list, watchlist) in lists.iter().enumerate() {
            for (entry, listed) in watchlist.entries.iter().enumerate() {
                for (at, name) in listed.names.iter().enumerate() {
                    let tokens = listed_tokens(listed.kind, &name.text);
                    let mut different: Vec<_> = tokens.iter().collect();
                    different.sort_unstable_by(|a, b| a.text.cmp(&b.text));
                    different.dedup_by(|a, b| a.text == b.text);
                    different.into_iter().for_each(|t| *counts.entry(t.clone()).or_default() += 1);
                    let (list, entry, name) = (list as u16, entry as u32, at as u16);
                    let count = tokens.len() as u8;
                    let initial = tokens.iter().any(|t| t.text.len() == 1);
                    cut.push((ListedName { list, entry, name, first: 0, count, initial }, tokens));
                }
            }
        }
        let counted = one_class_each(counts);
        let vocabulary = Vocabulary::new(&counted, cut.len() as u32);
        let mut matcher = Self {
            names: Vec::with_capacity(cut.len()),
            tokens: Vec::new(),
            vocabulary,
            starts: Vec::new(),
            postings: Vec::new(),
            joins: Table::new(&[]),
        };
        let id_of = |token: &Token| counted.binary_search_by(|(t, _)| t.text.cmp(&token.text)).ok();
        let (mut joins, mut postings) = (Vec::new(), Vec::new());
        for (at, (mut name, tokens)) in cut.into_iter().enumerate() {
            name.first = matcher.tokens.len() as u32;
            for (token, next) in tokens.iter().zip(tokens.iter().cycle().skip(1)) {
                let id = id_of(token).expect("every token was counted above") as TokenId;
                matcher.tokens.push(id);
                postings.push((id, at as u32));
                if tokens.len() > 1 {
                    joins.push((hash(JOIN, &[token.text.as_bytes(), next.text.as_bytes()]), at as u32));
                }
            }
            matcher.names.push(name);
        }
        matcher.file(postings, counted.len());
        matcher.joins = Table::new(&joins);
        matcher
    }

    fn file(&mut self, mut postings: Vec<(TokenId, u32)>, tokens: usize) {
        postings.sort_unstable();
        postings.dedup();
        self.starts = vec![0; tokens + 1];
        for (id, _) in &postings {
            self.starts[*id as usize + 1] += 1;
        }
        for at in 0..tokens {
            self.starts[at + 1] += self.starts[at];
        }
        self.postings = postings.into_iter().map(|(_, name)| name).collect();
    }

    /// How many names are indexed.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no name is indexed.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The listed names that `name` resembles by at least `threshold` thousandths, best first, one for each entry.
    /// `lists` are those that the matcher was built of.
    pub fn screen(&self, lists: &[Watchlist], name: &str, hints: &Hints, threshold: u16) -> Vec<Hit> {
        let query = self.query(name);
        let least = least_share(threshold);
        let initial = query.iter().any(|q| q.token.text.len() == 1);
        let mut found: Vec<(u32, u32)> = Vec::new();
        for (candidate, joined) in self.candidates(&query, least) {
            // Only tokens alike count unless something is joined or abbreviated: mostly that is far too little.
            let simple = !joined && !initial && !self.names[candidate as usize].initial;
            if simple && !self.covers(&query, candidate, least) {
                continue;
            }
            let likeness = self.likeness(&query, candidate, None);
            if likeness >= u32::from(threshold) {
                found.push((likeness, candidate));
            }
        }
        let mut hits: Vec<Hit> = Vec::new();
        for (likeness, candidate) in found {
            let listed = &self.names[candidate as usize];
            let entry =
                lists.get(usize::from(listed.list)).and_then(|l| l.entries.get(listed.entry as usize));
            let Some(entry) = entry else { continue };
            let adjustments = adjustments(entry, usize::from(listed.name), hints);
            let score = adjusted(likeness, &adjustments);
            if score >= threshold {
                let mut matches = Vec::new();
                self.likeness(&query, candidate, Some(&mut matches));
                let name =
                    entry.names.get(usize::from(listed.name)).map(|n| n.text.clone()).unwrap_or_default();
                let (list, entry) = (usize::from(listed.list), listed.entry as usize);
                hits.push(Hit { list, entry, name, score, tokens: matches, adjustments });
            }
        }
        hits.sort_by(|a, b| (a.list, a.entry, b.score, &a.name).cmp(&(b.list, b.entry, a.score, &b.name)));
        hits.dedup_by_key(|hit| (hit.list, hit.entry));
        hits.sort_by(|a, b| (b.score, a.list, a.entry).cmp(&(a.score, b.list, b.entry)));
        hits.truncate(MAX_HITS);
        hits
    }

    /// The likeness of two names in thousandths, with the weights of this matcher's lists.
    pub fn compare(&self, a: &str, b: &str) -> u16 {
        let (a, b) = (tokens(a), tokens(b));
        let weighed =
            |token: &Token| self.exact_weight(token).unwrap_or_else(|| self.vocabulary.unknown_weight(token));
        let likeness = |i: usize, j: usize| token_likeness(&a[i], &b[j]);
        score(&weigh_all(&a, weighed), &weigh_all(&b, weighed), likeness, None) as u16
    }

    fn exact_weight(&self, token: &Token) -> Option<u32> {
        self.vocabulary.exact(token.text.as_bytes()).map(|id| self.vocabulary.weight(id))
    }

    fn query(&self, name: &str) -> Vec<QueryToken> {
        let mut scratch = Vec::new();
        let tokens = tokens(name).into_iter().map(|token| {
            let mut alike = Vec::new();
            self.vocabulary.alike(&token, &mut scratch, &mut alike);
            // A misspelt token is worth what the token is worth that it is most alike to.
            let weight = match alike.first() {
                Some((id, _)) => self.vocabulary.weight(*id),
                None => self.vocabulary.unknown_weight(&token),
            };
            alike.sort_unstable_by_key(|(id, _)| *id);
            QueryToken { token, weight, alike }
        });
        tokens.collect()
    }

    /// The names worth scoring, each once, and whether it was found by tokens written together.
    fn candidates(&self, query: &[QueryToken], least: u64) -> Vec<(u32, bool)> {
        let mut order: Vec<&QueryToken> = query.iter().collect();
        order.sort_by_key(|q| (u32::MAX - q.weight, &q.token.text));
        let all: u64 = query.iter().map(|q| u64::from(q.weight)).sum();
        let mut left = all;
        let mut found = Vec::new();
        for q in order {
            if left * 1000 < all * least {
                break;
            }
            left -= u64::from(q.weight);
            for (id, _) in &q.alike {
                let id = *id as usize;
                found.extend_from_slice(
                    &self.postings[self.starts[id] as usize..self.starts[id + 1] as usize],
                );
            }
        }
        let mut joined = Vec::new();
        self.joined_candidates(query, &mut joined);
        found.sort_unstable();
        found.dedup();
        let mut candidates: Vec<(u32, bool)> = joined.into_iter().map(|name| (name, true)).collect();
        candidates.extend(found.into_iter().map(|name| (name, false)));
        candidates.truncate(MAX_CANDIDATES);
        candidates
    }

    /// Whether the candidate's tokens, each at its best, cover `least` thousandths of the query's weight.
    fn covers(&self, query: &[QueryToken], candidate: u32, least: u64) -> bool {
        let name = &self.names[candidate as usize];
        let ids = &self.tokens[name.first as usize..name.first as usize + usize::from(name.count)];
        let (mut all, mut covered) = (0, 0);
        for q in query {
            all += u64::from(q.weight);
            let best = ids.iter().map(|id| q.likeness(*id)).max().unwrap_or(0);
            covered += u64::from(q.weight) * u64::from(best);
        }
        covered >= all * least
    }

    /// Names that have two of the query's tokens as one, or one of them as two.
    fn joined_candidates(&self, query: &[QueryToken], found: &mut Vec<u32>) {
        let mut joined = Vec::new();
        for (at, q) in query.iter().enumerate() {
            let text = q.token.text.as_bytes();
            found.extend_from_slice(self.joins.get(hash(JOIN, &[text])));
            if query.len() > 1 {
                joined.clear();
                joined.extend_from_slice(text);
                joined.extend_from_slice(query[(at + 1) % query.len()].token.text.as_bytes());
                if let Some(id) = self.vocabulary.exact(&joined) {
                    let id = id as usize;
                    found.extend_from_slice(
                        &self.postings[self.starts[id] as usize..self.starts[id + 1] as usize],
                    );
                }
            }
        }
    }

    fn likeness(&self, query: &[QueryToken], candidate: u32, matches: Option<&mut Vec<TokenMatch>>) -> u32 {
        let name = &self.names[candidate as usize];
        let ids = &self.tokens[name.first as usize..name.first as usize + usize::from(name.count)];
        let mut left = [Weighed { text: &[], weight: 0 }; MAX_TOKENS];
        let mut right = [Weighed { text: &[], weight: 0 }; MAX_TOKENS];
        for (slot, q) in left.iter_mut().zip(query) {
            *slot = Weighed { text: q.token.text.as_bytes(), weight: q.weight };
        }
        for (slot, id) in right.iter_mut().zip(ids) {
            *slot = Weighed { text: self.vocabulary.text(*id), weight: self.vocabulary.weight(*id) };
        }
        let alike = |i: usize, j: usize| query[i].likeness(ids[j]);
        let (left, right) = (&left[..query.len().min(MAX_TOKENS)], &right[..ids.len().min(MAX_TOKENS)]);
        score(left, right, alike, matches)
    }
}

fn weigh_all(tokens: &[Token], weight: impl Fn(&Token) -> u32) -> Vec<Weighed<'_>> {
    tokens.iter().map(|token| Weighed { text: token.text.as_bytes(), weight: weight(token) }).collect()
}

/// A text has one class in the vocabulary, its lightest: `al` counts as a particle even where it stands alone.
fn one_class_each(counts: BTreeMap<Token, u32>) -> Vec<(Token, u32)> {
    let mut merged: Vec<(Token, u32)> = Vec::with_capacity(counts.len());
    for (token, count) in counts {
        match merged.last_mut() {
            Some((last, sum)) if last.text == token.text => {
                *sum += count;
                last.class = last.class.max(token.class);
                last.abjad |= token.abjad;
            }
            _ => merged.push((token, count)),
        }
    }
    merged
}

fn adjustments(entry: &Entry, name: usize, hints: &Hints) -> Vec<Adjustment> {
    let mut adjustments = Vec::new();
    if let Some(birth) = hints.birth.filter(|_| !entry.births.is_empty())
        && entry.births.iter().all(|listed| listed.years_from(birth.year()) > YEARS_APART)
    {
        adjustments.push(Adjustment::OtherBirth);
    }
    if let Some(country) = hints.country.filter(|_| !entry.countries.is_empty())
        && !entry.countries.contains(&country)
    {
        adjustments.push(Adjustment::OtherCountry);
    }
    if entry.names.get(name).is_some_and(|n| n.strength == Strength::Weak) {
        adjustments.push(Adjustment::WeakAlias);
    }
    adjustments
}

fn adjusted(likeness: u32, adjustments: &[Adjustment]) -> u16 {
    let lost: u32 = adjustments
        .iter()
        .map(|a| match a {
            Adjustment::OtherBirth => OTHER_BIRTH,
            Adjustment::OtherCountry => OTHER_COUNTRY,
            Adjustment::WeakAlias => WEAK_ALIAS,
        })
        .sum();
    likeness.saturating_sub(lost) as u16
}

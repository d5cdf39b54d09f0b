//! How alike two names are: which token answers to which, and what the whole is worth.

use serde::Serialize;

use super::normalise::{Token, abjad_skeleton};
use super::similarity::{ABJAD, SAME, similarity};
use super::vocabulary::SHORTEST_SKELETON;

/// A token's weight and letters, as the score sees it.
#[derive(Clone, Copy)]
pub(super) struct Weighed<'t> {
    /// The letters.
    pub(super) text: &'t [u8],
    /// What it is worth.
    pub(super) weight: u32,
}

/// How two tokens answer to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// Letter by letter.
    Same,
    /// With a difference of spelling.
    Spelling,
    /// One is the other's first letter.
    Initial,
    /// One is two of the other's neighbours written together.
    Joined,
}

/// One answer of the query's tokens to the listed name's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenMatch {
    /// The query's token.
    pub query: String,
    /// The listed name's.
    pub listed: String,
    /// How alike, in thousandths.
    pub alike: u32,
    /// In what way.
    pub how: How,
}

/// What an initial counts for against the word it begins.
const INITIAL: u32 = 850;
/// Tokens in a name fit the bits of a mask.
const MASK_BITS: usize = 32;

/// The matched weight of both sides, in thousandths of a weight unit, and which tokens are matched.
#[derive(Default)]
struct Answered {
    query: u64,
    listed: u64,
    query_mask: u32,
    listed_mask: u32,
    /// Weight that an initial's word has beyond the initial: neither matched nor missing.
    excused: u64,
}

/// The likeness of two names in thousandths, with the tokens that answer to each other added to `matches` if wanted.
/// `alike(i, j)` says how alike token `i` of the query and token `j` of the listed name are.
pub(super) fn score(
    query: &[Weighed<'_>],
    listed: &[Weighed<'_>],
    alike: impl Fn(usize, usize) -> u32,
    mut matches: Option<&mut Vec<TokenMatch>>,
) -> u32 {
    let (query, listed) = (&query[..query.len().min(MASK_BITS)], &listed[..listed.len().min(MASK_BITS)]);
    let mut answered = Answered::default();
    let mut note = |q: &[u8], l: &[u8], alike, how| {
        if let Some(matches) = matches.as_deref_mut() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            matches.push(TokenMatch { query: text(q), listed: text(l), alike, how });
        }
    };
    // First what is equal but for a blank: a part alone may be alike to the whole.
    joined(query, listed, &mut answered, &mut note);
    by_likeness(query, listed, alike, &mut answered, &mut note);
    if answered.query_mask.count_ones() < query.len() as u32
        && answered.listed_mask.count_ones() < listed.len() as u32
    {
        initials(query, listed, &mut answered, &mut note);
    }
    total(query, listed, &answered)
}

fn free(mask: u32, at: usize) -> bool {
    mask & (1 << at) == 0
}

/// Pairs the tokens that are most alike, heaviest first.
fn by_likeness(
    query: &[Weighed<'_>],
    listed: &[Weighed<'_>],
    alike: impl Fn(usize, usize) -> u32,
    answered: &mut Answered,
    note: &mut impl FnMut(&[u8], &[u8], u32, How),
) {
    let mut pairs = [(0_u32, 0_u8, 0_u8); 64];
    let mut count = 0;
    for (i, q) in query.iter().enumerate() {
        for j in 0..listed.len() {
            let alike = alike(i, j);
            if alike > 0 && count < pairs.len() {
                // Likeness first, weight between equals.
                pairs[count] = ((alike << 16) | q.weight.min(0xffff), i as u8, j as u8);
                count += 1;
            }
        }
    }
    let pairs = &mut pairs[..count];
    pairs.sort_unstable_by_key(|(rank, i, j)| (u32::MAX - rank, *i, *j));
    for &(rank, i, j) in pairs.iter() {
        let (i, j, alike) = (usize::from(i), usize::from(j), rank >> 16);
        if free(answered.query_mask, i) && free(answered.listed_mask, j) {
            answered.query_mask |= 1 << i;
            answered.listed_mask |= 1 << j;
            answered.query += u64::from(query[i].weight) * u64::from(alike);
            answered.listed += u64::from(listed[j].weight) * u64::from(alike);
            note(query[i].text, listed[j].text, alike, if alike == SAME { How::Same } else { How::Spelling });
        }
    }
}

/// Whether `whole` is `first` and `second` written together.
fn is_joined(whole: &[u8], first: &[u8], second: &[u8]) -> bool {
    whole.len() == first.len() + second.len() && whole.starts_with(first) && whole.ends_with(second)
}

/// Matches a free token with two free neighbours on the other side. The last and the first token are neighbours too:
/// surnames stand at either end.
fn joined(
    query: &[Weighed<'_>],
    listed: &[Weighed<'_>],
    answered: &mut Answered,
    note: &mut impl FnMut(&[u8], &[u8], u32, How),
) {
    let mut side =
        |whole: &[Weighed<'_>], parts: &[Weighed<'_>], whole_mask: &mut u32, parts_mask: &mut u32| {
            let (mut whole_sum, mut parts_sum) = (0, 0);
            for (i, w) in whole.iter().enumerate().filter(|_| parts.len() > 1) {
                for j in 0..parts.len() {
                    let k = (j + 1) % parts.len();
                    let open = free(*whole_mask, i) && free(*parts_mask, j) && free(*parts_mask, k) && j != k;
                    if open && is_joined(w.text, parts[j].text, parts[k].text) {
                        *whole_mask |= 1 << i;
                        *parts_mask |= 1 << j | 1 << k;
                        whole_sum += u64::from(w.weight) * u64::from(SAME);
                        parts_sum += u64::from(parts[j].weight + parts[k].weight) * u64::from(SAME);
                        note(w.text, w.text, SAME, How::Joined);
                    }
                }
            }
            (whole_sum, parts_sum)
        };
    let (q, l) = side(query, listed, &mut answered.query_mask, &mut answered.listed_mask);
    let (l2, q2) = side(listed, query, &mut answered.listed_mask, &mut answered.query_mask);
    answered.query += q + q2;
    answered.listed += l + l2;
}

/// Matches a free single letter with a free word that begins with it.
fn initials(
    query: &[Weighed<'_>],
    listed: &[Weighed<'_>],
    answered: &mut Answered,
    note: &mut impl FnMut(&[u8], &[u8], u32, How),
) {
    for (i, q) in query.iter().enumerate() {
        for (j, l) in listed.iter().enumerate() {
            let open = free(answered.query_mask, i) && free(answered.listed_mask, j);
            let initial = (q.text.len() == 1) != (l.text.len() == 1) && q.text.first() == l.text.first();
            if open && initial {
                answered.query_mask |= 1 << i;
                answered.listed_mask |= 1 << j;
                let known = u64::from(q.weight.min(l.weight));
                answered.query += known * u64::from(INITIAL);
                answered.listed += known * u64::from(INITIAL);
                answered.excused += u64::from(q.weight.abs_diff(l.weight));
                note(q.text, l.text, INITIAL, How::Initial);
            }
        }
    }
}

/// The better covered side, less up to half of it for what the other side leaves open.
fn total(query: &[Weighed<'_>], listed: &[Weighed<'_>], answered: &Answered) -> u32 {
    let share = |tokens: &[Weighed<'_>], matched: u64| {
        let all: u64 = tokens.iter().map(|t| u64::from(t.weight)).sum();
        let own = all.saturating_sub(answered.excused).max(1);
        (matched / own).min(u64::from(SAME))
    };
    let (q, l) = (share(query, answered.query), share(listed, answered.listed));
    let (more, less) = (q.max(l), q.min(l));
    (more * (PARTIAL + (1000 - PARTIAL) * less / 1000) / 1000) as u32
}

/// What a name is worth, in thousandths, that is wholly in the other one, however much more that has.
const PARTIAL: u64 = 500;

/// The likeness of two tokens that are compared without an index.
pub(super) fn token_likeness(a: &Token, b: &Token) -> u32 {
    if a.text == b.text {
        return SAME;
    }
    let spelt = similarity(a.text.as_bytes(), b.text.as_bytes());
    if !a.abjad && !b.abjad {
        return spelt;
    }
    let (mut left, mut right) = (Vec::new(), Vec::new());
    abjad_skeleton(a.text.as_bytes(), &mut left);
    abjad_skeleton(b.text.as_bytes(), &mut right);
    let same = left.len() >= SHORTEST_SKELETON && left == right;
    if same { spelt.max(ABJAD) } else { spelt }
}

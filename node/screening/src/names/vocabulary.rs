//! Every token of the listed names once, found by what a query may have made of it.
//!
//! A token is filed under itself, under itself with any one letter left out (the deletion neighbourhood of SymSpell:
//! two tokens one edit apart share a form), and under its skeleton of consonants. A table of buckets keeps no keys:
//! what a bucket gives is compared anyway.

use super::normalise::{Token, TokenClass, abjad_skeleton, skeleton};
use super::similarity::{ABJAD, SAME, can_be_alike, letters, similarity};

/// The shortest token that may be misspelt; shorter ones must be equal.
const SHORTEST_MISSPELT: usize = 4;
/// The shortest skeleton that counts.
pub(super) const SHORTEST_SKELETON: usize = 3;
/// By how many letters the length of tokens alike differs at most.
const MAX_LENGTH_APART: usize = 3;
/// The most tokens alike to one token of a query.
pub(super) const MAX_ALIKE: usize = 64;

/// A token's number.
pub(super) type TokenId = u32;

/// What a particle or legal form weighs, in 256ths of a binary digit.
const LIGHT: u32 = 200;

/// All tokens, with weights.
pub(super) struct Vocabulary {
    text: Vec<u8>,
    ends: Vec<u32>,
    weights: Vec<u32>,
    /// Whether each token was written without short vowels.
    abjad: Vec<bool>,
    /// Whether any was: lists mostly give Latin letters.
    any_abjad: bool,
    /// Which letters each token has: tokens with many different ones are not compared at all.
    letters: Vec<u32>,
    table: Table,
    heaviest: u32,
}

/// Items by hash.
pub(super) struct Table {
    starts: Vec<u32>,
    items: Vec<u32>,
}

impl Table {
    /// Files each item under its hash.
    pub(super) fn new(entries: &[(u64, u32)]) -> Self {
        let buckets = entries.len().next_power_of_two().max(2);
        let mut starts = vec![0_u32; buckets + 1];
        let bucket = |hash: u64| hash as usize & (buckets - 1);
        for (hash, _) in entries {
            starts[bucket(*hash) + 1] += 1;
        }
        for at in 0..buckets {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut items = vec![0; entries.len()];
        for (hash, item) in entries {
            let place = &mut next[bucket(*hash)];
            items[*place as usize] = *item;
            *place += 1;
        }
        Self { starts, items }
    }

    /// The items of the bucket, among them all that were filed under `hash`.
    pub(super) fn get(&self, hash: u64) -> &[u32] {
        let bucket = hash as usize & (self.starts.len() - 2);
        &self.items[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }
}

/// FNV-1a with a final mix; the hash never leaves memory and never depends on the machine.
pub(super) fn hash(kind: u8, parts: &[&[u8]]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ u64::from(kind);
    for byte in parts.iter().copied().flatten() {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    state ^= state >> 32;
    state.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16
}

const FORM: u8 = 1;
const SKELETON: u8 = 2;
/// Listed tokens with all vowels, for queries without.
const WITH_VOWELS: u8 = 4;
/// And the other way round.
const WITHOUT_VOWELS: u8 = 5;

/// Calls `each` with every hash that a token is filed under or looked for by.
fn forms(token: &[u8], scratch: &mut Vec<u8>, mut each: impl FnMut(u64)) {
    each(hash(FORM, &[token]));
    if token.len() < SHORTEST_MISSPELT || token.iter().any(u8::is_ascii_digit) {
        return;
    }
    for at in 0..token.len() {
        // Leaving out either of two equal neighbours gives one form.
        if at == 0 || token[at] != token[at - 1] {
            each(hash(FORM, &[&token[..at], &token[at + 1..]]));
        }
    }
    skeleton(token, scratch);
    if scratch.len() >= SHORTEST_SKELETON {
        each(hash(SKELETON, &[scratch]));
    }
}

/// The hash of a token's skeleton without short vowels, which is left in `scratch`; none if it is too short to say much.
fn abjad_form(kind: u8, token: &[u8], scratch: &mut Vec<u8>) -> Option<u64> {
    abjad_skeleton(token, scratch);
    (scratch.len() >= SHORTEST_SKELETON).then(|| hash(kind, &[scratch]))
}

/// The binary logarithm in 256ths, by linear interpolation: the same on every machine.
fn log2(value: u32) -> u32 {
    let whole = value.max(1).ilog2();
    let rest = ((u64::from(value.max(1)) - (1 << whole)) * 256) >> whole;
    whole * 256 + rest as u32
}

impl Vocabulary {
    /// Builds the vocabulary of tokens that come in ascending order, each with its class and the number of names that
    /// have it, out of `names` in all.
    pub(super) fn new(tokens: &[(Token, u32)], names: u32) -> Self {
        let mut vocabulary = Self {
            text: Vec::new(),
            ends: vec![0],
            weights: Vec::with_capacity(tokens.len()),
            abjad: tokens.iter().map(|(token, _)| token.abjad).collect(),
            any_abjad: tokens.iter().any(|(token, _)| token.abjad),
            letters: Vec::with_capacity(tokens.len()),
            table: Table::new(&[]),
            heaviest: log2(names.max(2)) + 256,
        };
        let (mut filed, mut scratch) = (Vec::new(), Vec::new());
        for (id, (token, count)) in tokens.iter().enumerate() {
            let text = token.text.as_bytes();
            vocabulary.text.extend_from_slice(text);
            vocabulary.ends.push(vocabulary.text.len() as u32);
            vocabulary.letters.push(letters(text));
            let rarity = vocabulary.heaviest.saturating_sub(log2(*count)).max(256);
            vocabulary.weights.push(weight(text, token.class, rarity));
            forms(text, &mut scratch, |hash| filed.push((hash, id as u32)));
            let kind = if token.abjad { WITHOUT_VOWELS } else { WITH_VOWELS };
            filed.extend(abjad_form(kind, text, &mut scratch).map(|hash| (hash, id as u32)));
        }
        vocabulary.table = Table::new(&filed);
        vocabulary
    }

    /// The letters of a token.
    pub(super) fn text(&self, id: TokenId) -> &[u8] {
        let id = id as usize;
        &self.text[self.ends[id] as usize..self.ends[id + 1] as usize]
    }

    /// What a token is worth, in 256ths of a binary digit.
    pub(super) fn weight(&self, id: TokenId) -> u32 {
        self.weights[id as usize]
    }

    /// What a token that no listed name has is worth.
    pub(super) fn unknown_weight(&self, token: &Token) -> u32 {
        weight(token.text.as_bytes(), token.class, self.heaviest)
    }

    /// The very token.
    pub(super) fn exact(&self, text: &[u8]) -> Option<TokenId> {
        self.table.get(hash(FORM, &[text])).iter().copied().find(|id| self.text(*id) == text)
    }

    /// The tokens alike to `token`, each with its similarity in thousandths, most alike first.
    pub(super) fn alike(&self, token: &Token, scratch: &mut Vec<u8>, out: &mut Vec<(TokenId, u32)>) {
        out.clear();
        let abjad = token.abjad;
        let token = token.text.as_bytes();
        let mut seen: Vec<TokenId> = Vec::with_capacity(32);
        forms(token, scratch, |hash| seen.extend_from_slice(self.table.get(hash)));
        let others = self.alike_without_vowels(token, abjad, scratch);
        seen.extend_from_slice(&others);
        seen.sort_unstable();
        seen.dedup();
        let own_letters = letters(token);
        out.extend(seen.into_iter().filter_map(|id| {
            let known = self.text(id);
            // Neither length nor letters of tokens alike differ by more; nearly all that share only a bucket do.
            let apart = known.len().abs_diff(token.len()) > MAX_LENGTH_APART
                || !can_be_alike(token, own_letters, known, self.letters[id as usize]);
            let spelt = if apart { 0 } else { similarity(token, known) };
            let alike = if others.contains(&id) { spelt.max(ABJAD) } else { spelt };
            (alike > 0).then_some((id, alike))
        }));
        out.sort_unstable_by_key(|(id, alike)| (SAME.saturating_sub(*alike), *id));
        out.truncate(MAX_ALIKE);
    }

    /// The tokens that are equal to `token` as far as a script without short vowels shows, where one of the two is
    /// written in one.
    fn alike_without_vowels(&self, token: &[u8], abjad: bool, scratch: &mut Vec<u8>) -> Vec<TokenId> {
        if !abjad && !self.any_abjad {
            return Vec::new();
        }
        let kind = if abjad { WITH_VOWELS } else { WITHOUT_VOWELS };
        let Some(hash) = abjad_form(kind, token, scratch) else { return Vec::new() };
        let mut known = Vec::new();
        let equal = |id: &TokenId| {
            abjad_skeleton(self.text(*id), &mut known);
            self.abjad[*id as usize] != abjad && known == *scratch
        };
        self.table.get(hash).iter().copied().filter(equal).collect()
    }
}

/// Particles and legal forms weigh little, single letters half.
fn weight(text: &[u8], class: TokenClass, rarity: u32) -> u32 {
    match class {
        TokenClass::Plain if text.len() == 1 => rarity / 3,
        TokenClass::Plain => rarity,
        TokenClass::Particle | TokenClass::LegalForm => LIGHT,
    }
}

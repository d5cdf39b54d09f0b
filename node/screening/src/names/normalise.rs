//! From a name as written to comparable tokens: Latin letters, lower case, one form for what is written many ways.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use any_ascii::any_ascii_char;

/// The most tokens of a name that are compared.
pub const MAX_TOKENS: usize = 24;
/// The most letters of a token that are compared.
pub const MAX_TOKEN: usize = 32;

/// What a token is worth in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenClass {
    /// Part of the name proper.
    Plain,
    /// A particle, title or article, which spellings of one name have or have not: `al`, `bin`, `the`, `dr`.
    Particle,
    /// A legal form, in its short form.
    LegalForm,
}

/// One token of a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    /// Lower-case ASCII letters and digits.
    pub text: String,
    /// What it is.
    pub class: TokenClass,
    /// It was written in a script that leaves out short vowels (Arabic, Hebrew and their kin).
    pub abjad: bool,
}

const PARTICLES: [&str; 44] = [
    "a", "abd", "abou", "abu", "al", "and", "ben", "bin", "bint", "bn", "da", "das", "de", "del", "della",
    "den", "der", "des", "di", "do", "dos", "dr", "du", "e", "ed", "el", "haji", "hajj", "ibn", "la", "le",
    "miss", "mr", "mrs", "ms", "of", "ould", "oum", "sheikh", "the", "van", "von", "y", "za",
];

const LEGAL_FORMS: &str = include_str!("../../data/legal-forms.csv");

/// Short forms by the words they stand for.
static FORMS: LazyLock<BTreeMap<Vec<&'static str>, &'static str>> = LazyLock::new(|| {
    let lines = LEGAL_FORMS.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(','))
        .map(|(words, form)| (words.split(' ').collect(), form))
        .collect()
});
/// The words that legal forms begin with.
static FIRST_WORDS: LazyLock<BTreeSet<&'static str>> =
    LazyLock::new(|| FORMS.keys().map(|words| words[0]).collect());
/// The most words in a legal form.
const MAX_FORM_WORDS: usize = 6;

/// The tokens of `name`, in its order.
pub fn tokens(name: &str) -> Vec<Token> {
    let words = words(name);
    let mut tokens = Vec::with_capacity(words.len());
    let mut at = 0;
    while at < words.len() {
        if let Some((form, length)) = legal_form(&words[at..]) {
            tokens.push(Token { text: form.to_owned(), class: TokenClass::LegalForm, abjad: false });
            at += length;
            continue;
        }
        let Word { text, abjad } = &words[at];
        let particle = words.len() > 1 && PARTICLES.binary_search(&text.as_str()).is_ok();
        let class = if particle { TokenClass::Particle } else { TokenClass::Plain };
        tokens.push(Token { text: text.clone(), class, abjad: *abjad });
        at += 1;
    }
    // A name of nothing but forms and particles is compared by them.
    if tokens.iter().all(|t| t.class != TokenClass::Plain) {
        tokens.iter_mut().for_each(|t| t.class = TokenClass::Plain);
    }
    tokens
}

/// The longest legal form at the front of the words.
fn legal_form(words: &[Word]) -> Option<(&'static str, usize)> {
    FIRST_WORDS.get(words.first()?.text.as_str())?;
    (1..=words.len().min(MAX_FORM_WORDS)).rev().find_map(|length| {
        let key: Vec<_> = words[..length].iter().map(|word| word.text.as_str()).collect();
        FORMS.get(&key as &[&str]).map(|form| (*form, length))
    })
}

/// Splits into words. Apostrophes join (`Qa'ida`), points join single letters (`A.B.C.`), all else that is no letter or
/// digit separates.
fn words(name: &str) -> Vec<Word> {
    let mut splitter = Splitter::default();
    for character in name.chars() {
        match character {
            'a'..='z' | '0'..='9' => splitter.letter(character as u8),
            'A'..='Z' => splitter.letter(character.to_ascii_lowercase() as u8),
            '\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{02bc}' | '\u{02bb}' | '\u{02bf}' | '\u{02be}' => {}
            '.' => splitter.point(),
            _ if character.is_ascii() => splitter.end(),
            _ => {
                splitter.abjad |= is_abjad(character);
                let latin = any_ascii_char(character);
                for byte in latin.bytes() {
                    match byte {
                        _ if byte.is_ascii_alphanumeric() => splitter.letter(byte.to_ascii_lowercase()),
                        b'\'' | b'`' => {}
                        _ => splitter.end(),
                    }
                }
            }
        }
        if splitter.words.len() > MAX_TOKENS {
            break;
        }
    }
    splitter.end();
    splitter.words.truncate(MAX_TOKENS);
    splitter.words
}

/// Whether a character is of a script that leaves out short vowels.
fn is_abjad(character: char) -> bool {
    matches!(character, '\u{0590}'..='\u{08ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}

/// A word in Latin letters.
struct Word {
    text: String,
    abjad: bool,
}

#[derive(Default)]
struct Splitter {
    words: Vec<Word>,
    word: String,
    /// A letter of the word is of a script without short vowels.
    abjad: bool,
    /// Letters so far that each had a point behind it; the word is an abbreviation while it has no others.
    points: usize,
}

impl Splitter {
    fn letter(&mut self, letter: u8) {
        if self.points > 0 && self.word.len() > self.points {
            // `A.Bc`: the abbreviation ended, a word began with the letter that had no point.
            let rest = self.word.split_off(self.points);
            self.end();
            self.word = rest;
        }
        if self.word.len() < MAX_TOKEN {
            self.word.push(char::from(letter));
        }
    }

    fn point(&mut self) {
        if !self.word.is_empty() && self.word.len() == self.points + 1 {
            self.points += 1;
        } else {
            self.end();
        }
    }

    fn end(&mut self) {
        self.points = 0;
        let abjad = std::mem::take(&mut self.abjad);
        if !self.word.is_empty() {
            self.words.push(Word { text: std::mem::take(&mut self.word), abjad });
        }
    }
}

/// The consonants of a token with its first letter, letters that transliterations exchange made one: equal for
/// spellings of one sound, `mohammed` and `muhamad`, `qaeda` and `kaida`.
pub(super) fn skeleton(token: &[u8], out: &mut Vec<u8>) {
    out.clear();
    for (at, &byte) in token.iter().enumerate() {
        let next = token.get(at + 1).copied();
        let class = match byte {
            b'a' | b'e' | b'i' | b'o' | b'u' | b'y' | b'w' if at > 0 => continue,
            b'a' | b'e' | b'i' | b'o' | b'u' => b'a',
            b'p' if next == Some(b'h') => b'f',
            b'h' if at > 0
                && matches!(token[at - 1], b'p' | b'k' | b'g' | b'd' | b't' | b'c' | b's' | b'z') =>
            {
                continue;
            }
            b'c' | b'q' | b'k' => b'k',
            b'z' | b's' => b's',
            b'v' | b'f' => b'f',
            b'g' | b'j' => b'g',
            other => other,
        };
        if out.last() != Some(&class) {
            out.push(class);
        }
    }
}

/// The skeleton as far as a script without short vowels and without a letter for p shows it: equal for `perez` and
/// `byryz`, which is how Arabic has it.
pub(super) fn abjad_skeleton(token: &[u8], out: &mut Vec<u8>) {
    skeleton(token, out);
    out.iter_mut().filter(|letter| **letter == b'p').for_each(|letter| *letter = b'b');
    out.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str) -> Vec<String> {
        tokens(name).into_iter().map(|t| t.text).collect()
    }

    #[test]
    fn spellings_of_one_name_become_one() {
        assert_eq!(texts("Aleksandar Vučić"), ["aleksandar", "vucic"]);
        assert_eq!(texts("Al Qa'ida"), ["al", "qaida"]);
        assert_eq!(texts("A.B.C. Company"), ["abc", "co"]);
        assert_eq!(texts("J. R. Smith-Jones"), ["j", "r", "smith", "jones"]);
        assert_eq!(texts("JPMorgan Chase Bank, N.A."), ["jpmorgan", "chase", "bank", "na"]);
        assert_eq!(texts("Владимир Путин"), ["vladimir", "putin"]);
        assert_eq!(texts("STRAẞE  \u{301}é"), ["strasse", "e"]);
        assert_eq!(texts(""), Vec::<String>::new());
    }

    #[test]
    fn legal_forms_have_one_spelling() {
        let last = |name| tokens(name).pop().unwrap();
        for name in ["X LLC", "X L.L.C.", "X Limited Liability Company"] {
            assert_eq!(
                last(name),
                Token { text: "llc".to_owned(), class: TokenClass::LegalForm, abjad: false },
                "{name}"
            );
        }
        assert_eq!(tokens("Open Joint Stock Company Gazprom")[0].text, "oao");
        assert_eq!(last("SA").class, TokenClass::Plain);
    }

    #[test]
    fn the_particles_are_sorted_for_the_search() {
        assert!(PARTICLES.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn a_skeleton_is_shared_by_transliterations() {
        let of = |token: &str| {
            let mut out = Vec::new();
            skeleton(token.as_bytes(), &mut out);
            String::from_utf8(out).unwrap()
        };
        for (a, b) in [("mohammed", "muhamad"), ("qaeda", "kaida"), ("osama", "usama"), ("hussein", "husayn")]
        {
            assert_eq!(of(a), of(b), "{a} {b}");
        }
        assert_ne!(of("putin"), of("pulin"));
    }
}

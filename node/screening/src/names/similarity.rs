//! How alike two tokens are, in thousandths, by what it costs to turn one into the other.

use super::normalise::MAX_TOKEN;

/// Equal.
pub(super) const SAME: u32 = 1000;
/// Equal as far as a script without short vowels shows.
pub(super) const ABJAD: u32 = 900;
/// Less alike than this is not alike.
pub(super) const LEAST_ALIKE: u32 = 690;

/// Shorter tokens are equal or not alike.
const SHORTEST: usize = 3;

/// A whole edit; all costs are in tenths of it.
const EDIT: u32 = 10;
/// One vowel for another, or a consonant for one that transliterations exchange it with.
const SOUND_ALIKE: u32 = 6;
/// A vowel too many or too few.
const VOWEL: u32 = 7;
/// A letter doubled or not.
const DOUBLED: u32 = 4;
/// Two neighbours in the other order.
const SWAPPED: u32 = 9;
/// What any change to the first letter costs on top: people rarely mistype it.
const FIRST: u32 = 4;

const fn is_vowel(byte: u8) -> bool {
    matches!(byte, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')
}

/// Consonants with the same number are exchanged by transliterations and ears; 0 is exchanged with none.
const fn sound(consonant: u8) -> u8 {
    match consonant {
        b'c' | b'k' | b'q' => 1,
        b's' | b'z' => 2,
        b'v' | b'w' | b'f' => 3,
        b'g' | b'j' => 4,
        b'd' | b't' => 5,
        b'b' | b'p' => 6,
        _ => 0,
    }
}

const fn sound_alike(a: u8, b: u8) -> bool {
    let semivowel = (a == b'j' && matches!(b, b'i' | b'y')) || (b == b'j' && matches!(a, b'i' | b'y'));
    is_vowel(a) && is_vowel(b) || sound(a) != 0 && sound(a) == sound(b) || semivowel
}

/// Letters, rounded up to a power of two: a masked byte is always within the table.
const LETTERS: usize = 32;

/// The cost of one letter for another, by their last five bits; digits are never compared.
const SUBSTITUTION: [[u8; LETTERS]; LETTERS] = {
    let mut costs = [[EDIT as u8; LETTERS]; LETTERS];
    let mut a = 0;
    while a < LETTERS {
        let mut b = 0;
        while b < LETTERS {
            // The last five bits of a lower-case letter are its place in the alphabet.
            if a == b {
                costs[a][b] = 0;
            } else if sound_alike(0x60 | a as u8, 0x60 | b as u8) {
                costs[a][b] = SOUND_ALIKE as u8;
            }
            b += 1;
        }
        a += 1;
    }
    costs
};

fn substitution(a: u8, b: u8) -> u32 {
    u32::from(SUBSTITUTION[usize::from(a) % LETTERS][usize::from(b) % LETTERS])
}

/// The cost of leaving out `byte`, which stands between `before` and whatever follows.
fn deletion(byte: u8, before: Option<u8>) -> u32 {
    match before {
        Some(b) if b == byte => DOUBLED,
        _ if is_vowel(byte) || byte == b'h' => VOWEL,
        _ => EDIT,
    }
}

/// The most that turning one token into another may cost for them to be alike.
fn most(longer: usize) -> u32 {
    ((SAME - LEAST_ALIKE + 1) * longer as u32 - 1) / 100
}

/// A bit for each letter that the token has, and one for all digits.
pub(super) fn letters(token: &[u8]) -> u32 {
    token
        .iter()
        .fold(0, |mask, byte| mask | 1 << if byte.is_ascii_lowercase() { byte - b'a' } else { DIGITS })
}

/// The bit of digits, behind those of 26 letters.
const DIGITS: u8 = 26;

/// The letters that can go for less than a whole edit, as bits: those that sound like others, and `h`.
const CHEAP: u32 = {
    let (mut mask, mut letter) = (1 << (b'h' - b'a'), 0);
    while letter < DIGITS {
        if is_vowel(b'a' + letter) || sound(b'a' + letter) != 0 {
            mask |= 1 << letter;
        }
        letter += 1;
    }
    mask
};

/// Whether `a` and `b` can be alike, by the kinds of letters that each has. A kind that only one of them has takes at
/// least one exchange or omission of its own, since either is about one letter of that token, and none of them costs
/// less than an exchange of letters that sound alike, or than a whole edit for letters without such a one.
pub(super) fn can_be_alike(a: &[u8], a_letters: u32, b: &[u8], b_letters: u32) -> bool {
    let least = |only: u32| (only & CHEAP).count_ones() * SOUND_ALIKE + (only & !CHEAP).count_ones() * EDIT;
    let apart = least(a_letters & !b_letters).max(least(b_letters & !a_letters));
    apart + first(a, b) <= most(a.len().max(b.len()))
}

/// What a change of the first letter costs on top. Transliterations differ even in a first vowel: Osama, Usama.
fn first(a: &[u8], b: &[u8]) -> u32 {
    match (a.first(), b.first()) {
        (Some(x), Some(y)) if x == y || is_vowel(*x) && is_vowel(*y) => 0,
        _ => FIRST,
    }
}

/// The least cost of turning `a` into `b` by leaving out, adding, exchanging and swapping letters (optimal string
/// alignment with the costs above); anything above `most` if it is more than that.
fn cost(a: &[u8], b: &[u8], most: u32) -> u32 {
    let mut rows = [[0_u32; MAX_TOKEN + 1]; 3];
    let mut adds = [0_u32; MAX_TOKEN];
    for (j, &byte) in b.iter().enumerate() {
        adds[j] = deletion(byte, j.checked_sub(1).map(|k| b[k]));
        rows[0][j + 1] = rows[0][j] + adds[j];
    }
    let mut before_row = 0;
    for (i, &x) in a.iter().enumerate() {
        let (this, last, before) = ((i + 1) % 3, i % 3, (i + 2) % 3);
        let drop = deletion(x, i.checked_sub(1).map(|k| a[k]));
        rows[this][0] = rows[last][0] + drop;
        let mut row = rows[this][0];
        for (j, &y) in b.iter().enumerate() {
            let mut least = (rows[last][j] + substitution(x, y))
                .min(rows[last][j + 1] + drop)
                .min(rows[this][j] + adds[j]);
            if i > 0 && j > 0 && x != y && x == b[j - 1] && a[i - 1] == y {
                least = least.min(rows[before][j - 1] + SWAPPED);
            }
            rows[this][j + 1] = least;
            row = row.min(least);
        }
        // What comes is at least this row, or the row before it and a swap.
        if row > most && before_row > most {
            return row;
        }
        before_row = row;
    }
    rows[a.len() % 3][b.len()] + first(a, b)
}

/// How alike two tokens of at most [`MAX_TOKEN`] lower-case letters and digits are, in thousandths; 0 if they are not.
pub fn similarity(a: &[u8], b: &[u8]) -> u32 {
    if a == b {
        return SAME;
    }
    let longer = a.len().max(b.len());
    let digits = |token: &[u8]| token.iter().any(u8::is_ascii_digit);
    // Numbers are not mistyped names: `Unit 17` is not `Unit 18`.
    if !(SHORTEST..=MAX_TOKEN).contains(&longer) || digits(a) || digits(b) {
        return 0;
    }
    let lost = cost(a, b, most(longer)) * 100 / longer as u32;
    let alike = SAME.saturating_sub(lost);
    if alike >= LEAST_ALIKE { alike } else { 0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(a: &str, b: &str) -> u32 {
        similarity(a.as_bytes(), b.as_bytes())
    }

    #[test]
    fn cheap_changes_cost_less() {
        assert_eq!(of("putin", "putin"), SAME);
        assert!(of("mohammed", "mohamed") > of("mohammed", "mohammad"));
        assert!(of("laden", "ladin") > of("laden", "lagen"));
        assert!(of("putin", "upt") == 0);
        assert!(of("vladimir", "vladmiir") >= 880);
        assert!(of("putin", "butin") < of("putin", "pudin"));
    }

    #[test]
    fn numbers_and_short_words_are_equal_or_not() {
        assert_eq!(of("17", "18"), 0);
        assert_eq!(of("unit17", "unit18"), 0);
        assert_eq!(of("li", "le"), 0);
    }

    proptest! {
        #[test]
        fn giving_up_early_changes_nothing(a in "[a-e]{1,12}", b in "[a-e]{1,12}") {
            let longer = a.len().max(b.len());
            let whole = cost(a.as_bytes(), b.as_bytes(), u32::MAX);
            let alike = SAME.saturating_sub(whole * 100 / longer as u32);
            let expected = if a == b {
                SAME
            } else if longer >= SHORTEST && alike >= LEAST_ALIKE {
                alike
            } else {
                0
            };
            prop_assert_eq!(of(&a, &b), expected);
        }

        #[test]
        fn nothing_alike_is_passed_over_for_its_letters(a in "[a-z]{1,9}", b in "[a-z]{1,9}", c in "[a-eghjlr]{3,6}") {
            for (a, b) in [(&a, &b), (&c, &format!("{c}{b}")), (&format!("{a}{c}"), &c)] {
                let (a, b) = (a.as_bytes(), b.as_bytes());
                prop_assert!(similarity(a, b) == 0 || can_be_alike(a, letters(a), b, letters(b)));
            }
        }

        #[test]
        fn it_is_symmetric_and_bounded(a in "[a-z]{1,32}", b in "[a-z]{1,32}") {
            prop_assert_eq!(of(&a, &b), of(&b, &a));
            prop_assert!(of(&a, &b) <= SAME);
            prop_assert_eq!(of(&a, &a), SAME);
        }
    }
}

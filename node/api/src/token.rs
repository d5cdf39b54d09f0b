//! The bearer token of the interface (RFC 6750): 32 random bytes, shown as hexadecimal digits.

use std::fmt;

use rand::{CryptoRng, RngCore};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Bytes of a token.
pub const TOKEN_LENGTH: usize = 32;

/// A token. It is compared in constant time, wiped when dropped, and never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct ApiToken([u8; TOKEN_LENGTH]);

/// A text that is not a token; the text itself is not repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a token: 64 hexadecimal digits are wanted")]
pub struct TokenError;

impl ApiToken {
    /// The token of these bytes.
    pub fn new(bytes: [u8; TOKEN_LENGTH]) -> Self {
        Self(bytes)
    }

    /// A new token.
    pub fn generate(rng: &mut (impl RngCore + CryptoRng)) -> Self {
        let mut token = Self([0; TOKEN_LENGTH]);
        rng.fill_bytes(&mut token.0);
        token
    }

    /// Reads a token; white space around it, such as a file's last newline, does not count.
    ///
    /// # Errors
    /// [`TokenError`] unless it is 64 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let mut token = Self([0; TOKEN_LENGTH]);
        hex::decode_to_slice(text.trim(), &mut token.0).map_err(|_| TokenError)?;
        Ok(token)
    }

    /// The hexadecimal digits, for the token's file and the header.
    pub fn to_hex(&self) -> Zeroizing<String> {
        Zeroizing::new(hex::encode(self.0))
    }

    /// Whether `presented` is this token; takes as long whatever the first difference.
    pub fn admits(&self, presented: &Self) -> bool {
        self.0.ct_eq(&presented.0).into()
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken(..)")
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha20Rng;

    use super::*;

    #[test]
    fn a_token_reads_back_and_admits_only_itself() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (one, other) = (ApiToken::generate(&mut rng), ApiToken::generate(&mut rng));
        let again = ApiToken::parse(&format!("{}\n", *one.to_hex())).unwrap();
        assert!(one.admits(&again));
        assert!(!one.admits(&other));
        assert!(!format!("{one:?}").contains(&one.to_hex()[..4]));
    }

    #[test]
    fn other_texts_are_no_tokens() {
        for bad in ["", "zz", &"0".repeat(63), &"0".repeat(66), &"g".repeat(64)] {
            assert_eq!(ApiToken::parse(bad).err(), Some(TokenError), "{bad}");
        }
    }
}

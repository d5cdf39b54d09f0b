//! What a contributor declares about its contribution, signed with the founder's key: only attested contributions
//! count, for anyone can put a founder's name into a file.

use hansa_types::{
    codec::{Decode, Encode},
    codec_struct,
    hash::Digest,
    id::{BankId, Timestamp},
    sign::{SignError, Signer, verify},
};
use serde::{Deserialize, Serialize};

use crate::{
    charter::{Charter, MAX_TEXT},
    file::{self, Kind},
    flaw::Flaw,
};

/// The most items of a list in an attestation.
const MAX_ITEMS: usize = 64;

/// A medium that held or could have held the secrets, and was destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Medium {
    /// Its serial number.
    pub serial: String,
    /// SHA-256 of the photograph of what is left.
    pub photograph: Digest,
}
codec_struct!(Medium { serial, photograph });

/// What a contributor declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Who carried the contribution out.
    pub person: String,
    /// On which machine, and how it was cut off.
    pub machine: String,
    /// Where the randomness came from, beside the operating system's.
    pub entropy: Vec<String>,
    /// What was destroyed afterwards.
    pub destroyed: Vec<Medium>,
}
codec_struct!(Statement { person, machine, entropy, destroyed });

/// A statement about one contribution.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attestation {
    /// The digest of the charter.
    pub charter: Digest,
    /// The founder that contributed.
    pub bank: BankId,
    /// SHA-256 of the contribution's file.
    pub contribution: Digest,
    /// When it was signed.
    pub at: Timestamp,
    /// What is declared.
    pub statement: Statement,
}
codec_struct!(Attestation { charter, bank, contribution, at, statement });

impl Attestation {
    /// The file, signed.
    ///
    /// # Errors
    /// If the key cannot sign.
    pub fn sign(&self, key: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let signature = key.sign(&self.message())?;
        Ok(file::compose(Kind::Attestation, self, |out| out.extend(signature)))
    }

    /// Reads an attestation and checks that a founder of the charter signed it.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn open(bytes: &[u8], charter: &Charter) -> Result<Self, Flaw> {
        let mut reader = file::open(Kind::Attestation, bytes)?;
        let attestation = Self::decode(&mut reader)?;
        let signature: [u8; 64] = reader.array()?;
        reader.finish()?;
        attestation.check()?;
        let known = charter.digest();
        if attestation.charter != known {
            return Err(Flaw::Charter { found: attestation.charter, charter: known });
        }
        let founder = charter.founders.get(&attestation.bank);
        if !founder.is_some_and(|founder| verify(&founder.key, &attestation.message(), &signature)) {
            return Err(Flaw::Signature(attestation.bank.to_string()));
        }
        Ok(attestation)
    }

    /// The rules that hold for every attestation.
    ///
    /// # Errors
    /// [`Flaw::Content`].
    pub fn check(&self) -> Result<(), Flaw> {
        let Statement { person, machine, entropy, destroyed } = &self.statement;
        if person.is_empty() || machine.is_empty() {
            return Err(Flaw::Content("it must name the person and the machine".into()));
        }
        let texts =
            [person, machine].into_iter().chain(entropy).chain(destroyed.iter().map(|medium| &medium.serial));
        if texts.into_iter().any(|text| text.len() > MAX_TEXT)
            || entropy.len().max(destroyed.len()) > MAX_ITEMS
        {
            return Err(Flaw::Content(format!(
                "a text has more than {MAX_TEXT} bytes, or a list more than {MAX_ITEMS} items"
            )));
        }
        Ok(())
    }

    fn message(&self) -> Vec<u8> {
        [b"hansa/attestation/v1\0".as_slice(), &self.to_bytes()].concat()
    }
}

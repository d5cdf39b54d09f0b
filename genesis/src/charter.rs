//! The charter: who founds, for which circuit, by which rules. All founders sign it; its digest begins the transcript.

use std::collections::{BTreeMap, BTreeSet};

use hansa_types::{
    codec::{CodecError, Decode, Encode, Reader, Writer},
    codec_struct,
    hash::{Digest, PublicKey, digest_of},
    id::BankId,
    lei::Lei,
    sign::{Signer, verify},
};
use serde::{Deserialize, Serialize};

use crate::{
    CeremonyError,
    beacon::Beacon,
    file::{self, Kind},
    flaw::Flaw,
    phase1::MAX_POWER,
};

/// The most founders.
pub const MAX_FOUNDERS: usize = 1024;
/// The longest text of a charter or attestation.
pub const MAX_TEXT: usize = 4096;

/// A founder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founder {
    /// The legal name.
    pub institution: String,
    /// The ultimate parent: contributions of two banks with one parent count once.
    pub parent: Lei,
    /// Its governance key, with which it signs charter and attestations.
    pub key: PublicKey,
}
codec_struct!(Founder { institution, parent, key });

/// Where phase 1 comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// The founders make it.
    Own,
    /// It was made elsewhere: the SHA-256 of its file, as `hansa-genesis import` wrote it.
    Given(Digest),
}

impl Encode for Source {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Own => out.u8(0),
            Self::Given(digest) => {
                out.u8(1);
                digest.encode(out);
            }
        }
    }
}

impl Decode for Source {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        match input.u8()? {
            0 => Ok(Self::Own),
            1 => Ok(Self::Given(Decode::decode(input)?)),
            other => Err(CodecError::invalid("phase 1 source", format!("{other} is no kind of it"))),
        }
    }
}

/// The rules of a ceremony.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charter {
    /// What people call the consortium.
    pub name: String,
    /// Who founds.
    pub founders: BTreeMap<BankId, Founder>,
    /// k: how many different institutions must contribute to each phase made here.
    pub institutions_needed: u32,
    /// The circuit's version.
    pub circuit_version: u16,
    /// The circuit's hash.
    pub circuit: Digest,
    /// Log2 of the circuit's domain.
    pub power: u8,
    /// Where phase 1 comes from.
    pub phase1: Source,
    /// The public randomness that ends phase 2, if any: chosen before anybody can know it.
    pub beacon: Option<Beacon>,
}
codec_struct!(Charter {
    name,
    founders,
    institutions_needed,
    circuit_version,
    circuit,
    power,
    phase1,
    beacon
});

impl Charter {
    /// What begins the transcript.
    #[must_use]
    pub fn digest(&self) -> Digest {
        digest_of("hansa/charter/v1", self)
    }

    /// How many different institutions are among these banks.
    #[must_use]
    pub fn institutions<'a>(&self, banks: impl IntoIterator<Item = &'a BankId>) -> usize {
        let parents: BTreeSet<&Lei> = banks
            .into_iter()
            .filter_map(|bank| self.founders.get(bank))
            .map(|founder| &founder.parent)
            .collect();
        parents.len()
    }

    /// The rules that hold for every charter.
    ///
    /// # Errors
    /// [`Flaw::Content`] with the rule that is broken.
    pub fn check(&self) -> Result<(), Flaw> {
        let fail = |detail: String| Err(Flaw::Content(detail));
        if self.founders.is_empty() || self.founders.len() > MAX_FOUNDERS {
            return fail(format!(
                "it has {} founders; 1 to {MAX_FOUNDERS} are possible",
                self.founders.len()
            ));
        }
        let institutions = self.institutions(self.founders.keys());
        if self.institutions_needed == 0 || self.institutions_needed as usize > institutions {
            return fail(format!(
                "it wants {} institutions to contribute and names {institutions} different ones",
                self.institutions_needed
            ));
        }
        if self.power == 0 || self.power > MAX_POWER {
            return fail(format!("the power {} is not one of 1 to {MAX_POWER}", self.power));
        }
        let mut texts = self.founders.values().map(|founder| &founder.institution).chain([&self.name]);
        if texts.any(|text| text.is_empty() || text.len() > MAX_TEXT) {
            return fail(format!("a name is empty or longer than {MAX_TEXT} bytes"));
        }
        let keys: BTreeSet<_> = self.founders.values().map(|founder| founder.key.0).collect();
        if keys.len() < self.founders.len() {
            return fail("two founders have the same key".into());
        }
        self.beacon.as_ref().map_or(Ok(()), Beacon::check)
    }

    fn message(&self) -> Vec<u8> {
        [b"hansa/charter-signature/v1\0".as_slice(), &self.digest().0].concat()
    }
}

/// A charter and the signatures that it has so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCharter {
    /// What is signed.
    pub charter: Charter,
    /// By founder.
    pub signatures: BTreeMap<BankId, [u8; 64]>,
}
codec_struct!(SignedCharter { charter, signatures });

impl SignedCharter {
    /// A charter that nobody has signed.
    #[must_use]
    pub fn new(charter: Charter) -> Self {
        Self { charter, signatures: BTreeMap::new() }
    }

    /// Signs for a founder.
    ///
    /// # Errors
    /// [`CeremonyError`] if the bank is no founder, the key not its own, or it cannot sign.
    pub fn sign(&mut self, bank: &BankId, key: &dyn Signer) -> Result<(), CeremonyError> {
        let founder = self.charter.founders.get(bank);
        let stranger = || Flaw::Content(format!("{bank} is not a founder named in the charter"));
        let founder = founder.ok_or_else(|| CeremonyError::NotAllowed(stranger()))?;
        if founder.key != key.public_key() {
            return Err(CeremonyError::NotAllowed(Flaw::Signature(bank.to_string())));
        }
        self.signatures.insert(bank.clone(), key.sign(&self.charter.message())?);
        Ok(())
    }

    /// The file.
    #[must_use]
    pub fn to_file(&self) -> Vec<u8> {
        file::compose(Kind::Charter, self, |_| {})
    }

    /// Reads a charter's file; its signatures, as many as there are, fit.
    ///
    /// # Errors
    /// [`Flaw`].
    pub fn from_file(bytes: &[u8]) -> Result<Self, Flaw> {
        let mut reader = file::open(Kind::Charter, bytes)?;
        let signed = Self::decode(&mut reader)?;
        reader.finish()?;
        signed.charter.check()?;
        let message = signed.charter.message();
        for (bank, signature) in &signed.signatures {
            let founder = signed.charter.founders.get(bank);
            if !founder.is_some_and(|founder| verify(&founder.key, &message, signature)) {
                return Err(Flaw::Signature(bank.to_string()));
            }
        }
        Ok(signed)
    }

    /// The charter, if every founder has signed it.
    ///
    /// # Errors
    /// [`Flaw::Content`] with those who have not.
    pub fn complete(&self) -> Result<&Charter, Flaw> {
        let missing: Vec<_> = self.unsigned().map(|bank| bank.as_str()).collect();
        if missing.is_empty() {
            return Ok(&self.charter);
        }
        Err(Flaw::Content(format!("not signed yet by {}: every founder must", missing.join(", "))))
    }

    /// Who has not signed.
    pub fn unsigned(&self) -> impl Iterator<Item = &BankId> {
        self.charter.founders.keys().filter(|bank| !self.signatures.contains_key(*bank))
    }
}

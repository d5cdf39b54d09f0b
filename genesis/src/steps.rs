//! The steps of a ceremony after the charter: each reads a verified transcript and writes one file.

use std::path::{Path, PathBuf};

use ark_bls12_381::{Bls12_381, G2Affine};
use ark_ec::AffineRepr;
use hansa_prover::keys::ProvingKey;
use hansa_types::{
    hash::Digest,
    id::{BankId, Timestamp},
    sign::Signer,
};

use crate::{
    attestation::{Attestation, Statement},
    charter::Source,
    circuit::Circuit,
    error::CeremonyError,
    file::{self, Kind},
    phase1::Phase1,
    phase2::Start,
    place::{Contributor, Phase, Place},
    secret::Entropy,
    transcript::{
        StartHeader, Transcript, admitted, attestation_name, charter, contribution_name, unattested,
    },
};

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// SHA-256 of its bytes: what a contributor reads out to the others.
    pub hash: Digest,
}

impl Transcript {
    /// Contributes to the phase that is open, for a founder.
    ///
    /// # Errors
    /// [`CeremonyError`] if the bank is no founder, the ceremony is over, or secrets cannot be kept.
    pub fn contribute(mut self, bank: &BankId, entropy: &Entropy) -> Result<Written, CeremonyError> {
        let place = self.next(Contributor::Institution(bank.clone()));
        admitted(&self.charter, &place).map_err(CeremonyError::NotAllowed)?;
        if self.is_closed() {
            return Err(CeremonyError::Closed);
        }
        let bytes = match (&mut self.phase2, &mut self.phase1) {
            (Some(phase2), _) => {
                let mut divided = phase2.divided.clone();
                let knowledge = divided.contribute(entropy, &place)?;
                file::compose(Kind::Divided, &place, |out| {
                    knowledge.write(out);
                    divided.write(out);
                })
            }
            (None, Phase1::Powers(powers)) if self.charter.phase1 == Source::Own => {
                let step = powers.contribute(entropy, &place)?;
                file::compose(Kind::Powers, &place, |out| {
                    step.write(out);
                    powers.write(out);
                })
            }
            _ => return Err(CeremonyError::GivenPhase1),
        };
        self.write(&place, &bytes)
    }

    /// Closes phase 1 and computes the start of phase 2.
    ///
    /// # Errors
    /// [`CeremonyError`] if phase 2 has begun or too few contributed to an own phase 1.
    pub fn start(&self, circuit: &Circuit) -> Result<Written, CeremonyError> {
        if self.in_phase2() {
            return Err(CeremonyError::Begun);
        }
        self.enough(Phase::One)?;
        let start = Start::compute(circuit, &self.phase1)?;
        let header =
            StartHeader { charter: self.charter.digest(), circuit: circuit.hash, phase1: self.phase1_hash };
        let bytes = file::compose(Kind::Start, &header, |out| start.write(out));
        let path = self.folder.join(contribution_name(Phase::Two, 0));
        file::write(&path, &bytes)?;
        Ok(Written { path, hash: file::hash(&bytes) })
    }

    /// Ends phase 2 with the charter's beacon, whose round has this signature.
    ///
    /// # Errors
    /// [`CeremonyError`] if the charter names no beacon, or the signature is not its round's.
    pub fn apply_beacon(&self, signature: [u8; 48]) -> Result<Written, CeremonyError> {
        let phase2 = self.phase2.as_ref().ok_or(CeremonyError::NotBegun)?;
        if self.is_closed() {
            return Err(CeremonyError::Closed);
        }
        let place = self.next(Contributor::Beacon(signature));
        admitted(&self.charter, &place).map_err(CeremonyError::NotAllowed)?;
        let mut divided = phase2.divided.clone();
        let knowledge = divided.multiply(&crate::beacon::scalar(&signature, &place.previous)?, &place)?;
        let bytes = file::compose(Kind::Divided, &place, |out| {
            knowledge.write(out);
            divided.write(out);
        });
        self.write(&place, &bytes)
    }

    /// The keys in arkworks' form, if the charter's rules are met.
    ///
    /// # Errors
    /// [`CeremonyError`] if too few institutions contributed, or the beacon is missing.
    pub fn keys(&self) -> Result<ark_groth16::ProvingKey<Bls12_381>, CeremonyError> {
        let phase2 = self.phase2.as_ref().ok_or(CeremonyError::NotBegun)?;
        self.enough(Phase::One)?;
        self.enough(Phase::Two)?;
        if let Some(beacon) = self.charter.beacon.as_ref().filter(|_| !self.is_closed()) {
            return Err(CeremonyError::NoBeacon(beacon.round));
        }
        let (start, divided) = (&phase2.start, &phase2.divided);
        Ok(ark_groth16::ProvingKey {
            vk: ark_groth16::VerifyingKey {
                alpha_g1: start.alpha,
                beta_g2: start.beta_g2,
                gamma_g2: G2Affine::generator(),
                delta_g2: divided.delta_g2,
                gamma_abc_g1: start.inputs.clone(),
            },
            beta_g1: start.beta,
            delta_g1: divided.delta,
            a_query: start.a.clone(),
            b_g1_query: start.b_g1.clone(),
            b_g2_query: start.b_g2.clone(),
            h_query: divided.h.clone(),
            l_query: divided.l.clone(),
        })
    }

    /// The keys of the risk signals' circuit, for nodes.
    ///
    /// # Errors
    /// As [`Self::keys`], and [`CeremonyError::Key`] if the prover refuses them.
    pub fn finalize(&self) -> Result<ProvingKey, CeremonyError> {
        Ok(ProvingKey::new(self.keys()?)?)
    }

    /// Whether as many institutions as the charter wants contributed to a phase made here.
    fn enough(&self, phase: Phase) -> Result<(), CeremonyError> {
        let needed = self.charter.institutions_needed;
        let counted = self.institutions(phase);
        if counted >= needed as usize || (phase == Phase::One && self.charter.phase1 != Source::Own) {
            return Ok(());
        }
        Err(CeremonyError::TooFew { phase, counted, needed })
    }

    fn write(&self, place: &Place, bytes: &[u8]) -> Result<Written, CeremonyError> {
        let path = self.folder.join(contribution_name(place.phase, place.number));
        file::write(&path, bytes)?;
        Ok(Written { path, hash: file::hash(bytes) })
    }
}

/// Attests to the bank's first contribution in the folder that has no attestation. The transcript is not verified: what
/// is attested to is the file with its hash, however it stands there.
///
/// # Errors
/// [`CeremonyError`] if there is none, or the key is not the founder's.
pub fn attest(
    folder: &Path,
    of: &BankId,
    statement: Statement,
    at: Timestamp,
    key: &dyn Signer,
) -> Result<Written, CeremonyError> {
    let charter = charter(folder)?;
    let (place, contribution) =
        unattested(folder, of)?.ok_or_else(|| CeremonyError::NothingToAttest(of.clone()))?;
    let attestation =
        Attestation { charter: charter.digest(), bank: of.clone(), contribution, at, statement };
    attestation.check().map_err(CeremonyError::NotAllowed)?;
    let bytes = attestation.sign(key)?;
    Attestation::open(&bytes, &charter).map_err(CeremonyError::NotAllowed)?;
    let path = folder.join(attestation_name(place.phase, place.number));
    file::write(&path, &bytes)?;
    Ok(Written { path, hash: file::hash(&bytes) })
}

//! Ceremonies on small circuits: what they hold, and every way of spoiling one.

mod honest;
mod memory;
mod rules;
mod spoilt;
mod start;

use std::{collections::BTreeMap, fs};

use ark_bls12_381::Fr;
use ark_ff::Field;
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystem, ConstraintSystemRef, OptimizationGoal, R1CS_PREDICATE_LABEL,
    SynthesisError, SynthesisMode,
};
use hansa_keys::{FileSigner, Secret as KeySecret};
use hansa_types::{
    hash::digest,
    id::{BankId, Timestamp},
    lei::Lei,
    sign::Signer as _,
};

use crate::{
    CeremonyError, Written,
    attestation::{Medium, Statement},
    charter::{Charter, Founder, SignedCharter, Source},
    circuit::Circuit,
    file,
    secret::Entropy,
    transcript::{CHARTER, Transcript},
};

/// x^(2^k) = y with y public: `squarings` constraints, some of them with other coefficients and a sum.
#[derive(Clone)]
pub(crate) struct Squarings {
    pub(crate) squarings: usize,
    pub(crate) x: Fr,
}

impl Squarings {
    pub(crate) fn y(&self) -> Fr {
        (0..self.squarings).fold(self.x, |value, i| value.square() + Fr::from(i as u64))
    }
}

impl ConstraintSynthesizer<Fr> for Squarings {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        use ark_relations::{gr1cs::Variable, lc};
        let y = cs.new_input_variable(|| Ok(self.y()))?;
        let mut value = self.x;
        let mut last = cs.new_witness_variable(|| Ok(value))?;
        for i in 0..self.squarings {
            // (3 x) (x / 3) = next - i
            let three = Fr::from(3_u8);
            value = value.square() + Fr::from(i as u64);
            let next = if i + 1 == self.squarings { y } else { cs.new_witness_variable(|| Ok(value))? };
            cs.enforce_r1cs_constraint(
                || lc!() + (three, last),
                || lc!() + (Fr::ONE / three, last),
                || lc!() + next - (Fr::from(i as u64), Variable::One),
            )?;
            last = next;
        }
        Ok(())
    }
}

/// The circuit of so many squarings.
pub(crate) fn circuit(squarings: usize) -> Circuit {
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    cs.set_mode(SynthesisMode::Setup);
    Squarings { squarings, x: Fr::from(2_u8) }.generate_constraints(cs.clone()).unwrap();
    cs.finalize();
    let matrices = cs.to_matrices().unwrap().remove(R1CS_PREDICATE_LABEL).unwrap();
    Circuit {
        matrices: matrices.try_into().unwrap(),
        public: cs.num_instance_variables(),
        witnesses: cs.num_witness_variables(),
        hash: digest("test", &[&squarings.to_be_bytes()]),
    }
}

pub(crate) fn bank(i: u8) -> BankId {
    format!("bank-{i}").parse().unwrap()
}

pub(crate) fn key(i: u8) -> FileSigner {
    FileSigner::new(&KeySecret::from_bytes([i + 1; 32]))
}

/// Parents of bank 0, 1, ..: bank 3 belongs to the group of bank 0.
const PARENTS: [&str; 4] =
    ["5493001KJTIIGC8Y1R12", "HANSA000000000000A57", "HANSA000000000000B54", "5493001KJTIIGC8Y1R12"];

/// A charter of four banks with three parents.
pub(crate) fn charter(circuit: &Circuit) -> Charter {
    let founder = |i: u8| {
        let parent = Lei::try_from(PARENTS[usize::from(i)]).unwrap();
        (bank(i), Founder { institution: format!("Bank {i}"), parent, key: key(i).public_key() })
    };
    Charter {
        name: "test".into(),
        founders: (0..4).map(founder).collect::<BTreeMap<_, _>>(),
        institutions_needed: 2,
        circuit_version: 1,
        circuit: circuit.hash,
        power: circuit.power(),
        phase1: Source::Own,
        beacon: None,
    }
}

/// A ceremony in a folder of its own.
pub(crate) struct Ceremony {
    pub(crate) circuit: Circuit,
    pub(crate) folder: tempfile::TempDir,
}

impl Ceremony {
    /// With this charter, signed by all.
    pub(crate) fn new(circuit: Circuit, charter: Charter) -> Self {
        let ceremony = Self { circuit, folder: tempfile::tempdir().unwrap() };
        let mut signed = SignedCharter::new(charter);
        for i in 0..4 {
            signed.sign(&bank(i), &key(i)).unwrap();
        }
        file::write(&ceremony.path(CHARTER), &signed.to_file()).unwrap();
        ceremony
    }

    /// With the usual charter and a circuit of eight rows.
    pub(crate) fn small() -> Self {
        let circuit = circuit(5);
        let charter = charter(&circuit);
        Self::new(circuit, charter)
    }

    /// Through both phases: banks 0 and 1 in each, all attested.
    pub(crate) fn complete() -> Self {
        let ceremony = Self::small();
        for i in [0, 1] {
            ceremony.contribute(i).unwrap();
            ceremony.attest(i).unwrap();
        }
        ceremony.open().unwrap().start(&ceremony.circuit).unwrap();
        for i in [0, 1] {
            ceremony.contribute(i).unwrap();
            ceremony.attest(i).unwrap();
        }
        ceremony
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn open(&self) -> Result<Transcript, CeremonyError> {
        Transcript::verify(self.folder.path(), &self.circuit, &mut |_| {})
    }

    pub(crate) fn contribute(&self, i: u8) -> Result<Written, CeremonyError> {
        let transcript = self.open()?;
        let entropy = Entropy::known(&[i, u8::from(transcript.in_phase2())])?;
        transcript.contribute(&bank(i), &entropy)
    }

    pub(crate) fn attest(&self, i: u8) -> Result<Written, CeremonyError> {
        crate::attest(self.folder.path(), &bank(i), statement(i), Timestamp(1_700_000_000), &key(i))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(&self.folder)
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

pub(crate) fn statement(i: u8) -> Statement {
    Statement {
        person: format!("Officer {i} <of> Bank"),
        machine: "laptop without radio | booted from a disc".into(),
        entropy: vec!["99 throws of a die".into()],
        destroyed: vec![Medium { serial: format!("S-{i}"), photograph: digest("photo", &[&[i]]) }],
    }
}

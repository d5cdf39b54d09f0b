//! What a member's signals of one epoch have in common, computed once.
//!
//! Keys, member path, model and registry path stay the same from signal to signal; so do the variables of the
//! relations over them alone, and the parts of A, B and C that belong to those. The statement marks them
//! ([`Lifetime::Epoch`]). Never among them: h, tag, factors, counter, and whatever depends on them.

use ark_bls12_381::Fr;
use ark_ff::AdditiveGroup;
use hansa_types::id::{BankId, Epoch, GatewayId};
use zeroize::Zeroizing;

use super::{ProveError, Prover, queries::Sums};
use crate::{
    circuit::{Lifetime, PublicInputs, Witness, statement},
    secrets::MemberSecrets,
    verify::Context,
};

/// Whose signals, and with which model.
pub struct Sender<'a> {
    /// The member.
    pub bank: &'a BankId,
    /// Its secrets.
    pub secrets: &'a MemberSecrets,
    /// Where it signals.
    pub gateway: GatewayId,
    /// When.
    pub epoch: Epoch,
    /// The version of the model that scores.
    pub model: u32,
}

/// The part of proofs that stays the same within an epoch; wiped when dropped, never printed.
///
/// It fits the signals of one member in one gateway and epoch with one model. For any other signal it costs time
/// and changes nothing: a proof adds what the part lacks, whatever that is.
pub struct EpochPart {
    /// The values of the variables that stay, zero for all others.
    pub(super) columns: Zeroizing<Vec<Fr>>,
    pub(super) sums: Sums,
}

impl std::fmt::Debug for EpochPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EpochPart(..)")
    }
}

impl Prover {
    /// Computes the part that a member's signals of an epoch share. Worth keeping from the second signal on;
    /// to be computed again when a revocation replaces the member tree.
    ///
    /// # Errors
    /// [`ProveError`] if the member or the model cannot signal there.
    pub fn epoch_part(&self, context: &Context, sender: &Sender<'_>) -> Result<EpochPart, ProveError> {
        let Sender { bank, secrets, gateway, epoch, model } = sender;
        self.fits(context, *epoch)?;
        let members = context.members(*gateway, *epoch).map_err(crate::verify::SignalError::from)?;
        let not_active = || ProveError::NotActive { bank: (*bank).clone(), epoch: *epoch };
        let not_registered = ProveError::NotRegistered(*model);
        let mut witness = Witness::blank();
        witness.secret = *secrets.secret();
        witness.trace = secrets.trace(*epoch).0;
        witness.limit = context.manifest(*epoch).signal_limit;
        witness.member_path = members.path(bank).ok_or_else(not_active)?;
        let registered = context.manifest(*epoch).model(*model);
        witness.weights = registered.ok_or(not_registered)?.weights;
        witness.model_version = *model;
        witness.registry_path =
            context.registry(*epoch).path(*model).ok_or(ProveError::NotRegistered(*model))?;
        Ok(self.epoch_part_of(&witness))
    }

    /// The part of a witness; what does not stay within an epoch is not looked at.
    pub(crate) fn epoch_part_of(&self, witness: &Witness) -> EpochPart {
        let mut assignment = self.shape.assignment();
        statement(&mut assignment, &PublicInputs::blank(), witness);
        let mut columns = assignment.columns();
        for (column, lifetime) in columns.iter_mut().zip(&self.shape.lifetimes) {
            if *lifetime == Lifetime::Signal {
                *column = Fr::ZERO;
            }
        }
        let h = vec![Fr::ZERO; self.key.points.h_query.len()];
        let sums = self.queries().sums(&columns, self.shape.public, &h);
        EpochPart { columns, sums }
    }
}

//! Disclosing a trace secret: what a lawful order makes a bank show for one epoch, and what anyone computes from it.
//!
//! The manifest holds `P(3, t_e)` of every member and epoch, so a disclosed t_e is the right one or refused. It yields
//! every nullifier the bank can have used in that epoch, in each of its gateways: its signals are found, and a signal
//! that is not among them is not the bank's. It says nothing about another epoch, and sk stays secret.

use std::collections::BTreeMap;

use hansa_types::{
    codec::{CodecError, Decode, Encode, Reader, Writer},
    hash::Field,
    id::{BankId, Epoch, GatewayId},
    signal::Signal,
};

use crate::{
    field::decode,
    secrets::{MemberSecrets, TraceSecret},
    verify::Context,
};

const VERSION: u8 = 1;

/// A bank's trace secret of one epoch, as handed over. Whoever holds it can link all of the bank's signals of that
/// epoch: it is kept as the order says, and never printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// Who discloses.
    pub bank: BankId,
    /// Of which epoch.
    pub epoch: Epoch,
    /// t_e.
    pub trace: TraceSecret,
}

/// Why a disclosure is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// Nobody of that name.
    #[error("{0} is no member of the manifest: use the manifest of the time")]
    NotAMember(BankId),
    /// The bank cannot have signalled then.
    #[error("{bank} published no trace commitment for epoch {epoch}: it cannot have signalled in it")]
    NoCommitment {
        /// Who discloses.
        bank: BankId,
        /// Of which epoch.
        epoch: Epoch,
    },
    /// Another secret than the one committed to.
    #[error("the secret is not the one that {bank} committed to for epoch {epoch}: ask for the right one")]
    NotTheirs {
        /// Who discloses.
        bank: BankId,
        /// Of which epoch.
        epoch: Epoch,
    },
}

/// Every nullifier that a bank can have used in an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nullifiers {
    /// Whose.
    pub bank: BankId,
    /// When.
    pub epoch: Epoch,
    /// Gateway and counter of each.
    pub places: BTreeMap<Field, (GatewayId, u32)>,
}

impl Disclosure {
    /// What the bank discloses of its own secrets.
    #[must_use]
    pub fn of(secrets: &MemberSecrets, bank: BankId, epoch: Epoch) -> Self {
        Self { bank, epoch, trace: secrets.trace(epoch) }
    }

    /// Checks the secret against the manifest and computes the nullifiers, some thousand hashes for a gateway with a
    /// limit of a thousand.
    ///
    /// # Errors
    /// [`DisclosureError`].
    pub fn check(&self, context: &Context) -> Result<Nullifiers, DisclosureError> {
        let Self { bank, epoch, trace } = self;
        let manifest = context.manifest(*epoch);
        let member = manifest.members.get(bank).ok_or_else(|| DisclosureError::NotAMember(bank.clone()))?;
        let committed = member.traces.get(epoch);
        let no_commitment = || DisclosureError::NoCommitment { bank: bank.clone(), epoch: *epoch };
        if trace.commitment() != *committed.ok_or_else(no_commitment)? {
            return Err(DisclosureError::NotTheirs { bank: bank.clone(), epoch: *epoch });
        }
        let mut places = BTreeMap::new();
        let named = manifest.gateways.iter().filter(|(_, gateway)| gateway.members.contains_key(bank));
        for (id, _) in named {
            let nullifiers = trace.nullifiers(context.scope(*id, *epoch), manifest.signal_limit);
            places.extend(nullifiers.zip((0..).map(|counter| (*id, counter))));
        }
        Ok(Nullifiers { bank: bank.clone(), epoch: *epoch, places })
    }
}

impl Nullifiers {
    /// The counter under which the bank sent this signal; none if it did not. Of a signal that verifies, so that its
    /// nullifier is one that its sender's secret yields.
    #[must_use]
    pub fn counter_of(&self, signal: &Signal) -> Option<u32> {
        let (gateway, counter) = self.places.get(&signal.nullifier)?;
        ((*gateway, self.epoch) == (signal.body.gateway, signal.body.epoch)).then_some(*counter)
    }
}

impl Encode for Disclosure {
    fn encode(&self, out: &mut Writer) {
        out.u8(VERSION);
        self.bank.encode(out);
        self.epoch.encode(out);
        self.trace.to_field().encode(out);
    }
}

impl Decode for Disclosure {
    fn decode(input: &mut Reader<'_>) -> Result<Self, CodecError> {
        input.version("disclosure", VERSION)?;
        let (bank, epoch) = (Decode::decode(input)?, Decode::decode(input)?);
        let invalid = |error: crate::field::NonCanonical| CodecError::Invalid {
            what: "trace secret",
            detail: error.to_string(),
        };
        let trace = TraceSecret(decode(&Decode::decode(input)?).map_err(invalid)?);
        Ok(Self { bank, epoch, trace })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{BANKS, Draft, EPOCH, GATEWAY, LIMIT, OTHER_GATEWAY, bank, consortium, signal};

    fn context() -> &'static Context {
        consortium().verifier.context()
    }

    fn disclosure(i: usize, epoch: Epoch) -> Disclosure {
        Disclosure::of(&consortium().secrets[i], bank(i), epoch)
    }

    #[test]
    fn a_disclosure_finds_the_banks_signals_and_no_others() {
        let other = Draft { counter: 2, ..Draft::new(context(), 0, 9) }.prove(context(), 70).unwrap();
        let stranger = Draft::new(context(), 1, 1).prove(context(), 71).unwrap();
        let mut later = Draft::new(context(), 0, 1);
        (later.body.epoch, later.body.expires) = (Epoch(5), Epoch(5));
        later.bind(context());
        let later = later.prove(context(), 72).unwrap();

        let found = disclosure(0, EPOCH).check(context()).unwrap();
        assert_eq!(found.places.len(), 2 * LIMIT as usize, "two gateways");
        let of = |signal: &Signal| found.counter_of(signal);
        assert_eq!([of(&signal()), of(&other), of(&stranger), of(&later)], [Some(0), Some(2), None, None]);
        assert_eq!(disclosure(0, Epoch(5)).check(context()).unwrap().counter_of(&later), Some(0));
        // A nullifier of another gateway under this gateway's name.
        let mut moved = signal();
        moved.body.gateway = OTHER_GATEWAY;
        assert_eq!(of(&moved), None);
    }

    #[test]
    fn a_bank_is_only_looked_for_where_it_may_signal() {
        let found = disclosure(BANKS - 1, EPOCH).check(context()).unwrap();
        assert!(found.places.values().all(|(gateway, _)| *gateway == GATEWAY));
        assert_eq!(found.places.len(), LIMIT as usize);
    }

    #[test]
    fn a_secret_of_another_bank_or_epoch_is_refused() {
        let refused = |disclosure: Disclosure| disclosure.check(context()).unwrap_err();
        let mut anothers = disclosure(1, EPOCH);
        anothers.bank = bank(0);
        assert!(matches!(refused(anothers), DisclosureError::NotTheirs { .. }));
        let mut of_another_epoch = disclosure(0, Epoch(5));
        of_another_epoch.epoch = EPOCH;
        assert!(matches!(refused(of_another_epoch), DisclosureError::NotTheirs { .. }));
        assert!(matches!(refused(disclosure(0, Epoch(9))), DisclosureError::NoCommitment { .. }));
        let stranger = Disclosure { bank: bank(99), ..disclosure(0, EPOCH) };
        assert!(matches!(refused(stranger), DisclosureError::NotAMember(_)));
    }

    #[test]
    fn it_survives_its_file_and_has_one_encoding() {
        let disclosure = disclosure(2, EPOCH);
        let bytes = disclosure.to_bytes();
        assert_eq!(Disclosure::from_bytes(&bytes), Ok(disclosure.clone()));
        let mut beyond = bytes.clone();
        let end = beyond.len();
        beyond[end - 32..].fill(0xff);
        assert!(matches!(Disclosure::from_bytes(&beyond), Err(CodecError::Invalid { .. })));
        assert!(Disclosure::from_bytes(&bytes[..end - 1]).is_err());
        assert!(!format!("{disclosure:?}").contains(&hex::encode(disclosure.trace.to_field().0)));
    }
}

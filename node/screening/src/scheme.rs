//! Which scheme a payment runs under, as far as the message says.

use hansa_types::payment::Payment;

use crate::config::Scheme;

/// What the business service of CBPR+ messages begins with.
const CBPR_PLUS: &str = "swift.cbprplus";
/// The service level of SEPA payments.
const SEPA: &str = "SEPA";
/// The local instrument of instant ones.
const INSTANT: &str = "INST";

impl Scheme {
    /// The scheme of `payment`: CBPR+ by its business service, SEPA by its service level, and instant by its local
    /// instrument. A message that says nothing runs under the bank's `default`.
    pub fn of(payment: &Payment, default: Self) -> Self {
        let sepa = payment.service_levels.iter().any(|level| level == SEPA);
        let instant = payment.local_instrument.as_deref() == Some(INSTANT);
        match &payment.business_service {
            Some(service) if service.starts_with(CBPR_PLUS) => Self::CbprPlus,
            _ if sepa && instant => Self::SctInst,
            _ if sepa => Self::Sct,
            _ => default,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_its_scheme_or_the_bank_does() {
        let of = |payment: &Payment| Scheme::of(payment, Scheme::FedNow);
        let mut payment = Payment::default();
        assert_eq!(of(&payment), Scheme::FedNow);
        payment.local_instrument = Some("INST".into());
        assert_eq!(of(&payment), Scheme::FedNow, "other schemes use the code too");
        payment.service_levels = vec!["SEPA".into()];
        assert_eq!(of(&payment), Scheme::SctInst);
        payment.local_instrument = None;
        assert_eq!(of(&payment), Scheme::Sct);
        payment.business_service = Some("swift.cbprplus.03".into());
        assert_eq!(of(&payment), Scheme::CbprPlus);
    }
}

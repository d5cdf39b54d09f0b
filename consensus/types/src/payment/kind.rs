//! Which kind of transfer a payment is.

use crate::codec_enum;

/// The kinds of payments, by the message that carries them. It is part of what is hashed: the same values as another
/// kind of transfer are another payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum PaymentKind {
    /// A customer's credit transfer (pacs.008).
    #[default]
    Customer,
    /// A transfer between financial institutions for themselves (pacs.009, core).
    Institution,
    /// A transfer between financial institutions that covers a customer's transfer sent beside it (pacs.009, cov).
    Cover,
    /// Money that goes back (pacs.004).
    Return,
}
codec_enum!(PaymentKind {
    Customer = 1, "customer", Institution = 2, "institution", Cover = 3, "cover", Return = 4, "return",
});

//! Why a message is refused as a whole.

/// A message that yields no payment. Values that are merely wrong do not end here: they become findings of their
/// payment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// More bytes than are read at all.
    #[error("the message has {bytes} bytes, at most {limit} are read: split it")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`super::MAX_MESSAGE`].
        limit: usize,
    },
    /// Not UTF-8, or declared as something else.
    #[error("the message is not UTF-8 ({0}): ISO 20022 messages are sent in UTF-8")]
    Encoding(String),
    /// Not well-formed XML.
    #[error("line {line}, {path}: {detail}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// The open elements.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// A document type or an entity other than the five predefined: never needed, and a way to attack parsers.
    #[error("line {line}: {what} is not allowed in a message")]
    Forbidden {
        /// What was found.
        what: String,
        /// Line, from 1.
        line: usize,
    },
    /// Deeper, longer or more than a message can be.
    #[error("line {line}, {path}: more than {limit} {what}")]
    Limit {
        /// What is bounded.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// Line, from 1.
        line: usize,
        /// The open elements.
        path: String,
    },
    /// An element twice that may stand only once: two readers would read two payments.
    #[error("line {line}, {path}: the element stands there twice and differs")]
    Duplicate {
        /// Line of the second, from 1.
        line: usize,
        /// The element.
        path: String,
    },
    /// A message of another kind or version, or one that holds no payment where payments are wanted.
    #[error(
        "{found} is not decided on: send a pacs.008.001.07 to .13, pacs.009.001.07 to .12 or pacs.004.001.08 to .14"
    )]
    UnsupportedMessage {
        /// What was found.
        found: String,
    },
    /// No ISO 20022 document in the input.
    #[error("no ISO 20022 Document element was found")]
    NoDocument,
    /// Two documents in one input.
    #[error("line {line}: a second Document: send one message at a time")]
    SeveralDocuments {
        /// Line of the second, from 1.
        line: usize,
    },
    /// A document without a transaction.
    #[error("the message holds no transaction")]
    NoTransaction,
}

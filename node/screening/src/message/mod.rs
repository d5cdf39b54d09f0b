//! From the bytes of an ISO 20022 message to payments or the status of payments, and from decisions to the answer.
//!
//! Credit transfers (pacs.008, pacs.009 core and cov) and returns (pacs.004) give payments; a status report (pacs.002)
//! gives references and statuses. The message may stand in any wrapper, with any prefixes, with a business application
//! header beside it, or as text (CDATA) in an element of the wrapper. What is read is bounded in size, depth, number and
//! length, and read once, transaction by transaction.

mod body;
mod error;
mod family;
mod parties;
mod reading;
pub mod report;
mod returns;
mod status;
#[cfg(test)]
mod tests;
mod transfer;
mod tree;
mod xml;

use hansa_types::payment::Payment;

pub use body::{MAX_HEADER, MAX_TRANSACTIONS};
pub use error::MessageError;
pub use status::{Status, StatusReport};
pub use xml::{MAX_DEPTH, MAX_ELEMENTS, MAX_NAMESPACES, MAX_TEXT};

use body::Body;
use family::Family;
use transfer::Origin;
use tree::{Tree, skip};
use xml::{Open, Scanner, Token};

/// The most bytes of one message.
pub const MAX_MESSAGE: usize = 1 << 20;
/// How often a message may stand as text within another document.
const MAX_NESTING: usize = 2;

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Payments to decide on, in their order.
    Payments(Vec<Payment>),
    /// The status of payments: nothing to decide on.
    Status(Box<StatusReport>),
}

/// Reads a message.
///
/// # Errors
/// A message that is not well-formed, beyond a bound, ambiguous, or of a kind or version that is not read is refused as
/// a whole. Values that are merely wrong become findings of their payment.
pub fn read(bytes: &[u8]) -> Result<Message, MessageError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(MessageError::TooLarge { bytes: bytes.len(), limit: MAX_MESSAGE });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| MessageError::Encoding(e.to_string()))?;
    let mut input = Input::default();
    input.read(text.trim_start_matches('\u{feff}'), 0)?;
    input.message.ok_or(MessageError::NoDocument)
}

/// The payments of a message, in their order.
///
/// # Errors
/// As [`read`]; and a status report, which holds no payment, is refused as a message of another kind.
pub fn parse(bytes: &[u8]) -> Result<Vec<Payment>, MessageError> {
    match read(bytes)? {
        Message::Payments(payments) => Ok(payments),
        Message::Status(report) => Err(MessageError::UnsupportedMessage { found: report.message_type }),
    }
}

/// What was found so far.
#[derive(Default)]
struct Input {
    header: Header,
    message: Option<Message>,
}

/// What the business application header says.
#[derive(Default)]
struct Header {
    definition: Option<String>,
    service: Option<String>,
}

impl Input {
    /// Reads a wrapper: looks for header and document, and for text that is XML itself.
    fn read(&mut self, source: &str, nesting: usize) -> Result<(), MessageError> {
        let mut scanner = Scanner::new(source);
        let mut text = String::new();
        loop {
            let token = scanner.token()?;
            if !matches!(token, Token::Text(_)) {
                if text.trim_start().starts_with('<') && nesting < MAX_NESTING {
                    self.read(text.trim_start(), nesting + 1)?;
                }
                text.clear();
            }
            match token {
                Token::Open(open) if open.name == "AppHdr" => self.header = Header::read(&mut scanner, open)?,
                Token::Open(open) if open.name == "Document" => {
                    if self.message.is_some() {
                        return Err(MessageError::SeveralDocuments { line: scanner.line() });
                    }
                    self.message = Some(self.document(&mut scanner, &open)?);
                }
                Token::Text(part) => text.push_str(&part),
                Token::Open(_) | Token::Close => {}
                Token::End => return Ok(()),
            }
        }
    }

    /// Reads a document to its end.
    fn document(&self, scanner: &mut Scanner<'_>, document: &Open<'_>) -> Result<Message, MessageError> {
        let namespace = document.namespace;
        let name = String::from_utf8_lossy(scanner.namespace(namespace)).into_owned();
        let definition = name.rsplit([':', '/']).next().unwrap_or("").to_owned();
        let depth = scanner.depth();
        let mut message = None;
        while scanner.depth() >= depth {
            match scanner.token()? {
                Token::Open(open) if open.namespace == namespace && message.is_none() => {
                    let Some(family) = Family::of(open.name, &definition) else {
                        let found = if definition.is_empty() { open.name.to_owned() } else { definition };
                        return Err(MessageError::UnsupportedMessage { found });
                    };
                    let origin = Origin {
                        definition: &definition,
                        header_definition: self.header.definition.as_deref(),
                        service: self.header.service.as_deref(),
                    };
                    message = Some(Body::new(family, origin).read(scanner, namespace)?);
                }
                Token::Open(open) if open.namespace == namespace => {
                    return Err(MessageError::Duplicate { line: scanner.line(), path: scanner.path() });
                }
                Token::Open(_) => skip(scanner)?,
                Token::Text(_) | Token::Close => {}
                Token::End => break,
            }
        }
        message.ok_or(MessageError::NoTransaction)
    }
}

impl Header {
    fn read<'a>(scanner: &mut Scanner<'a>, open: Open<'a>) -> Result<Self, MessageError> {
        let tree = Tree::read(scanner, open)?;
        let text = |path| Ok(tree.root().text(path)?.map(|text| text.trim().to_owned()));
        Ok(Self { definition: text("MsgDefIdr")?, service: text("BizSvc")? })
    }
}

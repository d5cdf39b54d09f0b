//! From the bytes of an ISO 20022 message to payments.
//!
//! The message may stand in any wrapper, with any prefixes, with a business application header beside it, or as text
//! (CDATA) in an element of the wrapper. What is read is bounded in size, depth, number and length, and read once,
//! transaction by transaction.

mod error;
mod pacs008;
#[cfg(test)]
mod tests;
mod tree;
mod xml;

use hansa_types::payment::Payment;

pub use error::MessageError;
pub use xml::{MAX_DEPTH, MAX_ELEMENTS, MAX_NAMESPACES, MAX_TEXT};

use pacs008::{GroupHeader, Origin};
use tree::{Tree, skip};
use xml::{NamespaceId, Open, Scanner, Token};

/// The most bytes of one message.
pub const MAX_MESSAGE: usize = 1 << 20;
/// How often a message may stand as text within another document.
const MAX_NESTING: usize = 2;

/// The payments of a message, in their order.
///
/// # Errors
/// A message that is not well-formed, beyond a bound, ambiguous, or of another kind than pacs.008 is refused as a
/// whole. Values that are merely wrong become findings of their payment.
pub fn parse(bytes: &[u8]) -> Result<Vec<Payment>, MessageError> {
    if bytes.len() > MAX_MESSAGE {
        return Err(MessageError::TooLarge { bytes: bytes.len(), limit: MAX_MESSAGE });
    }
    let text = std::str::from_utf8(bytes).map_err(|e| MessageError::Encoding(e.to_string()))?;
    let mut message = Message::default();
    message.read(text.trim_start_matches('\u{feff}'), 0)?;
    if !message.found {
        return Err(MessageError::NoDocument);
    }
    Ok(message.payments)
}

/// What was found so far.
#[derive(Default)]
struct Message {
    header: Header,
    found: bool,
    payments: Vec<Payment>,
}

/// What the business application header says.
#[derive(Default)]
struct Header {
    definition: Option<String>,
    service: Option<String>,
}

impl Message {
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
                    if std::mem::replace(&mut self.found, true) {
                        return Err(MessageError::SeveralDocuments { line: scanner.line() });
                    }
                    self.document(&mut scanner, &open)?;
                }
                Token::Text(part) => text.push_str(&part),
                Token::Open(_) | Token::Close => {}
                Token::End => return Ok(()),
            }
        }
    }

    /// Reads a document to its end.
    fn document(&mut self, scanner: &mut Scanner<'_>, document: &Open<'_>) -> Result<(), MessageError> {
        let namespace = document.namespace;
        let name = String::from_utf8_lossy(scanner.namespace(namespace)).into_owned();
        let definition = name.rsplit([':', '/']).next().unwrap_or("").to_owned();
        let depth = scanner.depth();
        let mut seen = false;
        while scanner.depth() >= depth {
            match scanner.token()? {
                Token::Open(open) if open.namespace == namespace && !seen => {
                    if open.name != pacs008::ROOT || !pacs008::reads(&definition) {
                        let found = if definition.is_empty() { open.name.to_owned() } else { definition };
                        return Err(MessageError::UnsupportedMessage { found });
                    }
                    seen = true;
                    self.transactions(scanner, namespace, &definition)?;
                }
                Token::Open(open) if open.namespace == namespace => {
                    return Err(MessageError::Duplicate { line: scanner.line(), path: scanner.path() });
                }
                Token::Open(_) => skip(scanner)?,
                Token::Text(_) | Token::Close => {}
                Token::End => break,
            }
        }
        if seen { Ok(()) } else { Err(MessageError::NoTransaction) }
    }

    /// Reads the content of a customer credit transfer to its end.
    fn transactions(
        &mut self,
        scanner: &mut Scanner<'_>,
        namespace: NamespaceId,
        definition: &str,
    ) -> Result<(), MessageError> {
        let depth = scanner.depth();
        let mut group: Option<GroupHeader> = None;
        while scanner.depth() >= depth {
            let Token::Open(open) = scanner.token()? else { continue };
            match open.name {
                "GrpHdr" if open.namespace == namespace => {
                    if group.is_some() {
                        return Err(MessageError::Duplicate { line: scanner.line(), path: scanner.path() });
                    }
                    let tree = Tree::read(scanner, open)?;
                    let origin = Origin {
                        definition,
                        header_definition: self.header.definition.as_deref(),
                        service: self.header.service.as_deref(),
                    };
                    group = Some(GroupHeader::read(tree.root(), &origin)?);
                }
                "CdtTrfTxInf" if open.namespace == namespace => {
                    let line = scanner.line();
                    let Some(group) = &group else {
                        let detail = "a transaction before the group header".to_owned();
                        return Err(MessageError::Syntax { line, path: scanner.path(), detail });
                    };
                    let tree = Tree::read(scanner, open)?;
                    let position = self.payments.len() as u32;
                    self.payments.push(pacs008::payment(&tree, group, position)?);
                }
                _ => skip(scanner)?,
            }
        }
        let Some(group) = group.filter(|_| !self.payments.is_empty()) else {
            return Err(MessageError::NoTransaction);
        };
        group.check_count(&mut self.payments);
        Ok(())
    }
}

impl Header {
    fn read<'a>(scanner: &mut Scanner<'a>, open: Open<'a>) -> Result<Self, MessageError> {
        let tree = Tree::read(scanner, open)?;
        let text = |path| Ok(tree.root().text(path)?.map(|text| text.trim().to_owned()));
        Ok(Self { definition: text("MsgDefIdr")?, service: text("BizSvc")? })
    }
}

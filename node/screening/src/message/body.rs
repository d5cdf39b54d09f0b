//! The body of a message: its group header, the message it cites, and its transactions, each read once.

use hansa_types::payment::Payment;

use super::Message;
use super::error::MessageError;
use super::family::Family;
use super::returns::{self, OriginalGroup};
use super::status::StatusReport;
use super::transfer::{self, GroupHeader, Origin};
use super::tree::{Tree, skip};
use super::xml::{NamespaceId, Open, Scanner, Token};

/// The most transactions of a message. Each repeats what the header says, so it bounds memory with [`MAX_HEADER`].
pub const MAX_TRANSACTIONS: usize = 2_000;
/// The most bytes of a group header, and of what cites a message for all of its transactions.
pub const MAX_HEADER: usize = 32 << 10;

/// A message being read.
pub(super) struct Body<'o> {
    family: Family,
    origin: Origin<'o>,
    header: Option<Header>,
    original_group: Option<OriginalGroup>,
    payments: Vec<Payment>,
}

/// What the group header begins.
enum Header {
    Payments(Box<GroupHeader>),
    Status(Box<StatusReport>),
}

impl<'o> Body<'o> {
    /// Begins a message.
    pub(super) fn new(family: Family, origin: Origin<'o>) -> Self {
        Self { family, origin, header: None, original_group: None, payments: Vec::new() }
    }

    /// Reads the content of the message's element to its end.
    pub(super) fn read(
        mut self,
        scanner: &mut Scanner<'_>,
        namespace: NamespaceId,
    ) -> Result<Message, MessageError> {
        let depth = scanner.depth();
        let mut transactions = 0;
        while scanner.depth() >= depth {
            let Token::Open(open) = scanner.token()? else { continue };
            if open.namespace != namespace {
                skip(scanner)?;
            } else if open.name == "GrpHdr" {
                self.group_header(scanner, open)?;
            } else if Some(open.name) == self.family.original_group() {
                self.original_group(scanner, open)?;
            } else if open.name == self.family.transaction() {
                transactions += 1;
                if transactions > MAX_TRANSACTIONS {
                    return Err(scanner.limit("transactions", MAX_TRANSACTIONS));
                }
                self.transaction(scanner, open)?;
            } else {
                skip(scanner)?;
            }
        }
        self.finish()
    }

    fn group_header<'a>(&mut self, scanner: &mut Scanner<'a>, open: Open<'a>) -> Result<(), MessageError> {
        if self.header.is_some() {
            return Err(MessageError::Duplicate { line: scanner.line(), path: scanner.path() });
        }
        let tree = bounded(scanner, open)?;
        self.header = Some(match self.family {
            Family::StatusReport => Header::Status(Box::new(StatusReport::read(tree.root(), &self.origin)?)),
            Family::CustomerTransfer | Family::InstitutionTransfer | Family::Return => {
                Header::Payments(Box::new(GroupHeader::read(tree.root(), &self.origin)?))
            }
        });
        Ok(())
    }

    fn original_group<'a>(&mut self, scanner: &mut Scanner<'a>, open: Open<'a>) -> Result<(), MessageError> {
        match &mut self.header {
            None => return Err(before_header(scanner, "what cites another message")),
            Some(Header::Status(report)) => return report.message(&Tree::read(scanner, open)?),
            Some(Header::Payments(_)) => {}
        }
        if self.original_group.is_some() {
            return Err(MessageError::Duplicate { line: scanner.line(), path: scanner.path() });
        }
        self.original_group = Some(OriginalGroup::read(bounded(scanner, open)?.root())?);
        Ok(())
    }

    fn transaction<'a>(&mut self, scanner: &mut Scanner<'a>, open: Open<'a>) -> Result<(), MessageError> {
        let position = u32::try_from(self.payments.len()).unwrap_or(u32::MAX);
        match &mut self.header {
            None => Err(before_header(scanner, "a transaction")),
            Some(Header::Status(report)) => report.transaction(&Tree::read(scanner, open)?),
            Some(Header::Payments(group)) => {
                let tree = Tree::read(scanner, open)?;
                let payment = if self.family == Family::Return {
                    let original = self.original_group.get_or_insert_default();
                    returns::payment(&tree, group, original, position)?
                } else {
                    transfer::payment(&tree, group, self.family, position)?
                };
                self.payments.push(payment);
                Ok(())
            }
        }
    }

    fn finish(mut self) -> Result<Message, MessageError> {
        match self.header {
            Some(Header::Payments(group)) if !self.payments.is_empty() => {
                group.check_count(&mut self.payments);
                Ok(Message::Payments(self.payments))
            }
            Some(Header::Status(report))
                if !(report.messages.is_empty() && report.transactions.is_empty()) =>
            {
                Ok(Message::Status(report))
            }
            _ => Err(MessageError::NoTransaction),
        }
    }
}

fn before_header(scanner: &Scanner<'_>, what: &str) -> MessageError {
    let detail = format!("{what} before the group header");
    MessageError::Syntax { line: scanner.line(), path: scanner.path(), detail }
}

/// Reads an element whose content every transaction repeats.
fn bounded<'a>(scanner: &mut Scanner<'a>, open: Open<'a>) -> Result<Tree<'a>, MessageError> {
    let begin = open.offset;
    let tree = Tree::read(scanner, open)?;
    if scanner.position().saturating_sub(begin) > MAX_HEADER {
        return Err(scanner.limit("bytes of what all transactions share", MAX_HEADER));
    }
    Ok(tree)
}

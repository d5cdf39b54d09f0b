//! The answer: a status report (pacs.002) on the payments of one message, as their scheme writes it.
//!
//! It holds references, statuses and outward codes, nothing of what screening found. The business application header is
//! the gateway's, which knows the addresses.

use std::fmt::Write;

use hansa_types::date::Date;
use hansa_types::id::Timestamp;
use hansa_types::payment::{Agent, Payment};

use crate::codes::{self, Outward};
use crate::config::Scheme;

/// The most characters of an identification (Max35Text).
const MAX_ID: usize = 35;
/// The most characters of a clearing system's code.
const MAX_SYSTEM: usize = 5;
/// What cites a message that has no identification which a report could carry.
const NOT_PROVIDED: &str = "NOTPROVIDED";

/// Why no report can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// An identification that no reader would accept.
    #[error("the report's identification {0:?} must have 1 to {MAX_ID} printable characters")]
    MessageId(String),
    /// No payment.
    #[error("a report needs at least one payment to answer")]
    NoAnswer,
    /// Payments of different messages.
    #[error("a report answers one message, and {first:?} and {other:?} are two: write a report for each")]
    SeveralMessages {
        /// The first payment's message.
        first: String,
        /// Another's.
        other: String,
    },
}

/// Writes the status report on payments of one message, each with what is said of it.
///
/// `message_id` is the report's own identification, unique at the bank; `created_at` when it is created, in UTC. The
/// report goes the way back: its instructing agent is the payment's instructed one.
///
/// # Errors
/// Without a payment, with payments of several messages, or with an identification that cannot stand there.
pub fn write(
    scheme: Scheme,
    message_id: &str,
    created_at: Timestamp,
    answers: &[(&Payment, Outward)],
) -> Result<String, ReportError> {
    let Some(message_id) = text(message_id, MAX_ID) else {
        return Err(ReportError::MessageId(message_id.to_owned()));
    };
    let Some((first, _)) = answers.first() else { return Err(ReportError::NoAnswer) };
    if let Some((other, _)) = answers.iter().find(|(payment, _)| payment.message_id != first.message_id) {
        let (first, other) = (first.message_id.clone(), other.message_id.clone());
        return Err(ReportError::SeveralMessages { first, other });
    }
    let mut xml = Xml::default();
    let definition = codes::report_definition(scheme);
    xml.0.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ = write!(xml.0, "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:{definition}\">");
    xml.within("FIToFIPmtStsRpt", |xml| {
        xml.within("GrpHdr", |xml| {
            xml.leaf("MsgId", &message_id);
            xml.leaf("CreDtTm", &created_at.to_utc());
        });
        let cites_message = codes::cites_message(scheme);
        if cites_message {
            xml.within("OrgnlGrpInfAndSts", |xml| original_message(xml, first));
        }
        for (payment, outward) in answers {
            xml.within("TxInfAndSts", |xml| transaction(xml, payment, outward, cites_message));
        }
    });
    xml.0.push_str("</Document>\n");
    Ok(xml.0)
}

fn original_message(xml: &mut Xml, payment: &Payment) {
    let id = text(&payment.message_id, MAX_ID);
    xml.leaf("OrgnlMsgId", id.as_deref().unwrap_or(NOT_PROVIDED));
    let definition = text(&payment.message_type, MAX_ID);
    xml.leaf("OrgnlMsgNmId", definition.as_deref().unwrap_or(NOT_PROVIDED));
    if let Some(created) = payment.creation_time.as_deref().map(str::trim).filter(|time| is_date_time(time)) {
        xml.leaf("OrgnlCreDtTm", created);
    }
}

/// An identification that cannot stand in the report is left out: a shortened one would cite another payment.
fn transaction(xml: &mut Xml, payment: &Payment, outward: &Outward, message_cited: bool) {
    if !message_cited {
        xml.within("OrgnlGrpInf", |xml| original_message(xml, payment));
    }
    let ids = [
        ("OrgnlInstrId", &payment.instruction_id),
        ("OrgnlEndToEndId", &payment.end_to_end_id),
        ("OrgnlTxId", &payment.transaction_id),
    ];
    for (name, id) in ids {
        if let Some(id) = id.as_deref().and_then(|id| text(id, MAX_ID)) {
            xml.leaf(name, &id);
        }
    }
    if let Some(uetr) = payment.uetr {
        xml.leaf("OrgnlUETR", &uetr.to_string());
    }
    xml.leaf("TxSts", &outward.status);
    if let Some(reason) = &outward.reason {
        xml.within("StsRsnInf", |xml| {
            let originator = payment.instructed_agent.as_ref().and_then(|agent| agent.bic);
            if let Some(bic) = originator.filter(|_| message_cited) {
                let id = |xml: &mut Xml| xml.leaf("AnyBIC", &bic.to_string());
                xml.within("Orgtr", |xml| xml.within("Id", |xml| xml.within("OrgId", id)));
            }
            xml.within("Rsn", |xml| xml.leaf("Cd", reason));
        });
    }
    agent(xml, "InstgAgt", payment.instructed_agent.as_ref());
    agent(xml, "InstdAgt", payment.instructing_agent.as_ref());
}

/// An agent by the first of BIC, clearing membership and LEI that it has; left out if it has none.
fn agent(xml: &mut Xml, name: &str, agent: Option<&Agent>) {
    let Some(agent) = agent else { return };
    let member = agent.clearing_member.as_ref().and_then(|member| Some((member, text(&member.id, MAX_ID)?)));
    let mut within = |content: &dyn Fn(&mut Xml)| {
        xml.within(name, |xml| xml.within("FinInstnId", |xml| content(xml)));
    };
    if let Some(bic) = agent.bic {
        within(&|xml| xml.leaf("BICFI", &bic.to_string()));
    } else if let Some((member, id)) = member {
        within(&|xml| {
            xml.within("ClrSysMmbId", |xml| {
                if let Some(system) = member.system.as_deref().and_then(|system| text(system, MAX_ID)) {
                    let kind = if system.chars().count() <= MAX_SYSTEM { "Cd" } else { "Prtry" };
                    xml.within("ClrSysId", |xml| xml.leaf(kind, &system));
                }
                xml.leaf("MmbId", &id);
            });
        });
    } else if let Some(lei) = agent.lei {
        within(&|xml| xml.leaf("LEI", &lei.to_string()));
    }
}

/// A document being written.
#[derive(Default)]
struct Xml(String);

impl Xml {
    fn within(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        let _ = write!(self.0, "<{name}>");
        content(self);
        let _ = write!(self.0, "</{name}>");
    }

    fn leaf(&mut self, name: &str, text: &str) {
        self.within(name, |xml| {
            for character in text.chars() {
                match character {
                    '<' => xml.0.push_str("&lt;"),
                    '>' => xml.0.push_str("&gt;"),
                    '&' => xml.0.push_str("&amp;"),
                    other => xml.0.push(other),
                }
            }
        });
    }
}

/// `value` as it may stand in an element of at most `limit` characters; none if it may not.
fn text(value: &str, limit: usize) -> Option<String> {
    let value = value.trim();
    let printable = |c: char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    let fits = !value.is_empty() && value.chars().count() <= limit && value.chars().all(printable);
    fits.then(|| value.to_owned())
}

/// Whether the text is an ISO date and time, as XML Schema has them.
fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else { return false };
    let Some((clock, rest)) = time.split_at_checked("hh:mm:ss".len()) else { return false };
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
        None => rest,
    };
    let offset = zone.strip_prefix(['+', '-']);
    let zoned = zone.is_empty() || zone == "Z" || offset.is_some_and(|offset| is_clock(offset, &[14, 59]));
    let dated = Date::try_from(date).is_ok_and(|date| date.year() > 0);
    dated && is_clock(clock, &[23, 59, 59]) && zoned
}

/// Whether the text is numbers of two digits between colons, each up to its limit.
fn is_clock(text: &str, limits: &[u8]) -> bool {
    let parts: Vec<_> = text.split(':').collect();
    let in_range = |(part, limit): (&&str, &u8)| {
        part.len() == 2
            && part.bytes().all(|b| b.is_ascii_digit())
            && part.parse::<u8>().is_ok_and(|part| part <= *limit)
    };
    parts.len() == limits.len() && parts.iter().zip(limits).all(in_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_a_time_is_repeated() {
        for right in ["2026-11-20T10:00:00", "2026-11-20T10:00:00.123+02:00", "2026-11-20T23:59:59Z"] {
            assert!(is_date_time(right), "{right}");
        }
        let wrong = ["", "2026-11-20", "2026-11-31T10:00:00", "2026-11-20T24:00:00", "2026-11-20T10:00:00.Z"];
        for wrong in
            wrong.iter().chain(&["2026-11-20T10:00:0é", "2026-11-20T10:00:00+1", "2026-11-20T1:00:00"])
        {
            assert!(!is_date_time(wrong), "{wrong}");
        }
    }
}

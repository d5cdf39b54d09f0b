//! A bounded reader of XML tokens: what a payment message may contain, and nothing else.
//!
//! On top of the well-formedness that quick-xml checks: no DOCTYPE, no entities but the predefined, no characters that
//! XML forbids, one root, every prefix declared, and a bound on depth, elements, namespaces and text.

use std::borrow::Cow;

use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;

use super::error::MessageError;

/// The most elements nested in one another.
pub const MAX_DEPTH: usize = 64;
/// The most elements in a message.
pub const MAX_ELEMENTS: usize = 100_000;
/// The most bytes of text in one element.
pub const MAX_TEXT: usize = 16 << 10;
/// The most different namespaces.
pub const MAX_NAMESPACES: usize = 64;

/// A namespace by its number in [`Scanner::namespace`]; none for elements without one.
pub(super) type NamespaceId = Option<u16>;

/// The next thing in the input.
pub(super) enum Token<'a> {
    /// An element begins.
    Open(Open<'a>),
    /// Text, character data or a resolved reference.
    Text(Cow<'a, str>),
    /// The innermost open element ends.
    Close,
    /// The input ends.
    End,
}

/// The beginning of an element.
pub(super) struct Open<'a> {
    /// Its name without prefix.
    pub(super) name: &'a str,
    /// Its namespace.
    pub(super) namespace: NamespaceId,
    /// Its attribute `Ccy`, which alone means something in these messages.
    pub(super) currency: Option<Cow<'a, str>>,
    /// Where it begins.
    pub(super) offset: usize,
}

/// Reads tokens off a text.
pub(super) struct Scanner<'a> {
    source: &'a str,
    reader: NsReader<&'a [u8]>,
    open: Vec<&'a str>,
    elements: usize,
    namespaces: Vec<Box<[u8]>>,
    empty: bool,
    rooted: bool,
}

impl<'a> Scanner<'a> {
    /// Begins to read `source`.
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            source,
            reader: NsReader::from_str(source),
            open: Vec::new(),
            elements: 0,
            namespaces: Vec::new(),
            empty: false,
            rooted: false,
        }
    }

    /// How many elements are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// The text being read.
    pub(super) fn source(&self) -> &'a str {
        self.source
    }

    /// The name of a namespace.
    pub(super) fn namespace(&self, id: NamespaceId) -> &[u8] {
        id.and_then(|at| self.namespaces.get(usize::from(at))).map_or(b"", |name| name)
    }

    /// The line that the reader has reached.
    pub(super) fn line(&self) -> usize {
        line_at(self.source, self.position())
    }

    /// The open elements, from the root.
    pub(super) fn path(&self) -> String {
        self.open.join("/")
    }

    /// The byte that the reader has reached.
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    pub(super) fn limit(&self, what: &'static str, limit: usize) -> MessageError {
        MessageError::Limit { what, limit, line: self.line(), path: self.path() }
    }

    fn syntax(&self, detail: &(impl ToString + ?Sized)) -> MessageError {
        MessageError::Syntax { line: self.line(), path: self.path(), detail: detail.to_string() }
    }

    fn forbidden(&self, what: impl Into<String>) -> MessageError {
        MessageError::Forbidden { what: what.into(), line: self.line() }
    }

    /// The next token.
    pub(super) fn token(&mut self) -> Result<Token<'a>, MessageError> {
        if std::mem::take(&mut self.empty) {
            self.open.pop();
            return Ok(Token::Close);
        }
        loop {
            let event = self.reader.read_event().map_err(|e| self.syntax(&e))?;
            return match event {
                Event::Start(start) => self.opened(&start, 1).map(Token::Open),
                Event::Empty(start) => {
                    self.empty = true;
                    self.opened(&start, 2).map(Token::Open)
                }
                Event::End(_) => {
                    self.open.pop();
                    Ok(Token::Close)
                }
                Event::Text(text) => {
                    let text = text.xml_content().map_err(|e| self.syntax(&e))?;
                    self.text(text)
                }
                Event::CData(text) => {
                    let text = text.xml_content().map_err(|e| self.syntax(&e))?;
                    self.text(text)
                }
                Event::GeneralRef(reference) => {
                    let text = self.reference(&reference)?;
                    self.text(text)
                }
                Event::Decl(declaration) => {
                    let encoding = declaration.encoding().transpose().map_err(|e| self.syntax(&e))?;
                    match encoding {
                        Some(name) if !is_utf8(&name) => {
                            return Err(MessageError::Encoding(String::from_utf8_lossy(&name).into_owned()));
                        }
                        _ => continue,
                    }
                }
                Event::Comment(_) | Event::PI(_) => continue,
                Event::DocType(_) => Err(self.forbidden("a document type (DOCTYPE)")),
                Event::Eof if !self.open.is_empty() => {
                    Err(self.syntax("the message ends inside this element: it is truncated"))
                }
                Event::Eof => Ok(Token::End),
            };
        }
    }

    fn opened(&mut self, start: &BytesStart<'_>, closing: usize) -> Result<Open<'a>, MessageError> {
        if self.open.is_empty() && std::mem::replace(&mut self.rooted, true) {
            return Err(self.syntax("a second root element"));
        }
        if self.open.len() >= MAX_DEPTH {
            return Err(self.limit("elements within one another", MAX_DEPTH));
        }
        self.elements += 1;
        if self.elements > MAX_ELEMENTS {
            return Err(self.limit("elements", MAX_ELEMENTS));
        }
        // The event's bytes are the source's, just before the closing `>` or `/>`.
        let end = self.position().saturating_sub(closing);
        let from = end.saturating_sub(start.len());
        let qualified = self
            .source
            .get(from..from + start.name().as_ref().len())
            .ok_or_else(|| self.syntax("an element's name is cut"))?;
        let name = qualified.split_once(':').map_or(qualified, |(_, local)| local);
        let namespace = self.resolve(start)?;
        let currency = self.currency(start)?;
        self.open.push(name);
        Ok(Open { name, namespace, currency, offset: from })
    }

    fn resolve(&mut self, start: &BytesStart<'_>) -> Result<NamespaceId, MessageError> {
        let (result, _) = self.reader.resolve_element(start.name());
        let name = match result {
            ResolveResult::Bound(name) => name.0,
            ResolveResult::Unbound => return Ok(None),
            ResolveResult::Unknown(prefix) => {
                let prefix = String::from_utf8_lossy(&prefix).into_owned();
                return Err(self.syntax(&format!("the prefix {prefix:?} is not declared")));
            }
        };
        let known = self.namespaces.iter().rposition(|n| **n == *name);
        let at = match known {
            Some(at) => at,
            None if self.namespaces.len() == MAX_NAMESPACES => {
                return Err(self.limit("namespaces", MAX_NAMESPACES));
            }
            None => {
                self.namespaces.push(name.into());
                self.namespaces.len() - 1
            }
        };
        Ok(Some(at as u16))
    }

    fn currency(&self, start: &BytesStart<'_>) -> Result<Option<Cow<'a, str>>, MessageError> {
        if start.attributes_raw().is_empty() {
            return Ok(None);
        }
        let mut found = None;
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| self.syntax(&e))?;
            if attribute.key.as_ref() == b"Ccy" {
                let value = attribute.unescape_value().map_err(|e| self.syntax(&e))?;
                found = Some(Cow::Owned(value.into_owned()));
            }
        }
        Ok(found)
    }

    fn reference(&self, reference: &BytesRef<'a>) -> Result<Cow<'a, str>, MessageError> {
        if let Some(character) = reference.resolve_char_ref().map_err(|e| self.syntax(&e))? {
            return Ok(Cow::Owned(character.to_string()));
        }
        let name = reference.decode().map_err(|e| self.syntax(&e))?;
        Ok(Cow::Borrowed(match name.as_ref() {
            "lt" => "<",
            "gt" => ">",
            "amp" => "&",
            "apos" => "'",
            "quot" => "\"",
            _ => return Err(self.forbidden(format!("the entity &{name};"))),
        }))
    }

    fn text(&self, text: Cow<'a, str>) -> Result<Token<'a>, MessageError> {
        if self.open.is_empty() && !text.trim().is_empty() {
            return Err(self.syntax("text outside of the root element"));
        }
        // The control characters that XML 1.0 excludes; all of them are single bytes.
        if text.bytes().any(|b| b < b' ' && !matches!(b, b'\t' | b'\n' | b'\r')) {
            return Err(self.syntax("a control character, which XML excludes"));
        }
        Ok(Token::Text(text))
    }
}

/// The line of a byte, from 1.
pub(super) fn line_at(source: &str, offset: usize) -> usize {
    1 + source.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count()
}

fn is_utf8(name: &[u8]) -> bool {
    [&b"utf-8"[..], b"utf8", b"us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

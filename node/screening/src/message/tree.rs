//! The wire form of a part of a message: its elements of one namespace as a tree, names and text borrowed.

use std::borrow::Cow;
use std::cell::Cell;

use super::error::MessageError;
use super::xml::{MAX_TEXT, Open, Scanner, Token, line_at};

/// One element with everything in it.
pub(super) struct Tree<'a> {
    source: &'a str,
    nodes: Vec<Node<'a>>,
    /// An element that was asked for and stands there again, word for word.
    repeated: Cell<Option<usize>>,
}

struct Node<'a> {
    name: &'a str,
    text: Cow<'a, str>,
    currency: Option<Cow<'a, str>>,
    offset: usize,
    parent: usize,
    first: usize,
    last: usize,
    next: usize,
}

/// No node: the root is nobody's child, so 0 is free to say so.
const NONE: usize = 0;

impl<'a> Tree<'a> {
    /// Reads the element that `open` begins to its end. Elements of other namespaces are left out with all they hold:
    /// they are no part of the message's definition.
    pub(super) fn read(scanner: &mut Scanner<'a>, open: Open<'a>) -> Result<Self, MessageError> {
        let namespace = open.namespace;
        let mut tree =
            Self { source: scanner.source(), nodes: Vec::with_capacity(128), repeated: Cell::new(None) };
        tree.push(open, NONE);
        let mut at = 0;
        loop {
            match scanner.token()? {
                Token::Open(open) if open.namespace == namespace => at = tree.push(open, at),
                Token::Open(_) => skip(scanner)?,
                Token::Text(text) => tree.append(at, text, scanner)?,
                Token::Close if at == 0 => return Ok(tree),
                Token::Close => at = tree.nodes[at].parent,
                Token::End => return Ok(tree),
            }
        }
    }

    fn push(&mut self, open: Open<'a>, parent: usize) -> usize {
        let at = self.nodes.len();
        self.nodes.push(Node {
            name: open.name,
            text: Cow::Borrowed(""),
            currency: open.currency,
            offset: open.offset,
            parent,
            first: NONE,
            last: NONE,
            next: NONE,
        });
        if at != 0 {
            let last = std::mem::replace(&mut self.nodes[parent].last, at);
            if last == NONE {
                self.nodes[parent].first = at;
            } else {
                self.nodes[last].next = at;
            }
        }
        at
    }

    fn append(&mut self, at: usize, text: Cow<'a, str>, scanner: &Scanner<'_>) -> Result<(), MessageError> {
        let node = &mut self.nodes[at];
        if node.text.len() + text.len() > MAX_TEXT {
            return Err(scanner.limit("bytes of text", MAX_TEXT));
        }
        if node.text.is_empty() {
            node.text = text;
        } else {
            node.text.to_mut().push_str(&text);
        }
        Ok(())
    }

    /// The path of an element that was read and stands there again, word for word.
    pub(super) fn repeated(&self) -> Option<String> {
        self.repeated.get().map(|at| Element { tree: self, at }.path())
    }

    /// The element itself.
    pub(super) fn root(&self) -> Element<'_, 'a> {
        Element { tree: self, at: 0 }
    }
}

/// Reads over the rest of the element that was just opened.
pub(super) fn skip(scanner: &mut Scanner<'_>) -> Result<(), MessageError> {
    let depth = scanner.depth();
    while scanner.depth() >= depth {
        scanner.token()?;
    }
    Ok(())
}

/// An element of a tree.
#[derive(Clone, Copy)]
pub(super) struct Element<'t, 'a> {
    tree: &'t Tree<'a>,
    at: usize,
}

impl<'t, 'a> Element<'t, 'a> {
    fn node(self) -> &'t Node<'a> {
        &self.tree.nodes[self.at]
    }

    /// The name without prefix.
    pub(super) fn name(self) -> &'t str {
        self.node().name
    }

    /// The elements right within it.
    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        let tree = self.tree;
        let first = self.node().first;
        let mut next = first;
        std::iter::from_fn(move || {
            let at = next;
            next = tree.nodes.get(at)?.next;
            (at != NONE).then_some(Self { tree, at })
        })
    }

    /// Those of its children that have the name.
    pub(super) fn all(self, name: &str) -> impl Iterator<Item = Self> {
        self.children().filter(move |child| child.name() == name)
    }

    /// Whether both hold the same, word for word.
    fn same(self, other: Self) -> bool {
        let (a, b) = (self.node(), other.node());
        a.name == b.name
            && a.text.trim() == b.text.trim()
            && a.currency == b.currency
            && self.children().count() == other.children().count()
            && self.children().zip(other.children()).all(|(a, b)| a.same(b))
    }

    /// The one element at a path of names below it. A repetition word for word is remembered for a finding; two that
    /// differ are refused, since two readers would read two payments.
    pub(super) fn at(self, path: &str) -> Result<Option<Self>, MessageError> {
        let mut here = self;
        for name in path.split('/') {
            let mut found = here.all(name);
            let Some(first) = found.next() else { return Ok(None) };
            for again in found {
                if !again.same(first) {
                    return Err(again.duplicate());
                }
                self.tree.repeated.set(Some(again.at));
            }
            here = first;
        }
        Ok(Some(here))
    }

    /// The text of the element as written; none if it is blank.
    pub(super) fn own_text(self) -> Option<&'t str> {
        Some(self.node().text.as_ref()).filter(|text| !text.trim().is_empty())
    }

    /// The text of the one element at `path`.
    pub(super) fn text(self, path: &str) -> Result<Option<&'t str>, MessageError> {
        Ok(self.at(path)?.and_then(Self::own_text))
    }

    /// The first text that one of the paths gives.
    pub(super) fn text_of(self, paths: &[&str]) -> Result<Option<&'t str>, MessageError> {
        for path in paths {
            if let Some(text) = self.text(path)? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// The attribute `Ccy`.
    pub(super) fn currency(self) -> Option<&'t str> {
        self.node().currency.as_deref()
    }

    /// Every text in it, in order.
    pub(super) fn leaves(self, into: &mut Vec<String>) {
        if let Some(text) = self.own_text() {
            into.push(text.to_owned());
        }
        // Depth is bounded by the scanner.
        self.children().for_each(|child| child.leaves(into));
    }

    /// The names from the tree's root, which is left out, to the element.
    pub(super) fn path(self) -> String {
        let mut names = Vec::new();
        let mut at = self.at;
        while at != 0 {
            names.push(self.tree.nodes[at].name);
            at = self.tree.nodes[at].parent;
        }
        names.reverse();
        names.join("/")
    }

    /// Refuses the element, which stands beside another of the same meaning.
    pub(super) fn duplicate(self) -> MessageError {
        let path = format!("{}/{}", self.tree.root().name(), self.path());
        MessageError::Duplicate { line: line_at(self.tree.source, self.node().offset), path }
    }
}

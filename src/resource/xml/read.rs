//! Reading: whole, or not at all.

use std::collections::BTreeSet;

use quick_xml::{
    Reader,
    escape::unescape,
    events::{BytesStart, Event},
};

use super::{Attribute, Element, Node};

/// How deep elements may stand in one another; libvirt's own go to about ten.
const DEEPEST: usize = 64;

/// Says why a description cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It breaks XML's rules.
    #[error("it is no XML: {0}")]
    Malformed(String),
    /// There is no element in it.
    #[error("it is empty")]
    Empty,
    /// It ends in the middle of an element.
    #[error("it is cut off in <{0}>")]
    Cut(String),
    /// There is more than one element that stands in no other.
    #[error("it has more than one outermost element")]
    Several,
    /// It nests as nothing of libvirt's does.
    #[error("its elements stand more than {DEEPEST} deep in one another")]
    Deep,
    /// It uses what libvirt never writes.
    #[error("it has {0}")]
    Foreign(String),
}

impl Element {
    /// Reads a whole document; what stands before and after its outermost element is not kept.
    ///
    /// # Errors
    /// Returns the reason where it is no XML, or of a kind that libvirt does not write.
    pub fn read(xml: &str) -> Result<Self, Unreadable> {
        let mut reader = Reader::from_str(xml);
        // A document around the document, so that there is always one to put things into.
        let (mut open, mut outer) = (Vec::new(), Self::new(""));
        loop {
            let event = reader.read_event().map_err(|error| Unreadable::Malformed(error.to_string()))?;
            let depth = open.len();
            let inner = open.last_mut().unwrap_or(&mut outer);
            match event {
                Event::Start(_) if depth >= DEEPEST => return Err(Unreadable::Deep),
                Event::Start(start) => open.push(Self::open(&start)?),
                Event::Empty(start) => inner.children.push(Node::Element(Self::open(&start)?)),
                Event::End(_) => {
                    // The reader has seen to it that it is the end of what is open.
                    if let Some(element) = open.pop() {
                        open.last_mut().unwrap_or(&mut outer).children.push(Node::Element(element));
                    }
                }
                Event::Text(text) => inner.append(&known(&text)?),
                Event::GeneralRef(name) => inner.append(&known(&format!("&{};", &*name))?),
                Event::CData(text) => inner.children.push(Node::Data(text.to_string())),
                Event::Comment(text) => inner.children.push(Node::Comment(text.to_string())),
                Event::Decl(_) => {}
                Event::PI(_) => return Err(Unreadable::Foreign("a processing instruction".to_owned())),
                Event::DocType(_) => return Err(Unreadable::Foreign("a document type".to_owned())),
                Event::Eof => break,
            }
        }
        if let Some(element) = open.pop() {
            return Err(Unreadable::Cut(element.name));
        }
        let mut outermost = outer.children.into_iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Data(_) | Node::Comment(_) => None,
        });
        let root = outermost.next().ok_or(Unreadable::Empty)?;
        if outermost.next().is_some() { Err(Unreadable::Several) } else { Ok(root) }
    }

    fn open(start: &BytesStart<'_>) -> Result<Self, Unreadable> {
        let mut element = Self::new(start.name().0);
        let mut rest: &str = start;
        // The reader would ask of all names before one whether it is there twice.
        let (mut attributes, mut names) = (start.attributes(), BTreeSet::new());
        for attribute in attributes.with_checks(false) {
            let attribute = attribute.map_err(|error| Unreadable::Malformed(error.to_string()))?;
            if !names.insert(attribute.key.0) {
                return Err(Unreadable::Malformed(format!("{} is there twice", attribute.key.0)));
            }
            let value = known(&attribute.value)?;
            // Neither a name nor what stands between it and its value has a quotation mark.
            let at = rest.find(['\'', '"']).unwrap_or_default();
            let quote = if rest[at..].starts_with('"') { '"' } else { '\'' };
            rest = rest.get(at + value.len() + 2..).unwrap_or_default();
            element.attributes.push(Attribute { name: attribute.key.0.to_owned(), value, quote });
        }
        Ok(element)
    }

    fn append(&mut self, text: &str) {
        if let Some(Node::Text(last)) = self.children.last_mut() {
            last.push_str(text);
        } else {
            self.children.push(Node::Text(text.to_owned()));
        }
    }
}

/// Returns a text as it is written, where all its references are known.
fn known(text: &str) -> Result<String, Unreadable> {
    match unescape(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Unreadable::Foreign(format!("{text:.40}, which refers to what is not known"))),
    }
}

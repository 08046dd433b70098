//! Changing: an element, an attribute or a text, in its place.

use quick_xml::escape::escape;

use super::{Attribute, Element, Node};

impl Element {
    /// Returns an empty element.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), attributes: Vec::new(), children: Vec::new() }
    }

    /// Returns the elements in it, to change them.
    pub fn children_mut(&mut self) -> impl Iterator<Item = &mut Self> {
        self.children.iter_mut().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Data(_) | Node::Comment(_) => None,
        })
    }

    /// Returns the first element of that name in it that `is` is true of.
    pub fn find_mut(&mut self, name: &str, is: impl Fn(&Self) -> bool) -> Option<&mut Self> {
        self.children_mut().find(|element| element.name == name && is(element))
    }

    /// Returns the first element of that name in it, made where there is none.
    pub fn make(&mut self, name: &str) -> &mut Self {
        let is = |node: &Node| matches!(node, Node::Element(element) if element.name == name);
        let at = self.children.iter().position(is).unwrap_or_else(|| self.add(Self::new(name)));
        match &mut self.children[at] {
            Node::Element(element) => element,
            Node::Text(_) | Node::Data(_) | Node::Comment(_) => unreachable!("the place is an element's"),
        }
    }

    /// Adds an element at the end, on a line of its own where the others are; returns its place.
    pub fn add(&mut self, element: Self) -> usize {
        let at = self.children.len() - usize::from(self.children.last().is_some_and(is_blank));
        let line = self.children.first().filter(|node| is_blank(node)).cloned();
        let nodes = line.into_iter().chain([Node::Element(element)]);
        let before = self.children.len();
        self.children.splice(at..at, nodes);
        at + self.children.len() - before - 1
    }

    /// Takes away every element of that name that `is` is true of, and the line it stands on.
    pub fn remove(&mut self, name: &str, is: impl Fn(&Self) -> bool) {
        let mut kept: Vec<Node> = Vec::with_capacity(self.children.len());
        for node in self.children.drain(..) {
            match node {
                Node::Element(element) if element.name == name && is(&element) => {
                    kept.pop_if(|before| is_blank(before));
                }
                node => kept.push(node),
            }
        }
        self.children = kept;
    }

    /// Gives an attribute a value; one that is there keeps its place.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = escape(value).into_owned();
        match self.attributes.iter_mut().find(|known| known.name == name) {
            Some(known) => known.value = value,
            None => self.attributes.push(Attribute { name: name.to_owned(), value, quote: '\'' }),
        }
    }

    /// Takes an attribute away.
    pub fn unset(&mut self, name: &str) {
        self.attributes.retain(|known| known.name != name);
    }

    /// Gives it a text in place of all that is in it.
    pub fn set_text(&mut self, text: &str) {
        self.children = vec![Node::Text(escape(text).into_owned())];
    }
}

/// Tells whether it is the white space between two elements.
fn is_blank(node: &Node) -> bool {
    matches!(node, Node::Text(text) if text.trim().is_empty())
}

//! XML as libvirt tells it: a tree that is read leniently.

use quick_xml::{
    Reader,
    escape::{escape, unescape},
    events::{BytesStart, Event},
};

/// How deep elements may stand in one another; libvirt's own go to about ten.
const DEEPEST: usize = 64;

/// An element with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    name: String,
    /// Names and values, these as they are written, escapes included.
    attributes: Vec<(String, String)>,
    children: Vec<Node>,
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Element(Element),
    /// Text as it is written, escapes included.
    Text(String),
}

impl Element {
    /// Reads a whole document; `None` where it is no XML, or of a kind that libvirt does not write.
    pub fn read(xml: &str) -> Option<Self> {
        let mut reader = Reader::from_str(xml);
        // A document around the document, so that there is always one to put things into.
        let mut open = vec![Self { name: String::new(), attributes: Vec::new(), children: Vec::new() }];
        loop {
            match reader.read_event().ok()? {
                Event::Start(start) if open.len() < DEEPEST => open.push(Self::open(&start)?),
                Event::Empty(start) => open.last_mut()?.children.push(Node::Element(Self::open(&start)?)),
                Event::End(_) => {
                    let element = open.pop().filter(|_| !open.is_empty())?;
                    open.last_mut()?.children.push(Node::Element(element));
                }
                Event::Text(text) => open.last_mut()?.append(&text),
                Event::GeneralRef(name) => open.last_mut()?.append(&format!("&{};", &*name)),
                Event::CData(text) => open.last_mut()?.append(&escape(&*text)),
                Event::Decl(_) | Event::Comment(_) => {}
                Event::Eof => break,
                Event::Start(_) | Event::PI(_) | Event::DocType(_) => return None,
            }
        }
        let document = open.pop().filter(|_| open.is_empty())?;
        let mut roots = document.children.into_iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        });
        roots.next().filter(|_| roots.next().is_none())
    }

    fn open(start: &BytesStart<'_>) -> Option<Self> {
        // Whether a name is there twice would be asked of all before it; the first one counts.
        let mut attributes = start.attributes();
        let attributes = attributes.with_checks(false).map(|attribute| {
            let attribute = attribute.ok()?;
            Some((attribute.key.0.to_owned(), attribute.value.to_string()))
        });
        let attributes = attributes.collect::<Option<Vec<_>>>()?;
        Some(Self { name: start.name().0.to_owned(), attributes, children: Vec::new() })
    }

    fn append(&mut self, text: &str) {
        if let Some(Node::Text(last)) = self.children.last_mut() {
            last.push_str(text);
        } else {
            self.children.push(Node::Text(text.to_owned()));
        }
    }

    /// Returns its name, prefix included.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<String> {
        let (_, value) = self.attributes.iter().find(|(known, _)| known == name)?;
        unescape(value).ok().map(std::borrow::Cow::into_owned)
    }

    /// Returns its own text, without the white space around it.
    pub fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|node| match node {
            Node::Text(text) => unescape(text).ok(),
            Node::Element(_) => None,
        });
        texts.collect::<String>().trim().to_owned()
    }

    /// Returns the elements in it.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) => None,
        })
    }

    /// Returns the elements of that name in it.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children().filter(move |child| child.name == name)
    }

    /// Returns the first element that a path of names leads to.
    pub fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.all(name).next())
    }

    /// Returns the values of all attributes and all texts, of everything in it too.
    pub fn values(&self) -> Vec<String> {
        let own = self.attributes.iter().filter_map(|(name, _)| self.attribute(name));
        let mut values: Vec<String> = own.chain([self.text()]).collect();
        values.extend(self.children().flat_map(Self::values));
        values
    }

    /// Returns every element in it that `is` is true of, itself included.
    pub fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self) || self.children().any(|child| child.any(is))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_without_their_escapes() {
        let xml = "<?xml version='1.0'?>\n<a y='say \"so\" &amp; &#10;'><!-- mine --><b:c d='&lt;'>e</b:c>t &lt; u<![CDATA[&]]></a>";
        let element = Element::read(xml).unwrap();
        assert_eq!(element.attribute("y").unwrap(), "say \"so\" & \n");
        assert_eq!(element.text(), "t < u&");
        assert_eq!(element.at(&["b:c"]).unwrap().text(), "e");
        assert_eq!(element.values(), ["say \"so\" & \n", "t < u&", "<", "e"]);
    }

    #[test]
    fn what_is_no_description_is_not_read() {
        let deep = "<a>".repeat(100_000);
        for text in
            ["", "text", "<a>", "<a/><b/>", "<a></b>", "</a>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", &deep]
        {
            assert_eq!(Element::read(text), None, "{text:.40}");
        }
    }
}

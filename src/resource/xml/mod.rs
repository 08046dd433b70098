//! XML as libvirt tells it: a tree that is read leniently, changed in places, and written with all else as it was.

mod edit;
mod read;
mod write;

use quick_xml::escape::unescape;

pub use read::Unreadable;

/// An element with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Element {
    /// Prefix included; what a prefix stands for is said by attributes, which stay.
    name: String,
    attributes: Vec<Attribute>,
    children: Vec<Node>,
}

/// An attribute of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    name: String,
    /// The value as it is written, escapes included.
    value: String,
    /// The quotation mark around it.
    quote: char,
}

impl Attribute {
    /// Returns its value without its escapes.
    fn plain(&self) -> Option<String> {
        unescape(&self.value).ok().map(std::borrow::Cow::into_owned)
    }
}

/// What an element holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    Element(Element),
    /// Text as it is written, escapes included.
    Text(String),
    /// What stands in `<![CDATA[…]]>`.
    Data(String),
    /// What stands in `<!--…-->`.
    Comment(String),
}

/// Looks.
impl Element {
    /// Returns its name, prefix included.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|attribute| attribute.name == name)?.plain()
    }

    /// Returns its own text, without the white space around it.
    pub fn text(&self) -> String {
        let text = |node: &Node| match node {
            Node::Text(text) => unescape(text).ok().map(std::borrow::Cow::into_owned),
            Node::Data(text) => Some(text.clone()),
            Node::Element(_) | Node::Comment(_) => None,
        };
        self.children.iter().filter_map(text).collect::<String>().trim().to_owned()
    }

    /// Returns the elements in it.
    pub fn children(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|node| match node {
            Node::Element(element) => Some(element),
            Node::Text(_) | Node::Data(_) | Node::Comment(_) => None,
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

    /// Returns the value of an attribute of the first element that a path of names leads to.
    pub fn attribute_at(&self, path: &[&str], name: &str) -> Option<String> {
        self.at(path)?.attribute(name)
    }

    /// Returns the values of all attributes and all texts, of everything in it too.
    pub fn values(&self) -> Vec<String> {
        let own = self.attributes.iter().filter_map(Attribute::plain);
        let mut values: Vec<String> = own.chain([self.text()]).collect();
        values.extend(self.children().flat_map(Self::values));
        values
    }

    /// Tells whether `is` is true of an element in it, or of itself.
    pub fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        is(self) || self.children().any(|child| child.any(is))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIXED: &str = "<?xml version='1.0'?>\n<!-- before --><a y='say \"so\" &amp; &#10;' x=\"it's\" xmlns:b='urn:b'>\
                         <!-- mine --><b:c d='&lt;'>e</b:c>t &lt; u<![CDATA[&<]]><c/> <d></d>\n</a>";

    fn read(xml: &str) -> Element {
        Element::read(xml).unwrap()
    }

    #[test]
    fn values_are_read_without_their_escapes() {
        let element = read(MIXED);
        assert_eq!(element.attribute("y").unwrap(), "say \"so\" & \n");
        assert_eq!(element.text(), "t < u&<");
        assert_eq!(element.at(&["b:c"]).unwrap().text(), "e");
        assert_eq!(element.attribute_at(&["b:c"], "d").unwrap(), "<");
        assert_eq!(
            element.values(),
            ["say \"so\" & \n", "it's", "urn:b", "t < u&<", "<", "e", "", ""],
            "{element:#?}"
        );
    }

    #[test]
    fn what_is_read_is_written_as_it_was() {
        let element = read(MIXED);
        let whole = MIXED.split_once("--><a").map(|(_, rest)| format!("<a{rest}")).unwrap();
        assert_eq!(element.to_string(), whole.replace("<d></d>", "<d/>"));
        assert_eq!(read(&element.to_string()), element);
    }

    #[test]
    fn what_is_no_description_is_not_read_and_the_reason_is_told() {
        let deep = "<a>".repeat(100_000);
        for (text, reason) in [
            ("", "it is empty"),
            ("text", "it is empty"),
            ("<a>", "it is cut off in <a>"),
            ("<a/><b/>", "it has more than one outermost element"),
            ("<a></b>", "it is no XML"),
            ("</a>", "it is no XML"),
            ("<a b='1' b='2'/>", "it is no XML"),
            ("<a>&b;</a>", "it has &b;"),
            ("<a c='&b;'/>", "it has &b;"),
            ("<!DOCTYPE a [<!ENTITY b 'c'>]><a/>", "it has a document type"),
            ("<?php?><a/>", "it has a processing instruction"),
            (&deep, "its elements stand more than 64 deep in one another"),
        ] {
            let unreadable = Element::read(text).unwrap_err().to_string();
            assert!(unreadable.starts_with(reason), "{text:.40}: {unreadable}");
        }
    }

    #[test]
    fn a_change_leaves_all_else_as_it_was() {
        let mut element = read("<a>\n  <b c='1' d='2'/>\n  <!-- so -->\n  <e>f</e>\n</a>");
        element.make("b").set("c", "it's <3>");
        element.make("b").unset("d");
        element.make("e").set_text("<&>");
        element.make("g").set("h", "\"");
        assert_eq!(
            element.to_string(),
            "<a>\n  <b c='it&apos;s &lt;3&gt;'/>\n  <!-- so -->\n  <e>&lt;&amp;&gt;</e>\n  <g h='&quot;'/>\n</a>"
        );
        assert_eq!(element.attribute_at(&["b"], "c").unwrap(), "it's <3>");
        element.remove("e", |_| true);
        assert!(element.find_mut("e", |_| true).is_none());
        *element.find_mut("g", |g| g.attribute("h").is_some()).unwrap() = read("<i/>");
        element.find_mut("i", |_| true).unwrap().add(read("<j/>"));
        assert_eq!(
            element.to_string(),
            "<a>\n  <b c='it&apos;s &lt;3&gt;'/>\n  <!-- so -->\n  <i><j/></i>\n</a>"
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_can_be_read_is_written_without_loss(
            xml in "<a>(<[a-c]( [a-c]=('[&;a\"<>]{0,3}'|\"[a']{0,2}\"))?/?>|</[a-c]>|&(lt|#10|x);|<!--[ a-]{0,3}-->|<!\\[CDATA\\[[a&<]{0,2}\\]\\]>|[a \n]){0,7}</a>"
        ) {
            if let Ok(element) = Element::read(&xml) {
                proptest::prop_assert_eq!(Element::read(&element.to_string()), Ok(element));
            }
        }
    }
}

//! Writing: what was read and not changed reads as it did.

use std::fmt::{Display, Formatter, Result};

use super::{Element, Node};

impl Display for Element {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "<{}", self.name)?;
        for attribute in &self.attributes {
            write!(f, " {}={2}{}{2}", attribute.name, attribute.value, attribute.quote)?;
        }
        if self.children.is_empty() {
            return f.write_str("/>");
        }
        f.write_str(">")?;
        for child in &self.children {
            match child {
                Node::Element(element) => element.fmt(f)?,
                Node::Text(text) => f.write_str(text)?,
                Node::Data(text) => write!(f, "<![CDATA[{text}]]>")?,
                Node::Comment(text) => write!(f, "<!--{text}-->")?,
            }
        }
        write!(f, "</{}>", self.name)
    }
}

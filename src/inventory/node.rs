//! The YAML as a tree: every key and value with its place and its path.
//!
//! The tree stands between YAML and the typed inventory so that reading goes on
//! after a mistake: the wrong part is cut out and the rest is read again, until
//! every mistake is known.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_yaml::{Location, Spanned, options::DuplicateKeyPolicy};

use super::{problem::Problem, span::Span};

/// One value of the tree.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Path from the top: `hosts[1].underlay.mtu`; empty at the top.
    pub path: String,
    /// Its place in the text.
    pub span: Span,
    /// What it is.
    pub kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// Nothing, `null` or `~`.
    Null,
    /// A text, number or boolean, as it was written.
    Scalar {
        /// The text; of a quoted scalar, without its quotes.
        text: String,
        /// It was quoted, or a block, and so is no number.
        quoted: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// Keys and values, in the order written.
    Map(Vec<(Key, Node)>),
}

/// A key of a map.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// The key.
    pub name: String,
    /// Its place in the text.
    pub span: Span,
}

impl Node {
    /// Reads `text`; the second part lists keys written twice.
    pub(super) fn parse(text: &str) -> Result<(Self, Vec<Problem>), Problem> {
        let options =
            serde_yaml::options! { with_snippet: false, duplicate_keys: DuplicateKeyPolicy::PassThrough };
        let raw: Spanned<Raw> =
            serde_yaml::from_str_with_options(text, options).map_err(|error| syntax(&error, text))?;
        let mut twice = Vec::new();
        let node = place(raw, String::new(), text, &mut twice);
        Ok((node, twice))
    }

    /// Removes the value of that path, wherever it is; tells whether it was there.
    pub(super) fn prune(&mut self, path: &str) -> bool {
        let children = match &mut self.kind {
            Kind::Null | Kind::Scalar { .. } => return false,
            Kind::List(items) => {
                let before = items.len();
                items.retain(|item| item.path != path);
                if items.len() < before {
                    return true;
                }
                items.iter_mut().collect::<Vec<_>>()
            }
            Kind::Map(entries) => {
                let before = entries.len();
                entries.retain(|(_, value)| value.path != path);
                if entries.len() < before {
                    return true;
                }
                entries.iter_mut().map(|(_, value)| value).collect()
            }
        };
        children.into_iter().any(|child| child.prune(path))
    }
}

/// The tree as serde-saphyr gives it.
enum Raw {
    Null,
    Text(String),
    /// A scalar YAML takes for a number or boolean: its text is still in the source.
    Plain,
    List(Vec<Spanned<Raw>>),
    Map(Vec<(Spanned<String>, Spanned<Raw>)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Raw, E> {
        Ok(Raw::Plain)
    }

    fn visit_str<E>(self, text: &str) -> Result<Raw, E> {
        Ok(Raw::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Raw::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(Raw::Map(map))
    }
}

/// Gives every value its path and, where YAML took it for a number, its text back.
fn place(raw: Spanned<Raw>, path: String, text: &str, twice: &mut Vec<Problem>) -> Node {
    let span = span_of(raw.referenced);
    let written = text.get(range(span_of(raw.defined))).unwrap_or_default();
    let kind = match raw.value {
        Raw::Null => Kind::Null,
        Raw::Plain => Kind::Scalar { text: written.trim().to_owned(), quoted: false },
        Raw::Text(value) => {
            let quoted = written.starts_with(['"', '\'', '|', '>']);
            Kind::Scalar { text: value, quoted }
        }
        Raw::List(items) => {
            let place_item = |(index, item)| place(item, format!("{path}[{index}]"), text, twice);
            Kind::List(items.into_iter().enumerate().map(place_item).collect())
        }
        Raw::Map(entries) => Kind::Map(place_entries(entries, &path, text, twice)),
    };
    Node { path, span, kind }
}

fn place_entries(
    entries: Vec<(Spanned<String>, Spanned<Raw>)>,
    path: &str,
    text: &str,
    twice: &mut Vec<Problem>,
) -> Vec<(Key, Node)> {
    let mut placed: Vec<(Key, Node)> = Vec::new();
    for (key, value) in entries {
        let key = Key { span: span_of(key.referenced), name: key.value };
        let path = if path.is_empty() { key.name.clone() } else { format!("{path}.{}", key.name) };
        if let Some((first, _)) = placed.iter().find(|(other, _)| other.name == key.name) {
            let line = 1 + text.get(..first.span.start).unwrap_or_default().matches('\n').count();
            twice.push(
                Problem::new(&path, key.span, format!("{:?} is written twice", key.name))
                    .help(format!("it is on line {line} already; keep one of the two")),
            );
            continue;
        }
        let value = place(value, path, text, twice);
        placed.push((key, value));
    }
    placed
}

fn span_of(location: Location) -> Span {
    let span = location.span();
    let number = |value: Option<u64>| value.and_then(|value| usize::try_from(value).ok()).unwrap_or(0);
    Span { start: number(span.byte_offset()), len: number(span.byte_len()) }
}

fn range(span: Span) -> std::ops::Range<usize> {
    span.start..span.start.saturating_add(span.len)
}

/// Puts a YAML error into the inventory's own words.
fn syntax(error: &serde_yaml::Error, text: &str) -> Problem {
    use serde_yaml::Error;
    let (message, help) = match error.without_snippet() {
        Error::Eof { .. } => ("the inventory is empty", Some("`ocp2 init` writes one to start from")),
        Error::MultipleDocuments { .. } => {
            ("the inventory holds more than one YAML document", Some("keep one, without a second `---`"))
        }
        Error::UnknownAnchor { .. } => ("this alias has no anchor", Some("write `&NAME` at what it repeats")),
        _ => ("", None),
    };
    let message = if message.is_empty() { first_line(error) } else { message.to_owned() };
    let at = error.location().map(|location| point(location, text));
    let problem = Problem::new("", at, message);
    match help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// Returns the place of a scanner's error, which knows line and column only.
fn point(location: Location, text: &str) -> Span {
    let number = |value: u64| usize::try_from(value).unwrap_or(usize::MAX).saturating_sub(1);
    let (line, column) = (number(location.line()), number(location.column()));
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = text[start..].lines().next().unwrap_or_default();
    let within = rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset);
    Span { start: start + within, len: 0 }
}

/// Returns what the parser says, without the position: the snippet shows that.
fn first_line(error: &serde_yaml::Error) -> String {
    let text = error.without_snippet().to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.split(" at line ").next().unwrap_or(line);
    let line =
        line.split_once(": ").filter(|(head, _)| head.starts_with("line ")).map_or(line, |(_, tail)| tail);
    format!("this is not YAML: {line}")
}

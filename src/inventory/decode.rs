//! From the tree to the typed inventory, past every mistake.

use std::collections::HashSet;

use serde::{
    de::{
        self, DeserializeOwned, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess,
        Unexpected, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{
    node::{Key, Kind, Node},
    problem::Problem,
    span::LOCATED,
    wrong::Wrong,
};

/// What could be read, and what could not.
pub(super) struct Decoded<T> {
    /// The value without its wrong parts; `None` where nothing is left of it.
    pub value: Option<T>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Paths of the fields whose value is not what the user meant, for it was left out.
    pub lost: Vec<String>,
}

/// Reads `node` as a `T`: what is wrong is noted and left out, and the rest is read again.
pub(super) fn decode<T: DeserializeOwned>(mut node: Node) -> Decoded<T> {
    let mut decoded = Decoded { value: None, problems: Vec::new(), lost: Vec::new() };
    let mut pruned = HashSet::new();
    if matches!(node.kind, Kind::Null) {
        let problem = Problem::new("", node.span, "there is nothing in it");
        decoded.problems.push(problem.help("`ocp2 init` writes one to start from"));
        return decoded;
    }
    loop {
        let wrong = match T::deserialize(&node) {
            Ok(value) => {
                decoded.value = Some(value);
                break;
            }
            Err(wrong) => wrong,
        };
        // A required field that was cut out has had its say already.
        if !wrong.0.missing.as_ref().is_some_and(|field| pruned.contains(field)) {
            decoded.problems.push(wrong.problem());
        }
        let path = wrong.0.path.unwrap_or_default();
        if path.is_empty() || !node.prune(&path) {
            break;
        }
        decoded.lost.extend(if wrong.0.unknown { wrong.0.meant } else { Some(path.clone()) });
        pruned.insert(path);
    }
    decoded
}

impl Node {
    fn unexpected(&self) -> Unexpected<'_> {
        match &self.kind {
            Kind::Null => Unexpected::Unit,
            Kind::Scalar { text, .. } => Unexpected::Str(text),
            Kind::List(_) => Unexpected::Seq,
            Kind::Map(_) => Unexpected::Map,
        }
    }

    fn refuse<T>(&self, expected: &str) -> Result<T, Wrong> {
        Err(<Wrong as de::Error>::invalid_type(self.unexpected(), &expected).at(self))
    }

    /// Reads a whole number; one in quotes is a text.
    fn number<T: std::str::FromStr>(&self) -> Result<T, Wrong> {
        let Kind::Scalar { text, quoted } = &self.kind else { return self.refuse("a whole number") };
        match text.parse() {
            Ok(number) if !quoted => Ok(number),
            Ok(_) => {
                let wrong = Wrong::new(format!("{text:?} is a text, not a number"));
                Err(wrong.help("write it without the quotes".to_owned()).at(self))
            }
            Err(_) if text.parse::<i128>().is_ok() => {
                Err(Wrong::new(format!("{text} is out of the range a number can have here")).at(self))
            }
            Err(_) => self.refuse("a whole number"),
        }
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
            visitor.$visit(self.number()?).map_err(|wrong: Wrong| wrong.at(self))
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Wrong;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.kind {
            Kind::Null => visitor.visit_unit(),
            Kind::Scalar { text, .. } => visitor.visit_borrowed_str(text),
            Kind::List(items) => visitor.visit_seq(Items(items.iter())),
            Kind::Map(entries) => visitor.visit_map(Entries { entries: entries.iter(), value: None }),
        }
        .map_err(|wrong| wrong.at(self))
    }

    numbers! {
        deserialize_u8 visit_u8
        deserialize_u16 visit_u16
        deserialize_u32 visit_u32
        deserialize_u64 visit_u64
        deserialize_i64 visit_i64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.kind {
            Kind::Scalar { text, quoted: false } if text == "true" => visitor.visit_bool(true),
            Kind::Scalar { text, quoted: false } if text == "false" => visitor.visit_bool(false),
            _ => self.refuse("true or false"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match &self.kind {
            Kind::Scalar { .. } => self.deserialize_any(visitor),
            _ => self.refuse("a text"),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.kind {
            Kind::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// Reads a list; a key with nothing behind it is an empty one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.kind {
            Kind::Null => visitor.visit_seq(Items([].iter())),
            Kind::List(_) => self.deserialize_any(visitor),
            _ => self.refuse("a list"),
        }
    }

    /// Reads keys and values; a key whose fields are all commented out has none.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Wrong> {
        match self.kind {
            Kind::Null => visitor
                .visit_map(Entries { entries: [].iter(), value: None })
                .map_err(|wrong: Wrong| wrong.at(self)),
            Kind::Map(_) => self.deserialize_any(visitor),
            _ => self.refuse("keys and values"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &str, visitor: V) -> Result<V::Value, Wrong> {
        let result = if name == LOCATED {
            visitor.visit_seq(Place { node: self, part: 0 })
        } else {
            visitor.visit_newtype_struct(self)
        };
        result.map_err(|wrong: Wrong| wrong.at(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Wrong> {
        let Kind::Scalar { text, .. } = &self.kind else {
            return self.refuse(&format!("one of {}", variants.join(", ")));
        };
        let variant: StrDeserializer<'_, Wrong> = text.as_str().into_deserializer();
        visitor.visit_enum(variant).map_err(|wrong| wrong.at(self))
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The items of a list.
struct Items<'de>(std::slice::Iter<'de, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

/// The entries of a map.
struct Entries<'de> {
    entries: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de Node>,
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Wrong;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Wrong> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        let name: StrDeserializer<'_, Wrong> = key.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|mut wrong| {
            // The key itself is wrong: it is shown, and it is what is left out.
            let parent = value.path.strip_suffix(&key.name).unwrap_or_default();
            wrong.0.meant = wrong.0.meant.map(|meant| format!("{parent}{meant}"));
            wrong.0.path = Some(value.path.clone());
            wrong.0.span = Some(key.span);
            wrong
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Wrong> {
        match self.value.take() {
            Some(node) => seed.deserialize(node),
            None => Err(Wrong::new("a value without its key")),
        }
    }
}

/// A value's place and the value, for [`super::Located`].
struct Place<'de> {
    node: &'de Node,
    part: u8,
}

impl<'de> SeqAccess<'de> for Place<'de> {
    type Error = Wrong;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Wrong> {
        self.part += 1;
        match self.part {
            1 => seed.deserialize(self.node.span.start.into_deserializer()).map(Some),
            2 => seed.deserialize(self.node.span.len.into_deserializer()).map(Some),
            3 => seed.deserialize(self.node).map(Some),
            _ => Ok(None),
        }
    }
}

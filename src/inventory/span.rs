//! Where in the inventory's text a value stands.

use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, SeqAccess, Visitor},
};

/// A stretch of the inventory's text, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Length; 0 for a value that is not written.
    pub len: usize,
}

/// A value, and where it was written; a default was written nowhere.
#[derive(Debug, Clone, Default)]
pub struct Located<T> {
    /// The value itself.
    pub value: T,
    /// Its place; `None` for a default.
    pub at: Option<Span>,
}

/// The newtype name under which a [`Located`] asks its deserializer for the place as well.
pub(super) const LOCATED: &str = "ocp2::inventory::Located";

impl<T> Located<T> {
    /// Wraps a value nobody wrote.
    #[must_use]
    pub const fn unwritten(value: T) -> Self {
        Self { value, at: None }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Two values are equal wherever they stand.
impl<T: PartialEq> PartialEq for Located<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(LOCATED, LocatedVisitor(std::marker::PhantomData))
    }
}

struct LocatedVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
    type Value = Located<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value")
    }

    /// Reads what the inventory's own deserializer gives: start, length, value.
    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let lost = || A::Error::custom("a value without its place");
        let start = parts.next_element()?.ok_or_else(lost)?;
        let len = parts.next_element()?.ok_or_else(lost)?;
        let value = parts.next_element()?.ok_or_else(lost)?;
        Ok(Located { value, at: Some(Span { start, len }) })
    }

    /// Reads what any other deserializer gives: the value alone.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(Located::unwritten)
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

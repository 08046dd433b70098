//! Why a value of the tree is not what its field wants, in the inventory's own words.

use std::fmt;

use serde::de::{self, Expected, Unexpected};

use super::{
    node::{Kind, Node},
    problem::Problem,
    span::Span,
};

/// Why one value could not be read.
///
/// Boxed, for it travels in the `Err` of every value that is read.
#[derive(Debug)]
pub(super) struct Wrong(pub Box<Fault>);

/// What a [`Wrong`] knows.
#[derive(Debug, Default)]
pub(super) struct Fault {
    message: String,
    help: Option<String>,
    /// Full path of the field that is missing in the value.
    pub missing: Option<String>,
    /// It is a key nobody knows.
    pub unknown: bool,
    /// Full path of the field that key was probably meant to be.
    pub meant: Option<String>,
    /// Path of the value.
    pub path: Option<String>,
    /// Its place.
    pub span: Option<Span>,
}

impl Wrong {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Fault { message: message.into(), ..Fault::default() }))
    }

    /// Adds what to do about it.
    pub(super) fn help(mut self, help: String) -> Self {
        self.0.help = Some(help);
        self
    }

    /// Gives the place of the innermost value, which is the first to ask.
    pub(super) fn at(mut self, node: &Node) -> Self {
        if self.0.path.is_none() {
            self.0.path = Some(node.path.clone());
            self.0.span = Some(node.span);
            // The standard library says only that the syntax is wrong.
            if let ("invalid IP address syntax" | "invalid IPv4 address syntax", Kind::Scalar { text, .. }) =
                (self.0.message.as_str(), &node.kind)
            {
                let family = if self.0.message.contains("IPv4") { "an IPv4" } else { "an IP" };
                self.0.message = format!("{text:?} is not {family} address");
            }
            if let Some(field) = self.0.missing.take() {
                self.0.missing =
                    Some(if node.path.is_empty() { field } else { format!("{}.{field}", node.path) });
                // A map's own place is its whole text: its first key is enough to show.
                if let Kind::Map(entries) = &node.kind
                    && let Some((key, _)) = entries.first()
                {
                    self.0.span = Some(key.span);
                }
            }
        }
        self
    }

    pub(super) fn problem(&self) -> Problem {
        let Fault { missing, path, span, message, help, .. } = &*self.0;
        let field = missing.as_deref().or(path.as_deref()).unwrap_or_default();
        let problem = Problem::new(field, *span, message);
        match help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Wrong {}

impl de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match unexpected {
            Unexpected::Map => "keys and values".to_owned(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
            Unexpected::Str(text) => format!("{text:?}"),
            other => other.to_string(),
        };
        Self::new(format!("{found} stands here, not {expected}"))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let mut wrong = Self::new(format!("there is no field {field:?} here")).help(suggestion(
            field,
            expected,
            "the fields here are",
        ));
        wrong.0.unknown = true;
        wrong.0.meant = nearest(field, expected).map(str::to_owned);
        wrong
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("{variant:?} is not one of the possible values")).help(suggestion(
            variant,
            expected,
            "possible values are",
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        let mut wrong = Self::new("is required and missing");
        wrong.0.missing = Some(field.to_owned());
        wrong
    }
}

/// Names the word that was probably meant, else all there are.
fn suggestion(word: &str, expected: &[&str], otherwise: &str) -> String {
    match nearest(word, expected) {
        Some(best) => format!("did you mean `{best}`?"),
        None => format!("{otherwise} {}", expected.join(", ")),
    }
}

/// Returns the word at most two slips away.
pub(super) fn nearest<'a>(word: &str, expected: &[&'a str]) -> Option<&'a str> {
    let distance = |candidate: &str| strsim::osa_distance(&word.to_lowercase(), &candidate.to_lowercase());
    let best = expected.iter().copied().min_by_key(|candidate| distance(candidate))?;
    (distance(best) <= 2).then_some(best)
}

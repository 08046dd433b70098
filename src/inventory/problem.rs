//! What is wrong with an inventory, and what is only worth saying.

use std::{fmt, sync::Arc};

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use super::span::Span;

/// The inventory's text and the name it is shown under.
#[derive(Debug, Clone)]
pub struct Source(Arc<NamedSource<String>>);

/// One thing wrong with an inventory.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Where it stands; `None` for what is written nowhere.
    pub at: Option<Span>,
    /// Path of the field: `hosts[1].underlay.mtu`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    source: Option<Source>,
}

/// Everything wrong with an inventory; never empty.
#[derive(Debug, Clone)]
pub struct Problems(Vec<Problem>);

/// Something that is not wrong but that the user should know: an assumption, a risk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// Path of the field it is about; may be empty.
    pub field: String,
    /// What is to know.
    pub message: String,
}

impl Source {
    /// Keeps `text` under the file name it came from, passwords in its URLs masked.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        Self(Arc::new(NamedSource::new(name, mask_passwords(text))))
    }

    /// Returns the name of the file.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.inner()
    }
}

/// Masks what stands between `scheme://user:` and `@`, byte for byte: every position stays.
fn mask_passwords(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(scheme) = rest.find("://") {
        let (before, after) = rest.split_at(scheme + 3);
        let end = after.find(|c: char| c.is_whitespace() || "/\"',".contains(c)).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        masked.push_str(before);
        match authority.rsplit_once('@').and_then(|(login, _)| login.split_once(':')) {
            Some((user, password)) => {
                let shown = user.len() + 1;
                masked.push_str(&authority[..shown]);
                masked.extend(std::iter::repeat_n('*', password.len()));
                masked.push_str(&authority[shown + password.len()..]);
            }
            None => masked.push_str(authority),
        }
        rest = tail;
    }
    masked + rest
}

impl Problem {
    /// States what is wrong with the field `field`, written at `at`.
    pub(crate) fn new(field: &str, at: impl Into<Option<Span>>, message: impl Into<String>) -> Self {
        Self { at: at.into(), field: field.to_owned(), message: message.into(), help: None, source: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Returns line and column, both from 1; a problem written nowhere is at the start.
    #[must_use]
    pub fn position(&self) -> (usize, usize) {
        let text = self.source.as_ref().map_or("", Source::text);
        let start = self.at.map_or(0, |at| at.start.min(text.len()));
        let before = text.get(..start).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = 1 + before.rsplit('\n').next().unwrap_or_default().chars().count();
        (line, column)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.field, self.message)
        }
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| &*source.0 as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let at = self.at.unwrap_or(Span { start: 0, len: 0 });
        Some(Box::new(std::iter::once(LabeledSpan::new(None, at.start, at.len))))
    }
}

impl Problems {
    /// Collects what is wrong, in the order it is written.
    pub(crate) fn new(mut list: Vec<Problem>, source: &Source) -> Self {
        list.sort_by_key(|problem| problem.at);
        for problem in &mut list {
            problem.source = Some(source.clone());
        }
        Self(list)
    }

    /// Returns the problems, in the order they are written.
    #[must_use]
    pub fn list(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the inventory has a problem"),
            many => write!(f, "the inventory has {many} problems"),
        }
    }
}

impl std::error::Error for Problems {}

impl Diagnostic for Problems {
    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            f.write_str(&self.message)
        } else {
            write!(f, "{}: {}", self.field, self.message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_not_shown() {
        let text = "httpProxy: http://me:s3cr@t@proxy:3128 # http://example.com/a:b@c";
        let source = Source::new("inventory.yaml", text);
        assert_eq!(source.text(), "httpProxy: http://me:******@proxy:3128 # http://example.com/a:b@c");
        assert_eq!(source.text().len(), text.len());
    }
}

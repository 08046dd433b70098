//! What stands for something else in OpenSSH's settings.

use std::path::PathBuf;

/// The `%` tokens that `ssh -G` leaves as they are.
pub(super) struct Tokens<'a> {
    pub host: &'a str,
    pub hostname: &'a str,
    pub port: &'a str,
    pub user: &'a str,
}

impl Tokens<'_> {
    /// Returns a path, with `~` and tokens replaced.
    pub fn path(&self, text: &str) -> PathBuf {
        let text = self.expand(text);
        match (text.strip_prefix("~/"), std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => PathBuf::from(text),
        }
    }

    /// Replaces the tokens.
    pub fn expand(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['%', '$']) {
            out.push_str(&rest[..at]);
            let tail = &rest[at..];
            let (value, used) = self.token(tail);
            out.push_str(&value);
            rest = &tail[used..];
        }
        out.push_str(rest);
        out
    }

    /// Returns what stands for the token at the start of `tail`, and the token's length.
    fn token(&self, tail: &str) -> (String, usize) {
        if let Some(name) =
            tail.strip_prefix("${").and_then(|rest| rest.split_once('}')).map(|(name, _)| name)
        {
            return (std::env::var(name).unwrap_or_default(), name.len() + 3);
        }
        let value = match tail.get(..2) {
            Some("%%") => String::from("%"),
            Some("%h") => self.hostname.to_owned(),
            Some("%n") => self.host.to_owned(),
            Some("%p") => self.port.to_owned(),
            Some("%r") => self.user.to_owned(),
            Some("%u") => std::env::var("USER").unwrap_or_default(),
            Some("%d") => std::env::home_dir().unwrap_or_default().display().to_string(),
            // Not a token that these settings take: as it is.
            _ => return (tail[..1].to_owned(), 1),
        };
        (value, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_replaced() {
        let tokens = Tokens { host: "n", hostname: "h", port: "22", user: "me" };
        assert_eq!(tokens.expand("nc %h %p 100%% %q $x ${OCP2_NOT_SET}."), "nc h 22 100% %q $x .");
    }
}

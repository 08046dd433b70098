//! Shell source that is safe by construction: arguments are quoted by type.

use std::fmt;

use crate::secret::Secret;

/// One command with its arguments, each quoted when it becomes shell source.
///
/// ```
/// use ocp2::command::Command;
/// let command = Command::new("ip").args(["link", "set", "my bridge", "up"]);
/// assert_eq!(command.to_string(), "ip link set 'my bridge' up");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Command(Vec<String>);

impl Command {
    /// Starts a command with the program's name.
    #[must_use]
    pub fn new(program: &str) -> Self {
        Self(vec![program.to_owned()])
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, argument: impl fmt::Display) -> Self {
        self.0.push(argument.to_string());
        self
    }

    /// Adds several arguments.
    #[must_use]
    pub fn args<T: fmt::Display>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.0.extend(arguments.into_iter().map(|a| a.to_string()));
        self
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            f.write_str(&quote(word))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Quotes one word for a POSIX shell.
///
/// A NUL cannot be in a shell word; it is dropped, for no name or path that
/// passed the inventory's checks has one.
#[must_use]
pub fn quote(word: &str) -> String {
    let clean: String = word.chars().filter(|&c| c != '\0').collect();
    shlex::try_quote(&clean).map_or_else(|_| String::from("''"), std::borrow::Cow::into_owned)
}

/// Returns source that gives the file `new` the name `path`: its content is on the disk before, its name after.
///
/// Otherwise a host that loses its power may have, for half a minute, a file of the right name and
/// length with nothing in it.
#[must_use]
pub fn into_place(new: &str, path: &str) -> String {
    let folder =
        path.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    let (new, path, folder) = (quote(new), quote(path), quote(folder));
    format!("sync -- {new}; mv -f -T -- {new} {path}; sync -- {folder}")
}

/// Bash source for one host; it travels on stdin and may hold secrets, so it does not print.
#[derive(Clone, Default)]
pub struct Script(String);

impl Script {
    /// Starts an empty script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a line of shell source as it is.
    #[must_use]
    pub fn line(mut self, source: impl fmt::Display) -> Self {
        use fmt::Write as _;
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{source}");
        self
    }

    /// Adds a line that writes `content` to the standard output of a `printf`
    /// builtin piped into `sink`: the text is in no process's arguments.
    #[must_use]
    pub fn feed(self, content: &Secret, sink: &Command) -> Self {
        let encoded = data_encoding::BASE64.encode(content.expose().as_bytes());
        self.line(format_args!("printf %s {encoded} | base64 -d | {sink}"))
    }

    /// Returns the source, for the one place that sends it.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_shell_meaning_are_quoted() {
        let command = Command::new("echo").arg("a b").arg("$(reboot)").arg("it's").arg("");
        let words = shlex::split(&command.to_string()).unwrap();
        assert_eq!(words, ["echo", "a b", "$(reboot)", "it's", ""]);
    }

    #[test]
    fn a_script_does_not_print_what_it_feeds() {
        let script = Script::new().feed(&Secret::new("hunter2".into()), &Command::new("cat"));
        assert_eq!(format!("{script:?}"), format!("Script({} bytes)", script.source().len()));
    }
}

//! The machine's own apt sources: what the hosts' root is built from.

use std::{fmt::Write as _, path::Path};

use super::LabError;

/// What mmdebstrap needs to know of this machine's apt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apt {
    /// The machine's release, `bookworm`.
    pub codename: String,
    /// Its sources that carry that release, in deb822 form or one a line.
    pub sources: String,
    /// Its own settings for fetching: proxy, retries, date checks.
    pub settings: String,
}

impl Apt {
    /// Reads the machine's files.
    pub fn of_this_machine() -> Result<Self, LabError> {
        let release = read("/etc/os-release")?;
        let codename = value(&release, "VERSION_CODENAME=").unwrap_or_default();
        let mut sources = String::new();
        for file in files() {
            sources += &matching(&read(&file)?, is(&file, "sources"), &codename);
        }
        if sources.is_empty() {
            return Err(LabError::NoAptSource { codename });
        }
        let settings = super::program::run(&["apt-config", "dump"])?;
        Ok(Self { codename, sources, settings: fetching(&settings) })
    }
}

fn is(path: &str, extension: &str) -> bool {
    Path::new(path).extension().is_some_and(|found| found == extension)
}

fn read(path: &str) -> Result<String, LabError> {
    std::fs::read_to_string(path).map_err(LabError::file("read", path))
}

fn value(text: &str, key: &str) -> Option<String> {
    let found = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(found.trim_matches('"').to_owned())
}

/// Lists the files apt reads, in its order.
fn files() -> Vec<String> {
    let mut parts: Vec<String> = std::fs::read_dir("/etc/apt/sources.list.d")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.path().to_str().map(str::to_owned))
        .filter(|path| is(path, "list") || is(path, "sources"))
        .collect();
    parts.sort();
    let main = "/etc/apt/sources.list";
    Path::new(main).is_file().then(|| main.to_owned()).into_iter().chain(parts).collect()
}

/// Returns the sources of one file that carry the release itself, its updates or its security fixes.
///
/// Third-party sources stay out: they know other suites, and a lab host needs nothing of theirs.
fn matching(text: &str, deb822: bool, codename: &str) -> String {
    let ours = |suite: &str| {
        suite.strip_prefix(codename).is_some_and(|rest| matches!(rest, "" | "-updates" | "-security"))
    };
    let mut out = String::new();
    if deb822 {
        let clean: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        for stanza in clean.split(|line| line.trim().is_empty()).filter(|stanza| !stanza.is_empty()) {
            let field =
                |name: &str| stanza.iter().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            let on = field("Enabled:").trim() != "no";
            if on && field("Types:").contains("deb") && field("Suites:").split_whitespace().any(ours) {
                let _ = write!(out, "{}\n\n", stanza.join("\n"));
            }
        }
    } else {
        for line in text.lines().filter(|line| line.starts_with("deb ")) {
            if line.split_whitespace().any(ours) {
                let _ = writeln!(out, "{line}");
            }
        }
    }
    out
}

/// Returns the settings that decide how apt fetches, as an apt.conf.
fn fetching(dump: &str) -> String {
    let wanted = ["Acquire::http", "Acquire::Check-", "Acquire::Retries", "Acquire::ForceIPv"];
    let kept = dump.lines().filter(|line| wanted.iter().any(|prefix| line.starts_with(prefix)));
    kept.filter(|line| !line.ends_with(" \"\";")).map(|line| format!("{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "Types: deb\n# a comment\nURIs: http://debian.example/debian\n\
        Suites: bookworm bookworm-updates\nComponents: main\n\n\
        Types: deb\nURIs: http://other.example\nSuites: nodistro\nComponents: main\n";

    #[test]
    fn deb822_stanzas_of_the_release_are_kept_and_others_are_not() {
        let kept = matching(DEB822, true, "bookworm");
        assert!(kept.starts_with("Types: deb\nURIs: http://debian.example/debian\n"), "{kept}");
        assert!(!kept.contains("other.example") && !kept.contains('#'), "{kept}");
    }

    #[test]
    fn one_line_sources_of_the_release_are_kept_and_others_are_not() {
        let text = "deb http://debian.example/debian bookworm main\n# deb http://x bookworm main\n\
            deb-src http://debian.example/debian bookworm main\ndeb http://x cloud-sdk-bookworm main\n";
        assert_eq!(matching(text, false, "bookworm"), "deb http://debian.example/debian bookworm main\n");
    }

    #[test]
    fn a_proxy_is_taken_over_and_the_rest_of_apts_settings_is_not() {
        let dump =
            "APT::Architecture \"amd64\";\nAcquire::http \"\";\nAcquire::http::Proxy \"http://p:1\";\n";
        assert_eq!(fetching(dump), "Acquire::http::Proxy \"http://p:1\";\n");
    }
}

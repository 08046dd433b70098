//! A file of ocp2's own on a host.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::{
    command::{Command, Script, into_place, quote},
    resource::{Change, Detail, Facts, Kind, Owned, Questions, Scope, answer},
    secret::Secret,
};

/// A file with its whole content.
#[derive(Debug, Clone)]
pub struct File {
    /// Where it is.
    pub path: String,
    /// What is in it.
    pub content: String,
    /// Permission bits.
    pub mode: u32,
    /// A command that must accept the new file, whose path is added to it, before it takes the place.
    pub check: Option<Command>,
    /// Shell source run after the file is in place, for programs that read it only when told to.
    pub then: Option<String>,
    /// It says what could cut the way in, now or at the next boot: the old one comes back when that is undone.
    pub guarded: bool,
}

/// A file as it is on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileSeen {
    /// Permission bits.
    pub mode: u32,
    /// `user:group`.
    pub owner: String,
    /// SHA-256 of the content, hexadecimal.
    pub sha256: String,
    /// The content, unless only a digest was asked for or it is not UTF-8.
    pub text: Option<String>,
}

impl File {
    /// Makes a world-readable file.
    #[must_use]
    pub fn new(path: impl Into<String>, content: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            content: content.into(),
            mode: 0o644,
            check: None,
            then: None,
            guarded: false,
        }
    }

    /// Lets only root read it.
    #[must_use]
    pub fn private(mut self) -> Self {
        self.mode = 0o600;
        self
    }

    /// Makes it executable.
    #[must_use]
    pub fn executable(mut self) -> Self {
        self.mode = 0o755;
        self
    }

    /// Adds the command that must accept the content first.
    #[must_use]
    pub fn checked_by(mut self, check: Command) -> Self {
        self.check = Some(check);
        self
    }

    /// Adds what is run once it is in place.
    #[must_use]
    pub fn then(mut self, source: impl Into<String>) -> Self {
        self.then = Some(source.into());
        self
    }

    /// Lets the old one come back when the way in was cut.
    #[must_use]
    pub fn guarded(mut self) -> Self {
        self.guarded = true;
        self
    }

    /// Returns the content's SHA-256, hexadecimal.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(self.content.as_bytes())
    }

    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.files.insert(self.path.clone());
    }

    /// Returns the changes from `facts` to this file.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        let resource = format!("file {}", self.path);
        let Some(seen) = facts.files.get(&self.path) else {
            let undo = self.guarded.then(|| Script::new().line(Command::new("rm").args(["-f", &self.path])));
            let create = Change::shell(resource, "create", self.script()).within(Scope::Ours);
            let made = Owned::new(Kind::File, &self.path);
            return vec![create.because(vec![self.diff("")]).undone_by(undo).making([made])];
        };
        let mut differences = Vec::new();
        if seen.sha256 != self.sha256() {
            differences.push(self.diff(seen.text.as_deref().unwrap_or_default()));
        }
        let (from, to) = (format!("{:o}", seen.mode), format!("{:o}", self.mode));
        differences.extend(Detail::field("mode", Some(&from), &to));
        differences.extend(Detail::field("owner", Some(&seen.owner), "root:root"));
        if differences.is_empty() {
            return Vec::new();
        }
        let summary = differences.iter().map(Detail::in_words).collect::<Vec<_>>().join(", ");
        // What is no text is not ocp2's, and what was there is not known.
        let old = seen.text.as_ref().filter(|_| self.guarded).map(|text| {
            let old = Self { content: text.clone(), mode: seen.mode, check: None, ..self.clone() };
            old.script()
        });
        vec![
            Change::shell(resource, &summary, self.script())
                .within(Scope::Ours)
                .because(differences)
                .undone_by(old),
        ]
    }

    fn diff(&self, seen: &str) -> Detail {
        Detail::diff(&self.path, seen, &self.content)
    }

    /// Returns the source that puts the file in place, whole or not at all.
    ///
    /// `install` removes what a cut run has left, writes a file that nobody else can read, and gives it
    /// its owner and mode at the end: one program, where a run that makes everything makes 50 files.
    fn script(&self) -> Script {
        let new = format!("{}.ocp2-new", self.path);
        let folder = self.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let mut script =
            Script::new().line(format_args!("[ -d {0} ] || install -d -m 755 {0}", quote(folder))).feed(
                &Secret::new(self.content.clone()),
                &Command::new("install")
                    .args(["-T", "-o", "root", "-g", "root", "-m"])
                    .arg(format_args!("{:o}", self.mode))
                    .args(["/dev/stdin", &new]),
            );
        if let Some(check) = &self.check {
            let check = check.clone().arg(&new);
            script = script.line(format_args!("{check} || {{ rm -f {}; exit 1; }}", quote(&new)));
        }
        let script = script.line(into_place(&new, &self.path));
        self.then.iter().fold(script, Script::line)
    }
}

/// Returns SHA-256 of `bytes`, hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(bytes))
}

/// Returns the probe's source: `stat` lines, then sizes and all contents in one piece, then digests, then
/// listings. (A `base64` for each file would be most of the probe's time.)
pub(super) fn ask(
    files: &BTreeSet<String>,
    digests: &BTreeSet<String>,
    listings: &BTreeSet<String>,
) -> String {
    let words = |set: &BTreeSet<String>| set.iter().map(|path| quote(path)).collect::<Vec<_>>().join(" ");
    let (texts, sums) = (words(files), words(digests));
    let mut source = answer::head("files") + "\n";
    if !files.is_empty() || !digests.is_empty() {
        source += &format!("stat -c 'stat %a %U:%G %n' -- {texts} {sums} 2>/dev/null || true\n");
    }
    if !files.is_empty() {
        source += &format!("have=(); for f in {texts}; do [ ! -f \"$f\" ] || have+=(\"$f\"); done\n");
        source += "if [ ${#have[@]} != 0 ]; then stat -c 'size %s %n' -- \"${have[@]}\"\n\
                   printf 'texts '; cat -- \"${have[@]}\" | base64 -w0; echo; fi\n";
    }
    if !digests.is_empty() {
        source +=
            &format!("for f in {sums}; do [ -f \"$f\" ] && sha256sum -- \"$f\" | sed 's/^/sum /'; done\n");
    }
    source += &(answer::head("listing") + "\n");
    if !listings.is_empty() {
        // Patterns are ocp2's own and are to be expanded by the shell.
        let patterns = listings.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
        source += &format!("find {patterns} -printf '%s %p\\n' 2>/dev/null || true\n");
    }
    source
}

/// Reads the probe's answer.
///
/// # Errors
/// Returns the reason where contents and sizes do not fit: somebody writes while we look.
pub(super) fn read(section: &str) -> Result<BTreeMap<String, FileSeen>, String> {
    let mut files = BTreeMap::<String, FileSeen>::new();
    let mut sizes: Vec<(usize, &str)> = Vec::new();
    for line in section.lines() {
        let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
        match kind {
            "stat" => {
                let mut words = rest.splitn(3, ' ');
                let mode = words.next().and_then(|mode| u32::from_str_radix(mode, 8).ok()).unwrap_or(0);
                let owner = words.next().unwrap_or_default().to_owned();
                let path = words.next().unwrap_or_default().to_owned();
                files.insert(path, FileSeen { mode, owner, sha256: String::new(), text: None });
            }
            "size" => {
                if let Some((size, path)) = rest.split_once(' ') {
                    sizes.push((size.parse::<usize>().unwrap_or(usize::MAX), path));
                }
            }
            "texts" => {
                let bytes = data_encoding::BASE64.decode(rest.as_bytes()).unwrap_or_default();
                let sum = sizes.iter().fold(0, |sum: usize, (size, _)| sum.saturating_add(*size));
                if sum != bytes.len() {
                    return Err("a file changed while it was read".to_owned());
                }
                let mut rest = bytes.as_slice();
                for (size, path) in sizes.drain(..) {
                    let (own, others) = rest.split_at(size);
                    rest = others;
                    if let Some(seen) = files.get_mut(path) {
                        seen.sha256 = sha256(own);
                        seen.text = String::from_utf8(own.to_vec()).ok();
                    }
                }
            }
            "sum" => {
                if let Some((sum, path)) = rest.split_once("  ")
                    && let Some(seen) = files.get_mut(path)
                {
                    sum.clone_into(&mut seen.sha256);
                }
            }
            _ => {}
        }
    }
    if !sizes.is_empty() {
        return Err("the contents of files are missing".to_owned());
    }
    Ok(files)
}

/// Reads `find`'s answer: size and path.
pub(super) fn read_listing(section: &str) -> BTreeMap<String, u64> {
    let entry = |line: &str| {
        let (size, path) = line.split_once(' ')?;
        Some((path.to_owned(), size.parse().ok()?))
    };
    section.lines().filter_map(entry).collect()
}

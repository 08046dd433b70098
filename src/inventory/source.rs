//! Reading the inventory and the files it names: the one place of this room that does I/O.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    Inventory, Located,
    decode::{Decoded, decode},
    node::Node,
    problem::{Problem, Problems, Source, Warning},
};
use crate::secret::Secret;

/// Reads files; [`Disk`] in earnest, a map in tests.
pub trait Files {
    /// Returns the whole text of a file.
    ///
    /// # Errors
    /// As [`std::fs::read_to_string`] does.
    fn read(&self, path: &Path) -> io::Result<String>;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }
}

/// An inventory that holds as far as one can tell without its hosts.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The inventory, its relative paths and `~` resolved.
    pub inventory: Inventory,
    /// Its text.
    pub source: Source,
    /// The pull secret; `None` where the way of installing needs none.
    pub pull_secret: Option<Secret>,
    /// The public keys that may log in to the nodes, one a line; may be empty with `install.iso`.
    pub ssh_key: String,
    /// Additional certificate authorities, PEM.
    pub trust_bundle: Option<String>,
    /// What is not wrong but worth saying.
    pub warnings: Vec<Warning>,
}

/// Why there is no inventory to work with.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub enum LoadError {
    /// Its file cannot be read.
    #[error("the inventory {} cannot be read", path.display())]
    #[diagnostic(help("name it with -i FILE, or write one with `ocp2 init`"))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is wrong.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Invalid(#[from] Problems),
}

/// Reads the inventory at `path` and the files it names, and checks all of it.
///
/// `home` is what `~` stands for; where it is `None`, `~` is a problem.
///
/// # Errors
/// Every problem there is, where there is one.
pub fn load(path: &Path, home: Option<&Path>, files: &dyn Files) -> Result<Loaded, LoadError> {
    let text = files.read(path).map_err(|source| LoadError::Unreadable { path: path.to_owned(), source })?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let source = Source::new(&path.display().to_string(), text);
    let folder = path.parent().unwrap_or(Path::new(""));
    let invalid = |problems| Problems::of(problems, &source).map(LoadError::Invalid);

    let (node, mut problems) = match Node::parse(text) {
        Ok(parsed) => parsed,
        Err(problem) => return Err(invalid(vec![problem]).unwrap_or_else(|| unreachable!())),
    };
    let Decoded { value, problems: wrong, pruned: _ } = decode::<Inventory>(node);
    problems.extend(wrong);
    let Some(mut inventory) = value else {
        return Err(invalid(problems).unwrap_or_else(|| unreachable!()));
    };
    let anchor = Anchor { folder, home };
    anchor.resolve(&mut inventory, &mut problems);

    let mut loaded = Loaded {
        inventory,
        source: source.clone(),
        pull_secret: None,
        ssh_key: String::new(),
        trust_bundle: None,
        warnings: Vec::new(),
    };
    let settings = &loaded.inventory;
    loaded.pull_secret =
        read(files, settings.cluster.pull_secret_file.as_ref(), "cluster.pullSecretFile", &mut problems)
            .map(Secret::new);
    loaded.ssh_key = read(files, settings.cluster.ssh_key_file.as_ref(), "cluster.sshKeyFile", &mut problems)
        .unwrap_or_default();
    let bundle = settings.install.additional_trust_bundle_file.as_ref();
    loaded.trust_bundle = read(files, bundle, "install.additionalTrustBundleFile", &mut problems);

    match invalid(problems) {
        Some(error) => Err(error),
        None => Ok(loaded),
    }
}

fn read(
    files: &dyn Files,
    path: Option<&Located<PathBuf>>,
    field: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let path = path?;
    match files.read(path) {
        Ok(text) => Some(text),
        Err(error) => {
            problems.push(Problem::new(
                field,
                path.at,
                format!("{} cannot be read: {error}", path.display()),
            ));
            None
        }
    }
}

/// What relative paths and `~` start from.
struct Anchor<'a> {
    folder: &'a Path,
    home: Option<&'a Path>,
}

impl Anchor<'_> {
    /// Makes every path of the inventory one that holds from anywhere.
    fn resolve(&self, inventory: &mut Inventory, problems: &mut Vec<Problem>) {
        let cluster = &mut inventory.cluster;
        let paths = [
            ("cluster.pullSecretFile", &mut cluster.pull_secret_file),
            ("cluster.sshKeyFile", &mut cluster.ssh_key_file),
            ("install.additionalTrustBundleFile", &mut inventory.install.additional_trust_bundle_file),
        ];
        for (field, path) in paths {
            if let Some(path) = path {
                let at = path.at;
                self.path(&mut path.value, field, at, problems);
            }
        }
        if let Some(iso) = &mut inventory.install.iso
            && !iso.contains("://")
        {
            let mut path = PathBuf::from(&iso.value);
            self.path(&mut path, "install.iso", iso.at, problems);
            iso.value = path.to_string_lossy().into_owned();
        }
        for (index, host) in inventory.hosts.iter_mut().enumerate() {
            let at = host.ssh.at;
            let ssh = &mut host.ssh.value;
            for (name, path) in
                [("identityFile", &mut ssh.identity_file), ("knownHostsFile", &mut ssh.known_hosts_file)]
            {
                if let Some(path) = path {
                    self.path(path, &format!("hosts[{index}].ssh.{name}"), at, problems);
                }
            }
        }
    }

    fn path(&self, path: &mut PathBuf, field: &str, at: Option<super::Span>, problems: &mut Vec<Problem>) {
        if let Ok(rest) = path.strip_prefix("~") {
            match self.home {
                Some(home) => *path = home.join(rest),
                None => problems.push(
                    Problem::new(field, at, "`~` stands for nothing: there is no home folder")
                        .help("write the whole path"),
                ),
            }
        } else {
            *path = self.folder.join(&path);
        }
    }
}

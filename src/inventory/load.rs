//! From a file to an inventory that holds.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{
    Inventory, Located,
    anchor::Anchor,
    check::{self, Subject},
    decode::{Decoded, decode},
    install::os_image,
    node::Node,
    problem::{Problem, Problems, Source, Warning},
    source::Files,
};
use crate::secret::Secret;

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
    /// The keys of the mirror's own, armored.
    pub mirror_key: Option<String>,
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
    // Some editors begin a file with a byte order mark; positions count from behind it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let source = Source::new(&path.display().to_string(), text);
    let (node, mut problems) = Node::parse(text).map_err(|problem| Problems::new(vec![problem], &source))?;
    let Decoded { value, problems: wrong, lost } = decode::<Inventory>(node);
    problems.extend(wrong);
    let Some(mut inventory) = value else { return Err(Problems::new(problems, &source).into()) };

    let anchor = Anchor { folder: path.parent().unwrap_or(Path::new("")), home };
    anchor.resolve(&mut inventory, &mut problems);
    let pull_secret =
        read(files, inventory.cluster.pull_secret_file.as_ref(), "cluster.pullSecretFile", &mut problems);
    let ssh_key = read(files, inventory.cluster.ssh_key_file.as_ref(), "cluster.sshKeyFile", &mut problems);
    let bundle = inventory.install.additional_trust_bundle_file.as_ref();
    let trust_bundle = read(files, bundle, "install.additionalTrustBundleFile", &mut problems);
    let key = inventory.install.mirror_key_file.as_ref();
    let mirror_key = read(files, key, "install.mirrorKeyFile", &mut problems);
    check_there(&inventory, files, &mut problems);

    let subject = Subject {
        inventory: &inventory,
        pull_secret: pull_secret.as_deref(),
        ssh_key: ssh_key.as_deref(),
        trust_bundle: trust_bundle.as_deref(),
        mirror_key: mirror_key.as_deref(),
    };
    let found = check::all(&subject, &lost);
    problems.extend(found.problems);
    if !problems.is_empty() {
        return Err(Problems::new(problems, &source).into());
    }
    Ok(Loaded {
        source,
        pull_secret: pull_secret.map(Secret::new),
        ssh_key: ssh_key.as_deref().map(uncommented).unwrap_or_default(),
        // Comments are for people; the installer takes certificates only.
        trust_bundle: trust_bundle.as_deref().map(uncommented),
        mirror_key,
        warnings: found.warnings,
        inventory,
    })
}

/// Reads a file the inventory names.
fn read(
    files: &dyn Files,
    path: Option<&Located<PathBuf>>,
    field: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    let path = path?;
    let result = files.read(path);
    if let Err(error) = &result {
        let reason = match error.kind() {
            io::ErrorKind::NotFound => "there is no such file".to_owned(),
            io::ErrorKind::InvalidData => "it is not a text".to_owned(),
            _ => error.to_string(),
        };
        problems.push(Problem::new(field, path.at, format!("{} cannot be read: {reason}", path.display())));
    }
    result.ok()
}

/// Refuses to go on without a file that is only sent.
fn check_there(inventory: &Inventory, files: &dyn Files, problems: &mut Vec<Problem>) {
    let install = &inventory.install;
    let iso = install.iso.as_ref().map(|iso| (iso.value.as_str(), iso.at));
    let image = install.cluster_os_image.as_ref().map(|image| (os_image(image).0, image.at));
    let local = |(place, at)| (!str::contains(place, "://")).then(|| (Path::new(place), at));
    let sent = [
        ("install.iso", iso.and_then(local)),
        ("install.clusterOSImage", image.and_then(local)),
        ("install.installer", install.installer.as_ref().map(|path| (path.as_path(), path.at))),
        ("install.oc", install.oc.as_ref().map(|path| (path.as_path(), path.at))),
    ];
    for (field, file) in sent {
        if let Some((path, at)) = file.filter(|(path, _)| !files.exists(path)) {
            problems.push(Problem::new(field, at, format!("there is no file {}", path.display())));
        }
    }
}

/// Returns the lines that are neither empty nor a comment.
fn uncommented(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

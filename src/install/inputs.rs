//! What the boot image is made from: all of it, as one digest and for eyes.

use crate::{
    bringup::{self, Place, installer_inputs},
    cluster::{Cluster, Install, Method, Node},
    install::Error,
    resource::{Facts, sha256},
    secret::Secret,
};

/// Everything the image is made from.
pub(super) struct Inputs {
    pub(super) install_config: Option<Secret>,
    pub(super) agent_config: Option<String>,
    pub(super) digest: String,
    /// All of it for eyes, to tell later what has changed.
    pub(super) shown: String,
}

impl Inputs {
    pub(super) fn of(
        cluster: &Cluster,
        pull_secret: Option<&Secret>,
        release: Option<&str>,
    ) -> Result<Self, Error> {
        if let Method::Iso(place) = &cluster.install.method {
            // Another file at the same place has another size or time, as a rule.
            let what = cluster.install.method.own_iso().map_or_else(|| Ok(place.clone()), looks)?;
            let (digest, shown) = (sha256(what.as_bytes()), format!("iso: {what}\n"));
            return Ok(Self { install_config: None, agent_config: None, digest, shown });
        }
        let nothing = Secret::new(String::new());
        let install_config = installer_inputs::install_config(cluster, pull_secret.unwrap_or(&nothing))?;
        let agent_config = match &cluster.install.method {
            Method::Upi(_) => None,
            Method::Agent | Method::Iso(_) => Some(installer_inputs::agent_config(cluster)?),
        };
        let nodes = agent_config.clone().unwrap_or_else(|| ignited(cluster));
        let Install { mirror, installer, release_image, .. } = &cluster.install;
        let release = release.unwrap_or(&cluster.version);
        let mut all = vec![release, mirror, install_config.expose(), nodes.as_str()];
        let own = installer.as_deref().map(size).transpose()?;
        all.extend(own.as_deref());
        all.extend(release_image.as_deref());
        let digest = sha256(all.join("\0").as_bytes());
        let shown = format!(
            "# release\n{} from {}\n# install-config.yaml\n{}# nodes\n{nodes}",
            release,
            cluster.install.mirror,
            installer_inputs::install_config_masked(cluster)?
        );
        Ok(Self { install_config: Some(install_config), agent_config, digest, shown })
    }
}

/// Returns what of the inventory is in the nodes' ignition beside install-config, and in their disks.
///
/// The bootstrap VM's is left out: it is gone one day, and nothing else has changed then.
fn ignited(cluster: &Cluster) -> String {
    let files = cluster.nodes.iter().flat_map(|node| bringup::own_files(cluster, node));
    let files = files.map(|file| format!("{file}\n")).collect::<String>();
    format!("{:?}\n{files}", cluster.install.method)
}

/// Returns the size of a program of the workstation's, as one of the things an image is made from.
///
/// Its content would say more, and reading it takes a second each time.
fn size(path: &str) -> Result<String, Error> {
    let local = |source| Error::Local { path: path.to_owned(), source };
    Ok(format!("{} bytes", std::fs::metadata(path).map_err(local)?.len()))
}

/// Returns what tells a file of the workstation's from others without reading it.
fn looks(path: &str) -> Result<String, Error> {
    let local = |source| Error::Local { path: path.to_owned(), source };
    let seen = std::fs::metadata(path).map_err(local)?;
    let changed = jiff::Timestamp::try_from(seen.modified().map_err(local)?).unwrap_or_default();
    Ok(format!("{path} {} {changed}", seen.len()))
}

/// Returns the cluster as its installation knows it: a node that came to the inventory after that has begun
/// joins an installed cluster, and was never among the installer's inputs.
pub(super) fn as_begun(cluster: &Cluster, facts: &[&Facts]) -> Cluster {
    let place = Place::of(cluster);
    let mut known = cluster.clone();
    if let (true, Some(before)) = (bringup::is_begun(cluster, facts), facts[0].text(&place.inputs())) {
        // As agent-config names it, or the ignition.
        let names = |node: &Node| {
            let name = cluster.hostname(node);
            [format!("\"{name}\""), data_encoding::BASE64.encode(format!("{name}\n").as_bytes())]
        };
        known.nodes.retain(|node| names(node).iter().any(|name| before.contains(name)));
    }
    known
}

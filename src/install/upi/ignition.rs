//! Ignition: made by the installer on the first host, then each VM's own part of it on the VM's host.

use futures_util::future::join_all;

use crate::{
    bringup::{self, Place, ignition_file, ignition_path, installer_inputs},
    cluster::{Cluster, Node},
    command::{Command, Script, into_place, quote},
    engine::Fleet,
    host::Session,
    install::{Error, installer},
    secret::Secret,
};

/// Largest ignition there is, with room to spare, bytes: bootstrap.ign has some 300 kB.
const LIMIT: usize = 8 << 20;

/// The installer's manifest that says whether work is scheduled on masters.
const SCHEDULER: &str = "manifests/cluster-scheduler-02-config.yml";

/// Returns the source that makes the ignition from fresh copies of the inputs, for the installer eats them.
pub(super) fn creating(cluster: &Cluster, place: &Place, install_config: &Secret) -> Script {
    let assets = installer::assets(place);
    let create = |what: &str| installer::running(place, &["create", what, "--dir", &assets]);
    let scheduler = quote(&format!("{assets}/{SCHEDULER}"));
    let schedulable = installer_inputs::masters_schedulable(cluster);
    let write =
        Command::new("install").args(["-m", "600", "/dev/stdin", &format!("{assets}/install-config.yaml")]);
    Script::new()
        .line(format_args!("umask 077; rm -rf {0}; install -d -m 700 {0}", quote(&assets)))
        .feed(install_config, &write)
        .line(create("manifests"))
        .line(format_args!(
            "sed -i -E 's/^( +mastersSchedulable:) (true|false)$/\\1 {schedulable}/' {scheduler}"
        ))
        // A release that writes it otherwise must not be installed as it likes.
        .line(format_args!(
            "grep -qE '^ +mastersSchedulable: {schedulable}$' {scheduler} || \
             {{ echo {SCHEDULER} has no line about mastersSchedulable; exit 1; }}"
        ))
        .line(create("ignition-configs"))
}

/// Writes the ignition of all VMs of these hosts.
pub(in crate::install) async fn distribute(
    fleet: &Fleet,
    cluster: &Cluster,
    hosts: &[usize],
) -> Result<(), Error> {
    let assets = installer::assets(&Place::of(cluster));
    let first = &fleet.members()[0].session;
    let writes = hosts.iter().map(|&host| {
        let (to, assets) = (&fleet.members()[host].session, &assets);
        async move {
            for node in cluster.machines_on(host) {
                let content = made(first, cluster, node, assets).await?;
                write(to, &ignition_path(cluster, node), &content).await?;
            }
            Ok(())
        }
    });
    join_all(writes).await.into_iter().collect()
}

/// Returns the ignition of a VM: the installer's, and what is its own.
async fn made(first: &Session, cluster: &Cluster, node: &Node, assets: &str) -> Result<Secret, Error> {
    let path = format!("{assets}/{}", ignition_file(cluster, node));
    let installers = first.read(&path, LIMIT).await?;
    let wrong =
        |reason: String| Error::Artefact { host: first.name().to_owned(), path: path.clone(), reason };
    let installers = String::from_utf8(installers).map_err(|error| wrong(error.to_string()))?;
    let ignition = bringup::ignition(cluster, node, &installers).map_err(|error| wrong(error.to_string()))?;
    Ok(Secret::new(ignition))
}

async fn write(to: &Session, path: &str, content: &Secret) -> Result<(), Error> {
    let new = format!("{path}.new");
    let script = Script::new()
        .line("set -eu -o pipefail; umask 077")
        .line(format_args!("rm -f {}", quote(&new)))
        .feed(content, &Command::new("install").args(["-m", "600", "/dev/stdin", &new]))
        .line(into_place(&new, path));
    to.run(&script, |_| {}).await?.checked(to.name(), &format!("writing {path}"))?;
    Ok(())
}

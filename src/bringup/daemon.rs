//! A daemon of ours on a host: its unit file, and the stamps by which it says what it has read.
//!
//! A stamp is written only once the daemon listens where that has it listen (`listens.sh`): a daemon
//! that could not bind may have said so to its journal alone.

use serde::Serialize;

use crate::{
    bringup::Place,
    cluster::Cluster,
    render,
    resource::{File, Reload, Resource, Stamp, Unit},
};

#[derive(Serialize)]
struct Values<'a> {
    cluster: &'a str,
    config: &'a str,
    sockets: &'a [String],
    started: String,
    loaded: String,
}

/// Returns the unit file and the unit of a daemon.
///
/// A change of the unit file or of `restarting` restarts it; a change of
/// `reloading` only makes it read them again. `sockets` are those it starts with, as `listens.sh`
/// takes them, where its being started does not say that it listens.
pub(super) fn daemon(
    cluster: &Cluster,
    name: &str,
    config: &File,
    restarting: &[&File],
    reloading: &[&File],
    sockets: &[String],
) -> Result<[Resource; 2], render::Error> {
    let place = Place::of(cluster);
    let path = place.unit_file(name);
    let (started, loaded) = (place.run(&format!("{name}.started")), place.run(&format!("{name}.loaded")));
    let paths = |files: &[&File]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    let restart_paths: Vec<String> = std::iter::once(path.clone()).chain(paths(restarting)).collect();
    let values = Values {
        cluster: &cluster.name,
        config: &config.path,
        sockets,
        started: Stamp::naming(started.clone(), restart_paths).command(),
        loaded: Stamp::naming(loaded.clone(), paths(reloading)).command(),
    };
    let file = File::new(path, render::fill(&format!("{name}.service.j2"), values)?);
    let restarting: Vec<&File> = std::iter::once(&file).chain(restarting.iter().copied()).collect();
    let runs =
        Reload { started: Stamp::of(started, &restarting), loaded: Some(Stamp::of(loaded, reloading)) };
    let unit = Unit { name: place.unit(name), runs: Some(runs), before: None, follows: false };
    Ok([Resource::File(file), Resource::Unit(unit)])
}

/// Returns a script of ours that units run, from the template of its name.
pub(super) fn script(
    cluster: &Cluster,
    name: &str,
    values: impl Serialize,
) -> Result<Resource, render::Error> {
    let content = render::fill(&format!("{name}.j2"), values)?;
    Ok(Resource::File(File::new(Place::of(cluster).etc(name), content).executable()))
}

#[derive(Serialize)]
struct Listens<'a> {
    cluster: &'a str,
    seconds: u32,
}

/// How long a daemon may take until it listens. HAProxy tries a second or two for a socket that is taken.
const LISTEN_SECONDS: u32 = 10;

/// Returns the script that waits until a daemon listens; the units run it.
pub(super) fn listens(cluster: &Cluster) -> Result<Resource, render::Error> {
    script(cluster, "listens.sh", Listens { cluster: &cluster.name, seconds: LISTEN_SECONDS })
}

//! A daemon of ours on a host: its unit file, and the stamps by which it says what it has read.

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
    started: String,
    loaded: String,
}

/// Returns the unit file and the unit of a daemon.
///
/// A change of the unit file or of `restarting` restarts it; a change of
/// `reloading` only makes it read them again.
pub(super) fn daemon(
    cluster: &Cluster,
    name: &str,
    config: &File,
    restarting: &[&File],
    reloading: &[&File],
) -> Result<[Resource; 2], render::Error> {
    let place = Place::of(cluster);
    let path = place.unit_file(name);
    let (started, loaded) = (place.run(&format!("{name}.started")), place.run(&format!("{name}.loaded")));
    let paths = |files: &[&File]| files.iter().map(|file| file.path.clone()).collect::<Vec<_>>();
    let restart_paths: Vec<String> = std::iter::once(path.clone()).chain(paths(restarting)).collect();
    let values = Values {
        cluster: &cluster.name,
        config: &config.path,
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

//! What is certainly this cluster's on a host that an earlier version, which kept no record, has made it on:
//! what carries the cluster's mark, and of disks what its VMs refer to.
//!
//! Of folders nobody knows any more who made them: they stay.

use std::collections::BTreeSet;

use crate::{
    bringup::{Place, machines::image_names, ownership::is_on_its_way, storage},
    cluster::Cluster,
    resource::{Facts, Kind, Owned, hypervisor::DomainSeen},
};

/// Lists it; nothing where ocp2 was never at work.
pub(super) fn derived(cluster: &Cluster, facts: &Facts) -> BTreeSet<Owned> {
    let place = Place::of(cluster);
    let all = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    let domains: Vec<&DomainSeen> =
        all.filter(|domain| domain.cluster().as_deref() == Some(place.cluster())).collect();
    if domains.is_empty() && !facts.listing.keys().any(|path| path.starts_with(&place.var(""))) {
        return BTreeSet::new();
    }
    let mut owned: BTreeSet<Owned> = marked(&place, facts).collect();
    owned.extend(domains.iter().map(|domain| Owned::new(Kind::Domain, &domain.name)));
    owned.extend(disks(cluster, facts, &domains));
    owned.extend(artefacts(cluster, facts, &domains));
    owned
}

/// Returns what carries the cluster's name or alias.
fn marked<'a>(place: &'a Place, facts: &'a Facts) -> impl Iterator<Item = Owned> + use<'a> {
    let links = facts.links.iter().filter(|link| link.alias.as_deref() == Some(&place.alias()));
    let pools = facts.hypervisor.iter().flat_map(|seen| &seen.pools).filter(|pool| pool.name == place.pool());
    let tables = facts.nft_tables.keys().filter(|name| **name == place.nft_table());
    let settings = [place.settings_file(), place.forwarding_file(), place.network_manager_file()];
    let files =
        facts.files.keys().filter(move |path| path.starts_with(&place.etc("")) || settings.contains(path));
    let units = ["overlay", "dns", "balancer", "guests"]
        .into_iter()
        .filter(|name| facts.listing.contains_key(&place.unit_file(name)))
        .flat_map(|name| {
            [Owned::new(Kind::Unit, place.unit(name)), Owned::new(Kind::File, place.unit_file(name))]
        });
    links
        .map(|link| Owned::new(Kind::Link, &link.name))
        .chain(pools.map(|pool| Owned::new(Kind::Pool, &pool.name)))
        .chain(tables.map(|name| Owned::new(Kind::Table, name)))
        .chain(files.map(|path| Owned::new(Kind::File, path)))
        .chain(units)
}

/// Returns the disks in the pool's folder that one of the cluster's VMs refers to.
fn disks(cluster: &Cluster, facts: &Facts, domains: &[&DomainSeen]) -> Vec<Owned> {
    let pool = Place::of(cluster).pool();
    let told = facts.hypervisor.iter().flat_map(|seen| &seen.volumes).filter(|volume| volume.pool == pool);
    let paths = told.map(|volume| &volume.path).chain(facts.listing.keys());
    let is_used = |path: &&String| {
        let name = path.rsplit('/').next().unwrap_or(path);
        storage::disk_of(cluster, path).is_some()
            && domains.iter().any(|domain| domain.refers_to(path, &pool, name))
    };
    paths.filter(is_used).map(|path| Owned::new(Kind::Volume, path)).collect()
}

/// Returns the boot image and the VMs' ignition, also where they are only on their way.
fn artefacts(cluster: &Cluster, facts: &Facts, domains: &[&DomainSeen]) -> Vec<Owned> {
    let ignition = domains.iter().map(|domain| format!("{}.ign", domain.name));
    let names = image_names(cluster).into_iter().chain(ignition);
    let paths = names.map(|name| format!("{}/{name}", cluster.machines.pool.display()));
    let is_there = |whole: &String| {
        let mut there = facts.listing.keys().filter(|path| is_on_its_way(path, whole));
        there.any(|path| storage::is_artefact(cluster, path))
    };
    paths.filter(is_there).map(|path| Owned::new(Kind::File, path)).collect()
}

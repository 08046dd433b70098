//! What is this cluster's on a host: by the record there, or, where an earlier version has left none, as it
//! is derived.

use std::collections::BTreeSet;

use crate::{
    bringup::{Finding, Place, derivation::derived, storage},
    cluster::Cluster,
    command::Command,
    resource::{Facts, Kind, Owned, Record, RecordError, Resource, read_record},
};

/// What is this cluster's on a host, as far as that is certain.
pub(super) struct Ownership(BTreeSet<Owned>);

/// Says why nothing is done on a record's word.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It is of another cluster, or of this one with another `machines.pool`, or somebody made it up.
    #[error("it names {0}, which is none of this cluster's")]
    Stray(Owned),
}

impl Ownership {
    /// Returns what the record names. Of one that is not to be believed that is nothing: see [`unfit`].
    pub(super) fn of(cluster: &Cluster, facts: &Facts) -> Self {
        let read = record(cluster, facts).unwrap_or_else(|| Ok(derived(cluster, facts)));
        Self(read.unwrap_or_default())
    }

    /// Tells whether a file is a disk that was made for this cluster.
    pub(super) fn has_volume(&self, path: &str) -> bool {
        self.0.contains(&Owned::new(Kind::Volume, path))
    }

    /// Tells whether a file is something else that was made in the pool's folder, whole or half: what is
    /// on its way has something added to its name.
    pub(super) fn has_artefact(&self, path: &str) -> bool {
        let mut files = self.0.iter().filter(|owned| matches!(owned.kind, Kind::File | Kind::Volume));
        files.any(|owned| is_on_its_way(path, &owned.name))
    }

    /// Returns the folders that were made for the pool, each before the one it is in.
    pub(super) fn folders(&self) -> Vec<&str> {
        let folders = self.0.iter().filter(|owned| owned.kind == Kind::Folder);
        folders.rev().map(|owned| owned.name.as_str()).collect()
    }
}

/// Tells whether a path is that of a file, or of one that is to become it: `agent.iso.part`.
pub(super) fn is_on_its_way(path: &str, whole: &str) -> bool {
    path.strip_prefix(whole).is_some_and(|way| way.is_empty() || way.starts_with('.'))
}

/// Says why a host's record is not believed, if it is not.
#[must_use]
pub fn unfit(cluster: &Cluster, host: &str, facts: &Facts) -> Option<Finding> {
    let path = Place::of(cluster).owned();
    let unfit = record(cluster, facts)?.err()?;
    let fix = match &unfit {
        Unfit::Record(RecordError::Format(head)) if head.starts_with("ocp2-owned ") => {
            "use the ocp2 that brought this cluster up, or a later one".to_owned()
        }
        Unfit::Record(_) => format!(
            "nothing but ocp2 writes there: find out who did. Without it (`{}`) ocp2 takes for its own what carries \
             its mark, and of disks those that its VMs use",
            Command::new("mv").args([&path, &format!("{path}.bad")])
        ),
        Unfit::Stray(_) => {
            "set machines.pool in the inventory to what it was when the cluster was brought up; if it is that, \
             find out who wrote there"
                .to_owned()
        }
    };
    let what = format!("the record of what is ocp2's, {path}, is not believed: {unfit}");
    Some(Finding { host: host.to_owned(), what, fix })
}

/// Returns the record that is wanted where an earlier version has made things and kept none.
pub(super) fn missing_record(cluster: &Cluster, facts: &Facts) -> Option<Resource> {
    if facts.files.contains_key(&Place::of(cluster).owned()) {
        return None;
    }
    let owned = derived(cluster, facts);
    (!owned.is_empty()).then(|| Resource::Record(Record { cluster: cluster.name.clone(), owned }))
}

/// Reads the record of a host; `None` where there is none.
fn record(cluster: &Cluster, facts: &Facts) -> Option<Result<BTreeSet<Owned>, Unfit>> {
    let believed = |owned: BTreeSet<Owned>| match owned.iter().find(|owned| !may_be_ours(cluster, owned)) {
        Some(stray) => Err(Unfit::Stray(stray.clone())),
        None => Ok(owned),
    };
    let seen = facts.files.get(&Place::of(cluster).owned())?;
    Some(read_record(seen).map_err(Unfit::from).and_then(believed))
}

/// Tells whether a thing can be this cluster's at all, by its name and where it is.
fn may_be_ours(cluster: &Cluster, owned: &Owned) -> bool {
    let (place, name) = (Place::of(cluster), owned.name.as_str());
    match owned.kind {
        Kind::Volume => storage::disk_of(cluster, name).is_some(),
        Kind::File => {
            let file = name.rsplit('/').next().unwrap_or(name);
            name.starts_with(&place.etc(""))
                || name.starts_with(&place.var(""))
                || (name.starts_with("/etc/") || name.starts_with("/run/")) && file.starts_with("ocp2-")
                || storage::is_artefact(cluster, name)
        }
        // The pool's, or one above it.
        Kind::Folder => cluster.machines.pool.starts_with(name),
        Kind::Unit => name.starts_with(&place.unit("").replace(".service", "")),
        Kind::Domain => name.starts_with(&format!("{}-", cluster.name)),
        Kind::Pool => name == place.pool(),
        Kind::Table => name == place.nft_table(),
        // It is known by its alias.
        Kind::Link => true,
    }
}

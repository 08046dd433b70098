//! The pool's folder when the cluster goes: disks, boot images and ignition lie there, and maybe other
//! people's files.
//!
//! Of these goes only what the host's record names as made for this cluster, and nothing of that which a VM
//! of somebody else's refers to.

use std::collections::BTreeSet;

use crate::{
    bringup::{Place, ownership::Ownership},
    cluster::Cluster,
    command::{Command, Script},
    resource::{Change, Facts, Kind, Owned, hypervisor::Call},
};

/// How many names of files are told at once.
const NAMES_SHOWN: usize = 5;

/// What becomes of the pool and its folder.
pub(super) struct Storage {
    /// What removes them.
    pub(super) changes: Vec<Change>,
    /// What is ours and stays: a later `down` has to know it.
    pub(super) stays: BTreeSet<Owned>,
}

/// Returns what removes the pool, and what is this cluster's in its folder.
pub(super) fn removal(cluster: &Cluster, facts: &Facts, keep_volumes: bool) -> Storage {
    let place = Place::of(cluster);
    let owned = Ownership::of(cluster, facts);
    let mut storage = Storage { changes: Vec::new(), stays: BTreeSet::new() };
    for path in disks(cluster, facts) {
        if !owned.has_volume(path) {
            storage.changes.push(left_unrecorded(path));
        } else if keep_volumes {
            storage.stays.insert(Owned::new(Kind::Volume, path));
        } else {
            storage.delete(Kind::Volume, path, left_to_its_user(&place, facts, path), || {
                delete_disk(&place, facts, path)
            });
        }
    }
    for path in facts.listing.keys().filter(|path| is_artefact(cluster, path)) {
        if owned.has_artefact(path) {
            storage.delete(Kind::File, path, left_to_its_user(&place, facts, path), || delete_file(path));
        } else {
            storage.changes.push(left_unrecorded(path));
        }
    }
    storage.changes.extend(pool(&place, facts));
    let folders: Vec<&str> = owned.folders();
    if storage.stays.is_empty() {
        storage.changes.extend(self::folders(cluster, facts, &owned, &folders));
    } else {
        storage.stays.extend(folders.into_iter().map(|folder| Owned::new(Kind::Folder, folder)));
    }
    storage
}

impl Storage {
    /// Adds what deletes a file, unless it is `left`: then that is remembered.
    fn delete(&mut self, kind: Kind, path: &str, left: Option<Change>, delete: impl FnOnce() -> Change) {
        if left.is_some() {
            self.stays.insert(Owned::new(kind, path));
        }
        self.changes.push(left.unwrap_or_else(delete));
    }
}

/// Returns the files in the pool's folder that are called as disks of this cluster's are, each once.
///
/// libvirt tells nothing of the volumes of a pool that does not run; the folder's listing does.
fn disks<'a>(cluster: &Cluster, facts: &'a Facts) -> BTreeSet<&'a str> {
    let pool = Place::of(cluster).pool();
    let told = facts.hypervisor.iter().flat_map(|seen| &seen.volumes).filter(|volume| volume.pool == pool);
    let paths = told.map(|volume| &volume.path).chain(facts.listing.keys());
    paths.map(String::as_str).filter(|path| disk_of(cluster, path).is_some()).collect()
}

/// Returns the change that deletes a disk: by libvirt, where it knows the file as a volume, or else as the
/// file it is.
fn delete_disk(place: &Place, facts: &Facts, path: &str) -> Change {
    let mut told = facts.hypervisor.iter().flat_map(|seen| &seen.volumes);
    if let Some(volume) = told.find(|volume| volume.pool == place.pool() && volume.path == path) {
        let call = Call::DeleteVolume { pool: place.pool(), volume: volume.name.clone() };
        return Change::hypervisor(format!("volume {}", volume.name), "delete", call);
    }
    let script = Script::new().line(Command::new("rm").args(["-f", path]));
    Change::shell(format!("volume {path}"), "delete", script)
}

fn delete_file(path: &str) -> Change {
    let script = Script::new().line(Command::new("rm").args(["-f", path]));
    Change::shell(format!("file {path}"), "delete", script)
}

/// Returns what the file of a disk of this cluster's would be named after: its VM's domain.
pub(super) fn disk_of<'a>(cluster: &Cluster, path: &'a str) -> Option<&'a str> {
    let name = path.strip_prefix(&format!("{}/", cluster.machines.pool.display()))?;
    let domain = name.strip_suffix(".img")?;
    let node = domain.strip_prefix(&*cluster.name)?.strip_prefix('-')?;
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (!node.is_empty() && node.chars().all(inside)).then_some(domain)
}

/// Returns the change that deletes a disk, or, where that may take something from somebody else, says
/// why it is left.
pub(super) fn delete_own_disk(place: &Place, facts: &Facts, path: &str) -> Change {
    left_to_its_user(place, facts, path).unwrap_or_else(|| delete_disk(place, facts, path))
}

/// Returns, where a VM that is not this cluster's refers to a file, what says that it stays for that.
pub(super) fn left_to_its_user(place: &Place, facts: &Facts, path: &str) -> Option<Change> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let all = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    let mut others = all.filter(|domain| domain.cluster().as_deref() != Some(place.cluster()));
    let user = others.find(|domain| domain.refers_to(path, &place.pool(), name))?;
    let summary = format!("left: domain {}, which is not this cluster's, refers to it", user.name);
    let advice = format!("take it out of {}, then `ocp2 down` deletes it", user.name);
    Some(Change::manual(format!("file {path}"), &summary, advice))
}

/// Says of a file that is called like one of ours that it stays.
fn left_unrecorded(path: &str) -> Change {
    let summary = "left: it is not in the record of what ocp2 made here";
    Change::manual(format!("file {path}"), summary, "delete it yourself, if nobody needs it".into())
}

fn pool(place: &Place, facts: &Facts) -> Vec<Change> {
    let name = place.pool();
    let mut seen = facts.hypervisor.iter().flat_map(|seen| &seen.pools);
    let Some(pool) = seen.find(|pool| pool.name == name) else { return Vec::new() };
    let step = |summary: &str, call| Change::hypervisor(format!("pool {name}"), summary, call);
    let undefine = step("undefine", Call::UndefinePool { pool: name.clone() });
    let running = pool.active.then(|| step("stop", Call::StopPool { pool: name.clone() }));
    running.into_iter().chain([undefine]).collect()
}

/// Returns what removes the folders that were made for the pool; one with other people's files in it stays.
fn folders(cluster: &Cluster, facts: &Facts, owned: &Ownership, made: &[&str]) -> Vec<Change> {
    let pool = cluster.machines.pool.display().to_string();
    let others = facts.folders.get(&pool).into_iter().flatten().filter(|name| {
        let path = format!("{pool}/{name}");
        !owned.has_volume(&path) && !owned.has_artefact(&path)
    });
    let others: Vec<&str> = others.map(String::as_str).collect();
    let (Some(first), true) = (made.first(), others.is_empty()) else {
        let shown = others.iter().take(NAMES_SHOWN).copied().collect::<Vec<_>>().join(", ");
        let more = if others.len() > NAMES_SHOWN { ", and more" } else { "" };
        let summary = format!("left: it holds what is not this cluster's: {shown}{more}");
        let left = Change::manual(format!("folder {pool}"), &summary, "it is yours now".into());
        return if made.is_empty() { Vec::new() } else { vec![left] };
    };
    let script = Script::new().line(format_args!("{} 2>/dev/null || true", Command::new("rmdir").args(made)));
    vec![Change::shell(format!("folder {first}"), "delete if empty", script)]
}

/// Tells whether a file in the pool's folder is what VMs are made from: by any method, whole or half.
pub(super) fn is_artefact(cluster: &Cluster, path: &str) -> bool {
    let ours = format!("{}/{}-", cluster.machines.pool.display(), cluster.name);
    path.strip_prefix(&ours).filter(|name| !name.contains('/')).is_some_and(|name| {
        if let Some(way) = name.strip_prefix("agent.iso.") {
            // On its way: `part`, `part.0`, `TAG.part`.
            return way.split('.').any(|word| matches!(word, "part" | "new"));
        }
        let whole = ["part", "new"].iter().find_map(|half| name.strip_suffix(half)?.strip_suffix('.'));
        let is_half = whole.is_some();
        let whole = whole.unwrap_or(name);
        whole == "agent.iso"
            || whole.starts_with("rhcos.")
            || whole.strip_suffix(".ign").is_some()
            || is_half && whole.strip_suffix(".img").is_some()
    })
}

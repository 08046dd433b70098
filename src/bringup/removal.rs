//! Taking down: everything that carries the cluster's name, found on the host itself.
//!
//! What is removed is what is there, not what the inventory says today: a
//! worker that left the inventory is still this cluster's.

use crate::{
    bringup::{Place, heirs, neighbours},
    cluster::Cluster,
    command::{Command, Script, quote},
    resource::{
        Change, Facts, Manager, Package,
        hypervisor::{Call, DomainSeen},
    },
};

/// What `down` is to spare.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removal {
    /// The VMs' disks stay.
    pub keep_volumes: bool,
    /// Packages that ocp2 installed go too.
    pub packages: bool,
}

/// Returns the changes that leave a host as it was, in the order they are safe.
#[must_use]
pub fn removal(cluster: &Cluster, facts: &Facts, removal: Removal) -> Vec<Change> {
    let place = Place::of(cluster);
    let mut changes = domains(&place, facts);
    changes.extend(storage(cluster, &place, facts, removal));
    changes.extend(units(&place, facts));
    changes.extend(neighbours::removal(&place, facts));
    changes.extend(network(&place, facts));
    let heirs = heirs::heirs(&place, facts);
    changes.extend(settings(&place, &heirs, facts));
    changes.extend(selinux(&place, &heirs, facts));
    changes.extend(foreign_units(&place, &heirs, facts));
    match heirs.first() {
        Some(heir) if facts.files.contains_key(&place.var("before/packages")) => {
            changes.push(heirs::packages(&place, heir));
        }
        None if removal.packages => changes.extend(packages(&place, facts)),
        _ => {}
    }
    changes.extend(files(&place, facts));
    changes
}

fn domains(place: &Place, facts: &Facts) -> Vec<Change> {
    let all = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    let ours = all.filter(|domain| domain.cluster().as_deref() == Some(place.cluster()));
    ours.flat_map(DomainSeen::removal).collect()
}

/// Returns the change that deletes a disk: by libvirt, which tells nothing of a pool that does not run,
/// or else as the file it is.
fn delete_disk(place: &Place, facts: &Facts, path: &str) -> Change {
    let mut told = facts.hypervisor.iter().flat_map(|seen| &seen.volumes);
    if let Some(volume) = told.find(|volume| volume.pool == place.pool() && volume.path == path) {
        let call = Call::DeleteVolume { pool: place.pool(), volume: volume.name.clone() };
        return Change::hypervisor(format!("volume {}", volume.name), "delete", call);
    }
    let script = Script::new().line(Command::new("rm").args(["-f", path]));
    Change::shell(format!("volume {path}"), "delete", script)
}

/// Returns what the file of a disk of this cluster's would be named after: its VM's domain.
///
/// Everything else in the pool's folder is somebody else's.
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
fn left_to_its_user(place: &Place, facts: &Facts, path: &str) -> Option<Change> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let all = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    let mut others = all.filter(|domain| domain.cluster().as_deref() != Some(place.cluster()));
    let user = others.find(|domain| domain.refers_to(path, &place.pool(), name))?;
    let summary = format!("left: domain {}, which is not this cluster's, refers to it", user.name);
    let advice = format!("take it out of {}, then `ocp2 down` deletes it", user.name);
    Some(Change::manual(format!("file {path}"), &summary, advice))
}

fn storage(cluster: &Cluster, place: &Place, facts: &Facts, removal: Removal) -> Vec<Change> {
    let name = place.pool();
    let folder = cluster.machines.pool.display().to_string();
    let seen = facts.hypervisor.as_ref();
    let mut changes = Vec::new();
    let volumes = seen.iter().flat_map(|seen| &seen.volumes);
    let volumes = volumes.filter(|volume| volume.pool == name && disk_of(cluster, &volume.path).is_some());
    for volume in volumes.filter(|_| !removal.keep_volumes) {
        changes.push(delete_own_disk(place, facts, &volume.path));
    }
    // libvirt tells nothing of the volumes of a pool that does not run.
    let told = |path: &String| seen.iter().flat_map(|seen| &seen.volumes).any(|volume| volume.path == *path);
    let untold = facts.listing.keys().filter(|path| disk_of(cluster, path).is_some() && !told(path));
    for path in untold.filter(|_| !removal.keep_volumes) {
        changes.push(delete_own_disk(place, facts, path));
    }
    let artefacts: Vec<&String> = facts.listing.keys().filter(|path| is_artefact(cluster, path)).collect();
    for path in &artefacts {
        changes.push(left_to_its_user(place, facts, path).unwrap_or_else(|| {
            let script = Script::new().line(Command::new("rm").args(["-f", path]));
            Change::shell(format!("file {path}"), "delete", script)
        }));
    }
    let pool = seen.and_then(|seen| seen.pools.iter().find(|pool| pool.name == name));
    if let Some(pool) = pool {
        let step = |summary: &str, call| Change::hypervisor(format!("pool {name}"), summary, call);
        if pool.active {
            changes.push(step("stop", Call::StopPool { pool: name.clone() }));
        }
        changes.push(step("undefine", Call::UndefinePool { pool: name.clone() }));
    }
    // A run that ended before the VMs has made the folder for the image alone.
    if pool.is_some() || !artefacts.is_empty() {
        let script = Script::new().line(format_args!("rmdir {} 2>/dev/null || true", quote(&folder)));
        changes.push(Change::shell(format!("folder {folder}"), "delete if empty", script));
    }
    changes
}

/// Tells whether a file in the pool's folder is what VMs are made from: by any method, whole or half.
pub(super) fn is_artefact(cluster: &Cluster, path: &str) -> bool {
    let ours = format!("{}/{}-", cluster.machines.pool.display(), cluster.name);
    path.strip_prefix(&ours).is_some_and(|name| {
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

fn units(place: &Place, facts: &Facts) -> Vec<Change> {
    // The guests' unit, last of all units at boot, is the first to go: its stop finds no guest any more.
    let names = ["guests", "balancer", "dns", "overlay"];
    let there = names.into_iter().filter(|name| {
        let active =
            facts.units.get(&place.unit(name)).is_some_and(super::super::resource::UnitSeen::is_active);
        active || facts.listing.contains_key(&place.unit_file(name))
    });
    there
        .map(|name| {
            let unit = place.unit(name);
            let script = Script::new()
                .line(format_args!(
                    "systemctl disable --now --quiet {0} 2>/dev/null || systemctl stop {0} || true",
                    quote(&unit)
                ))
                .line(Command::new("rm").args(["-f", &place.unit_file(name)]))
                .line(Command::new("rm").args(["-rf", &place.run("")]))
                .line("systemctl daemon-reload")
                .line(format_args!("systemctl reset-failed {} 2>/dev/null || true", quote(&unit)));
            Change::shell(format!("unit {unit}"), "stop and delete", script)
        })
        .collect()
}

fn network(place: &Place, facts: &Facts) -> Vec<Change> {
    let mut changes = Vec::new();
    let table = place.nft_table();
    if facts.nft_tables.contains_key(&table) {
        let script = Script::new().line(Command::new("nft").args(["delete", "table", "inet", &table]));
        changes.push(Change::shell(format!("nftables table inet {table}"), "delete", script));
    }
    // A bridge goes after its ports.
    let mut ours: Vec<_> =
        facts.links.iter().filter(|link| link.alias.as_deref() == Some(&place.alias())).collect();
    ours.sort_by_key(|link| link.kind.as_deref() == Some("bridge"));
    for link in ours {
        let kind = link.kind.as_deref().unwrap_or("link");
        let script = Script::new().line(Command::new("ip").args(["link", "delete", "dev", &link.name]));
        changes.push(Change::shell(format!("{kind} {}", link.name), "delete", script));
    }
    changes
}

/// Puts back what settings were before.
fn settings(place: &Place, heirs: &[Place], facts: &Facts) -> Vec<Change> {
    let folder = format!("{}/", place.var("before/settings"));
    let kept = facts.listing.keys().filter_map(|path| path.strip_prefix(&folder));
    kept.map(|file| {
        let path = file.replace('.', "/").replace(':', ".");
        let (path, kept) = (quote(&format!("/proc/sys/{path}")), quote(&format!("{folder}{file}")));
        let name = file.replace(':', "/");
        // Docker turns forwarding on only where it finds it off: come after us, it relies on ours.
        let unless = match name.as_str() {
            "net.ipv4.ip_forward" => "systemctl is-active --quiet docker.service || ",
            _ => "",
        };
        let put_back = format!("{unless}[ ! -e {path} ] || cat {kept} > {path}");
        let script = heirs::setting(place, heirs, &name, file, &put_back);
        Change::shell(format!("setting {name}"), &heirs::summary(heirs), script)
    })
    .collect()
}

/// Puts back what SELinux's policy was before.
fn selinux(place: &Place, heirs: &[Place], facts: &Facts) -> Vec<Change> {
    let folder = format!("{}/", place.var("before/booleans"));
    let kept =
        facts.listing.keys().filter_map(|path| path.strip_prefix(&folder)).filter(|name| !name.is_empty());
    let boolean = |name: &str| {
        let resource = format!("SELinux boolean {name}");
        if let Some(heir) = heirs.first() {
            let summary = format!("leave to cluster {}", heir.cluster());
            return Change::shell(resource, &summary, heirs::record(place, heir, "before/booleans", name));
        }
        let file = quote(&format!("{folder}{name}"));
        let script = Script::new()
            .line(format_args!("setsebool -P {} \"$(cat {file})\"", quote(name)))
            .line(format_args!("rm -f {file}"));
        Change::shell(resource, "put back", script)
    };
    let mut changes: Vec<Change> = kept.map(boolean).collect();
    let label = place.var("before/label");
    if facts.listing.contains_key(&label) {
        let file = quote(&label);
        let script = Script::new()
            .line(format_args!("{{ read -r rule; read -r folder; }} < {file}"))
            .line("semanage fcontext -d \"$rule\" || true")
            .line("[ ! -e \"$folder\" ] || restorecon -R \"$folder\"")
            .line(format_args!("rm -f {file}"));
        changes.push(Change::shell("SELinux label of the pool's folder".into(), "put back", script));
    }
    changes
}

/// Puts back whether units of the system's were enabled and running.
fn foreign_units(place: &Place, heirs: &[Place], facts: &Facts) -> Vec<Change> {
    let folder = format!("{}/", place.var("before/units"));
    let kept = facts.listing.keys().filter_map(|path| path.strip_prefix(&folder));
    kept.map(|unit| {
        let resource = format!("unit {unit}");
        if let Some(heir) = heirs.first() {
            let summary = format!("leave to cluster {}", heir.cluster());
            return Change::shell(resource, &summary, heirs::record(place, heir, "before/units", unit));
        }
        let (file, name) = (quote(&format!("{folder}{unit}")), quote(unit));
        let script = Script::new()
            .line(format_args!("{{ read -r enabled || true; read -r active || true; }} < {file}"))
            .line(format_args!("[ \"$enabled\" != disabled ] || systemctl disable --quiet {name}"))
            .line(format_args!("[ \"$active\" = active ] || systemctl stop {name} || true"))
            .line(format_args!("rm -f {file}"));
        Change::shell(resource, "put back", script)
    })
    .collect()
}

fn packages(place: &Place, facts: &Facts) -> Option<Change> {
    let record = place.var("before/packages");
    let recorded: Vec<&str> = facts.text(&record)?.split_whitespace().collect();
    let asked: Vec<&str> =
        recorded.iter().copied().filter(|name| facts.packages.contains_key(*name)).collect();
    if asked.is_empty() {
        return None;
    }
    let more = if recorded.len() > asked.len() { " and what came with them" } else { "" };
    let manager = facts.system.manager.unwrap_or(Manager::Apt);
    Some(Package::removal(manager, &record, &format!("remove {}{more}", asked.join(" "))))
}

fn files(place: &Place, facts: &Facts) -> Vec<Change> {
    let delete = |path: &str, flags: &str| {
        let script = Script::new().line(Command::new("rm").args([flags, path]));
        Change::shell(format!("file {path}"), "delete", script)
    };
    let mut changes = Vec::new();
    for path in [place.settings_file(), place.network_manager_file()] {
        if facts.files.contains_key(&path) {
            changes.push(delete(&path, "-f"));
        }
    }
    let forwarding = place.forwarding_file();
    if facts.files.contains_key(&forwarding) {
        let folder = forwarding.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let script = Script::new()
            .line(Command::new("rm").args(["-f", &forwarding]))
            .line(format_args!("rmdir {folder} 2>/dev/null || true"));
        changes.push(Change::shell(format!("file {forwarding}"), "delete", script));
    }
    let folders = [place.etc(""), place.var("")];
    // One of the two may be gone already: whichever is left takes both parents along, once they are empty.
    let parents = folders
        .each_ref()
        .map(|folder| folder.trim_end_matches('/').rsplit_once('/').map_or("/", |(parent, _)| parent));
    for folder in &folders {
        if facts.listing.keys().any(|path| path.starts_with(folder.trim_end_matches('/'))) {
            // A wait of the installer that was left behind works in there.
            let script = Script::new()
                .line(format_args!("systemctl stop --quiet '{}*' 2>/dev/null || true", place.waits()))
                .line(Command::new("rm").args(["-rf", folder]))
                .line(format_args!("{} 2>/dev/null || true", Command::new("rmdir").args(parents)));
            changes.push(Change::shell(format!("folder {folder}"), "delete", script));
        }
    }
    changes
}

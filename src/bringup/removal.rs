//! Taking down: everything that carries the cluster's name, found on the host itself; of what lies among
//! other people's files (see [`storage`]) only what the record there names.
//!
//! What is removed is what is there, not what the inventory says today: a
//! worker that left the inventory is still this cluster's.

use std::collections::BTreeSet;

use crate::{
    bringup::{
        Place, heirs, neighbours, ownership,
        storage::{self, Storage},
    },
    cluster::Cluster,
    command::{Command, Script, quote},
    resource::{
        Change, Facts, Manager, Owned, Package, Scope, hypervisor::DomainSeen, record_text, rewriting,
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
    let Storage { changes: storage, stays } = storage::removal(cluster, facts, removal.keep_volumes);
    changes.extend(storage);
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
    changes.extend(files(&place, &stays, facts));
    changes
}

/// Returns what is done on a host before anything is removed from it, and on all hosts before anything is from
/// one: its record is written, where an earlier version has left none, for what is derived cannot be any more
/// once half of it is gone; and it is marked, so that no `up` takes what is left at its word.
#[must_use]
pub fn departure(cluster: &Cluster, facts: &Facts) -> Vec<Change> {
    let (var, leaving) = (Place::of(cluster).var(""), Place::of(cluster).leaving());
    // Room may be just what is lacking: then the removal goes on without the mark.
    let script = Script::new().line(format_args!(
        "{{ [ -d {0} ] || install -d -m 755 {0}; }} && : > {1} || echo 'the host cannot be marked'",
        quote(&var),
        quote(&leaving)
    ));
    let mark = Change::shell(format!("file {leaving}"), "create", script).within(Scope::Ours);
    let mark = (!facts.files.contains_key(&leaving)).then_some(mark);
    let record = ownership::missing_record(cluster, facts).into_iter();
    // A record conflicts with nothing.
    record.flat_map(|record| record.changes(facts).unwrap_or_default()).chain(mark).collect()
}

fn domains(place: &Place, facts: &Facts) -> Vec<Change> {
    let all = facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    let ours = all.filter(|domain| domain.cluster().as_deref() == Some(place.cluster()));
    ours.flat_map(DomainSeen::removal).collect()
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

/// Removes what is above the folders of all clusters, once there is none. One of a cluster's two folders may
/// be gone already: whichever is left takes both along.
const PARENTS: &str = "rmdir /etc/ocp2 /var/lib/ocp2 2>/dev/null || true";

fn files(place: &Place, stays: &BTreeSet<Owned>, facts: &Facts) -> Vec<Change> {
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
    let etc = place.etc("");
    let is_there = |path: &String| path.starts_with(etc.trim_end_matches('/'));
    if facts.listing.keys().any(is_there) {
        let script = without_waits(place).line(Command::new("rm").args(["-rf", &etc])).line(PARENTS);
        changes.push(Change::shell(format!("folder {etc}"), "delete", script));
    }
    changes.extend(memory(place, stays, facts));
    changes
}

/// Returns source that stops a wait of the installer that was left behind: it works in our folders.
fn without_waits(place: &Place) -> Script {
    Script::new().line(format_args!("systemctl stop --quiet '{}*' 2>/dev/null || true", place.waits()))
}

/// Returns the change that lets the host forget the cluster, but for what stays: the record of that goes
/// once nothing of it is left, and then as the last of all.
fn memory(place: &Place, stays: &BTreeSet<Owned>, facts: &Facts) -> Option<Change> {
    let (var, record) = (place.var(""), place.owned());
    let folder = var.trim_end_matches('/');
    let mut inside = facts.listing.keys().filter(|path| path.starts_with(folder));
    let leaving = place.leaving();
    let script = without_waits(place).line(format_args!(
        "[ ! -d {0} ] || find {0} -mindepth 1 -maxdepth 1 ! -path {1} ! -path {2} -exec rm -rf {{}} +",
        quote(folder),
        quote(&record),
        quote(&leaving)
    ));
    let unmark = Command::new("rm").args(["-f", &leaving]);
    if stays.is_empty() {
        let script = script.line(unmark).line(Command::new("rm").args(["-rf", &var])).line(PARENTS);
        return inside.next().map(|_| Change::shell(format!("folder {var}"), "delete", script));
    }
    let is_more = |path: &String| path.trim_end_matches('/') != folder && *path != record;
    let differs = facts.text(&record) != Some(&record_text(stays));
    let script = script.line(rewriting(place.cluster(), stays).source().trim_end()).line(unmark);
    (differs || inside.any(is_more))
        .then(|| Change::shell(format!("folder {var}"), "delete all but the record of what stays", script))
}

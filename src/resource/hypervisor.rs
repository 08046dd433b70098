//! What libvirt on a host has and does, as plain data: no libvirt type leaves [`crate::host`].
//!
//! It is changed through libvirt's own library and seen through `virsh`, as part of the probe:
//! the library takes six round trips to say hello and three more to look, `virsh` on the host
//! takes none of its own.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::quote;

/// Pools, volumes and domains of a host, as libvirt told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// All storage pools.
    pub pools: Vec<PoolSeen>,
    /// Volumes of the pools that were asked for and are running.
    pub volumes: Vec<VolumeSeen>,
    /// All domains.
    pub domains: Vec<DomainSeen>,
}

/// A storage pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSeen {
    /// Its name.
    pub name: String,
    /// It is running.
    pub active: bool,
    /// It starts with libvirt.
    pub autostart: bool,
    /// Its XML description.
    pub xml: String,
}

/// A volume in a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSeen {
    /// Name of its pool.
    pub pool: String,
    /// Its name.
    pub name: String,
    /// Path on the host.
    pub path: String,
    /// Virtual size, bytes.
    pub capacity: u64,
}

/// A domain (VM).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DomainSeen {
    /// Its name.
    pub name: String,
    /// Its UUID, in the usual text form.
    pub uuid: String,
    /// What it is doing.
    pub state: DomainState,
    /// It starts with the host.
    pub autostart: bool,
    /// Its persistent XML description: what it will be after its next power-off.
    pub xml: String,
    /// Its XML description as it runs; `None` where it is off.
    pub live: Option<String>,
}

/// What a domain is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DomainState {
    /// It runs.
    Running,
    /// It is defined and off (or crashed).
    Off,
    /// It is paused or suspended.
    Paused,
}

/// One call to libvirt.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields' names say all there is to say")]
pub enum Call {
    /// Defines a storage pool from XML.
    DefinePool { xml: String },
    /// Makes the pool's folder.
    BuildPool { pool: String },
    /// Starts a pool; a pool that runs already is left.
    StartPool { pool: String },
    /// Lets a pool start with libvirt.
    AutostartPool { pool: String, on: bool },
    /// Re-reads a pool's folder.
    RefreshPool { pool: String },
    /// Stops a pool.
    StopPool { pool: String },
    /// Forgets a pool; its folder stays.
    UndefinePool { pool: String },
    /// Makes a volume from XML.
    CreateVolume { pool: String, xml: String },
    /// Grows a volume to `capacity` bytes; a domain that runs on it is told.
    GrowVolume { pool: String, volume: String, capacity: u64, domain: String },
    /// Deletes a volume.
    DeleteVolume { pool: String, volume: String },
    /// Defines (or redefines) a domain from XML, validated against libvirt's schema.
    DefineDomain { xml: String },
    /// Lets a domain start with the host.
    AutostartDomain { domain: String, on: bool },
    /// Starts a domain.
    StartDomain { domain: String },
    /// Resumes a paused domain.
    ResumeDomain { domain: String },
    /// Asks a domain's system to power off (ACPI).
    ShutdownDomain { domain: String },
    /// Asks a domain's system to reboot.
    RebootDomain { domain: String },
    /// Cuts a domain's power.
    DestroyDomain { domain: String },
    /// Puts `drive`, a domain's CD drive without a CD, in the place of the one it has: now, and from its next start on.
    EjectCd { domain: String, drive: String },
    /// Forgets a domain, its NVRAM and its managed save image; its volumes stay.
    UndefineDomain { domain: String },
}

/// What `virsh` is first asked for: UUIDs, for names may be anything.
const LISTS: &str = "echo =domain:; list --all --uuid; echo =autostart:; list --all --autostart --uuid; \
    echo =pool:; pool-list --all --uuid; echo =active:; pool-list --uuid; \
    echo =pool-autostart:; pool-list --all --autostart --uuid";

/// Asks for each member of the lists by one more call. A pool that does not run lists no volumes, which
/// is a failure of that call alone. A volume with an odd name is not ocp2's.
/// `virsh echo` ends no line in some versions. Lines are indented, so that no description can look
/// like the head of a section.
const ASK: &str = r#"heads() { sed -E 's/=[a-z-]+( [A-Za-z0-9._ -]+)?:/&\n/g'; }
ask_libvirt() {
local v='timeout 30 virsh -q -c qemu:///system' lists kind= pool= a b more=
lists=$($v "$1" | heads) || [ -n "$lists" ] || return 0
printf '=there:\n%s\n' "$lists"
while read -r a b; do case $a,$kind in
=*,*) kind=${a#=} kind=${kind%:} pool=${b%:};;
,*) ;;
*,domain) more+="echo '=state $a:'; domstate $a; echo =xml:; dumpxml --inactive $a; echo =live:; dumpxml $a; ";;
*,pool) more+="echo '=pool-xml $a:'; pool-dumpxml $a; ";;
*[!A-Za-z0-9._-]*,volume) ;;
*,volume) more+="echo '=volume-xml $pool $a:'; vol-dumpxml --pool $pool $a; ";;
esac; done <<< "$lists"
[ -z "$more" ] || $v "$more" | heads
}"#;

/// Returns source that begins to ask libvirt, beside whatever the probe asks after it.
pub(super) fn begin(pools: &BTreeSet<String>) -> String {
    let volumes = |pool: &String| format!("; echo '=volume {pool}:'; vol-list {pool}");
    let lists = pools.iter().map(volumes).fold(LISTS.to_owned(), |all, volumes| all + &volumes);
    format!(
        "{ASK}\nexec {{libvirt}}< <(set -o pipefail; ask_libvirt {} 2>/dev/null | sed 's/^/ /')",
        quote(&lists)
    )
}

/// Returns source that tells what libvirt has answered.
pub(super) fn end() -> String {
    "echo @@libvirt\ncat <&\"$libvirt\"".into()
}

/// Reads the probe's answer; `None` where there is no libvirt, or it does not run.
pub(super) fn read(section: &str) -> Option<Seen> {
    let mut sets: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    // Of what is told in many lines: its kind, its names, and the lines.
    let mut texts: Vec<(&str, &str, String)> = Vec::new();
    let (mut kind, mut there) = ("", false);
    for line in section.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        if let Some(head) = line.strip_prefix('=').and_then(|head| head.strip_suffix(':')) {
            let (name, of) = head.split_once(' ').unwrap_or((head, ""));
            there |= name == "there";
            kind = name;
            texts.push((kind, of, String::new()));
        } else if matches!(kind, "autostart" | "active" | "pool-autostart") {
            sets.entry(kind).or_default().insert(line.trim());
        } else if let Some((_, _, text)) = texts.last_mut() {
            *text += line;
            text.push('\n');
        }
    }
    if !there {
        return None;
    }
    let has = |kind: &str, uuid: &str| sets.get(kind).is_some_and(|set| set.contains(uuid));
    let mut seen = Seen::default();
    for (index, (kind, of, text)) in texts.iter().enumerate() {
        match *kind {
            "state" => {
                // A domain that is undefined while we look has simply not been seen.
                let next = |after: usize, kind: &str| texts.get(index + after).filter(|next| next.0 == kind);
                let Some((_, _, xml)) = next(1, "xml") else { continue };
                let Some(name) = element(xml, "name") else { continue };
                let (state, live) = (state(text.trim()), next(2, "live"));
                seen.domains.push(DomainSeen {
                    name,
                    uuid: (*of).to_owned(),
                    state,
                    autostart: has("autostart", of),
                    live: live.filter(|_| state != DomainState::Off).map(|(_, _, live)| live.clone()),
                    xml: xml.to_owned(),
                });
            }
            "pool-xml" => {
                let Some(name) = element(text, "name") else { continue };
                let (active, autostart) = (has("active", of), has("pool-autostart", of));
                seen.pools.push(PoolSeen { name, active, autostart, xml: text.clone() });
            }
            "volume-xml" => {
                let Some((pool, name)) = of.split_once(' ') else { continue };
                let capacity = element(text, "capacity").and_then(|bytes| bytes.parse().ok());
                let (Some(path), Some(capacity)) = (element(text, "path"), capacity) else { continue };
                seen.volumes.push(VolumeSeen {
                    pool: pool.to_owned(),
                    name: name.to_owned(),
                    path,
                    capacity,
                });
            }
            _ => {}
        }
    }
    // The lists come in an order of libvirt's own.
    seen.pools.sort_by(|a, b| a.name.cmp(&b.name));
    seen.volumes.sort_by(|a, b| (&a.pool, &a.name).cmp(&(&b.pool, &b.name)));
    seen.domains.sort_by(|a, b| a.name.cmp(&b.name));
    Some(seen)
}

/// Reads `virsh domstate`; what is idle, blocked or about to end still runs.
fn state(word: &str) -> DomainState {
    match word {
        "shut off" | "crashed" => DomainState::Off,
        "paused" | "pmsuspended" => DomainState::Paused,
        _ => DomainState::Running,
    }
}

/// Returns the text of the first element of that name, its attributes ignored.
fn element(xml: &str, name: &str) -> Option<String> {
    let open = xml
        .match_indices(&format!("<{name}"))
        .find(|(at, found)| xml[at + found.len()..].starts_with([' ', '>']))?;
    let (_, text) = xml[open.0..].split_once('>')?;
    let (text, _) = text.split_once("</")?;
    quick_xml::escape::unescape(text).ok().map(std::borrow::Cow::into_owned)
}

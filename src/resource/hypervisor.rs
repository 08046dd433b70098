//! What libvirt on a host has and does, as plain data: no libvirt type leaves [`crate::host`].
//!
//! It is changed through libvirt's own library and seen through `virsh`, as part of the probe:
//! the library takes six round trips to say hello and three more to look, `virsh` on the host
//! takes none of its own.

use std::collections::BTreeSet;

use crate::{command::quote, resource::answer};

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
    /// Its persistent XML description, whole: what it will be after its next power-off. It is defined from again,
    /// so the passwords of its displays are in it: [`DomainSeen::shown`] is for eyes.
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
///
/// The shell puts the probe's mark in the place of each `@`.
const LISTS: &str = "echo =@domain:; list --all --uuid; echo =@autostart:; list --all --autostart --uuid; \
    echo =@pool:; pool-list --all --uuid; echo =@active:; pool-list --uuid; \
    echo =@pool-autostart:; pool-list --all --autostart --uuid";

/// Asks for each member of the lists by one more call, and says at the end of each that it came to it.
///
/// What `virsh` says of a call that failed stands in that call's place. A volume with an odd name is not
/// ocp2's. `virsh echo` ends no line in some versions. Lines are indented, so that no description can
/// look like the head of a part; its own heads carry the probe's mark.
const ASK: &str = r#"heads() { sed -E "s/=${mark-}[a-z-]+( [A-Za-z0-9._ -]+)?:/&\n/g"; }
ask_libvirt() {
local v='timeout 30 virsh -q -c qemu:///system' m=${mark-} lists status=0 kind= pool= a b more=
command -v virsh >/dev/null || return 0
lists=$($v "${1//=@/=$m}; echo =${m}listed:" 2>&1 | heads) || status=$?
printf '=%sstatus: %s\n%s\n' "$m" "$status" "$lists"
case $lists in *"=${m}listed:"*) ;; *) return 0;; esac
while read -r a b; do case $a,$kind in
"=$m"*,*) kind=${a#"=$m"} kind=${kind%:} pool=${b%:};;
,*|error:,*) ;;
*,domain) more+="echo '=${m}state $a:'; domstate $a; echo =${m}xml:; dumpxml --inactive --security-info $a; echo =${m}live:; dumpxml $a; ";;
*,pool) more+="echo '=${m}pool-xml $a:'; pool-dumpxml $a; ";;
*[!A-Za-z0-9._-]*,volume) ;;
*,volume) more+="echo '=${m}volume-xml $pool $a:'; vol-dumpxml --pool $pool $a; ";;
esac; done <<< "$lists"
$v "$more echo =${m}told:" 2>&1 | heads
}"#;

/// Returns source that begins to ask libvirt, beside whatever the probe asks after it.
pub(super) fn begin(pools: &BTreeSet<String>) -> String {
    let volumes = |pool: &String| format!("; echo '=@volume {pool}:'; vol-list {pool}");
    let lists = pools.iter().map(volumes).fold(LISTS.to_owned(), |all, volumes| all + &volumes);
    format!(
        "{ASK}\nexec {{libvirt}}< <(set -o pipefail; ask_libvirt {} 2>/dev/null | sed 's/^/ /')",
        quote(&lists)
    )
}

/// Returns source that tells what libvirt has answered.
pub(super) fn end() -> String {
    answer::head("libvirt") + "\ncat <&\"$libvirt\""
}

//! What libvirt on a host has and does, as plain data: no libvirt type leaves [`crate::host`].

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
    /// Forgets a domain, its NVRAM and its managed save image; its volumes stay.
    UndefineDomain { domain: String },
}

//! Makes the lab; a lab that is there is only completed.

use std::{fs, thread};

use super::{
    LabError,
    apt::Apt,
    container::{self, Foundation},
    down,
    identity::Identity,
    internet, network,
    place::{Home, Host, INTERNET_ADDRESS, Wiring},
    program::check_machine,
    recipe::Recipe,
    release,
    status::{HostRecord, Record, status},
};

/// The lab that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// How many hosts.
    pub hosts: u8,
    /// Without packages.
    pub bare: bool,
    /// Their network cards.
    pub wiring: Wiring,
}

/// What `up` found to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The lab was made, or what was off was switched on.
    Made,
    /// Everything was there and on.
    AlreadyUp,
}

/// Brings the lab up: roots and release from the cache, network, internet, hosts.
///
/// # Errors
/// Returns an error where the machine lacks something, a build fails or a host does not boot.
pub fn up(home: &Home, order: Order, progress: &mut dyn FnMut(&str)) -> Result<Outcome, LabError> {
    let Order { hosts, bare, wiring } = order;
    let hosts = Host::first(hosts)?;
    check_machine()?;
    let _lock = down::lock()?;
    let record = if let Some(seen) = status(home)? {
        let hosts = hosts.iter().map(HostRecord::from).collect();
        let wanted = Record { hosts, bare, wiring, ..seen.record.clone() };
        if wanted != seen.record {
            return Err(LabError::UpDifferently { found: seen.record.summary(), wanted: wanted.summary() });
        }
        if seen.is_whole() {
            return Ok(Outcome::AlreadyUp);
        }
        seen.record
    } else {
        // What an interrupted `up` or `down` left is not trusted.
        down::remove_all(home)?;
        Record { wiring, ..prepare(home, &hosts, bare, progress)? }
    };
    progress("wiring workstation and internet");
    network::internet(&hosts, wiring)?;
    network::workstation(&hosts)?;
    let translation = if wiring.nat { network::translation(&hosts) } else { String::new() };
    release::key(home, &record.release)?;
    internet::serve(home, &record.tools, &record.release, &translation)?;
    boot(home, &hosts, &record, progress)?;
    record.write(home)?;
    Ok(Outcome::Made)
}

/// Builds what everything is made from, which takes a minute the first time.
fn prepare(
    home: &Home,
    hosts: &[Host],
    bare: bool,
    progress: &mut dyn FnMut(&str),
) -> Result<Record, LabError> {
    container::check_room(hosts.len())?;
    for dir in [&home.cache, &home.state] {
        fs::create_dir_all(dir).map_err(LabError::file("write", dir))?;
    }
    let apt = Apt::of_this_machine()?;
    let full = root("full", &apt).build(home, progress)?;
    let release = release::build(home, &full, progress)?;
    let tools = full.join("rootfs");
    let bare_root = if bare { Some(root("bare", &apt).build(home, progress)?) } else { None };
    Ok(Record {
        api_version: "ocp2/v1".into(),
        hosts: hosts.iter().map(HostRecord::from).collect(),
        bare,
        wiring: Wiring::default(),
        mirror: format!("http://{INTERNET_ADDRESS}/{}", release::PATH),
        root: bare_root.as_ref().map_or_else(|| tools.clone(), |root| root.join("rootfs")),
        packages: bare_root.map(|root| root.join("repo")),
        tools,
        release,
    })
}

fn root<'a>(kind: &'static str, apt: &'a Apt) -> Recipe<'a> {
    Recipe {
        kind,
        files: vec![
            ("build.sh", include_bytes!("root/build.sh").as_slice()),
            ("bare.packages", include_bytes!("root/bare.packages")),
            ("full.packages", include_bytes!("root/full.packages")),
            ("guest.packages", include_bytes!("root/guest.packages")),
            ("guest.modules", include_bytes!("root/guest.modules")),
            ("nmstatectl", include_bytes!("root/nmstatectl.py")),
            ("sources", apt.sources.as_bytes()),
            ("apt.conf", apt.settings.as_bytes()),
        ],
        arguments: vec![kind.into(), apt.codename.clone()],
        root: None,
    }
}

/// Boots all hosts that are off, at the same time.
fn boot(
    home: &Home,
    hosts: &[Host],
    record: &Record,
    progress: &mut dyn FnMut(&str),
) -> Result<(), LabError> {
    let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
    progress(&format!("booting {}", names.join(", ")));
    let identity = Identity::ensure(home, hosts)?;
    let foundation =
        Foundation { root: record.root.clone(), packages: record.packages.clone(), wiring: record.wiring };
    let one = |host: &Host| {
        if container::is_on(host) {
            return container::await_ready(home, host, None, hosts.len());
        }
        container::install(home, host, hosts, &foundation, &identity)?;
        let booting = container::power_on(home, host, &foundation)?;
        container::await_ready(home, host, Some(booting), hosts.len())
    };
    thread::scope(|scope| {
        let boots: Vec<_> = hosts.iter().map(|host| scope.spawn(|| one(host))).collect();
        // Every host gets its chance; the first failure is the one that is told.
        let ends: Vec<_> = boots.into_iter().filter_map(|boot| boot.join().ok()).collect();
        ends.into_iter().collect()
    })
}

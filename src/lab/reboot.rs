//! Switches a host off and on again, with what a power cycle leaves of it: the disk.

use super::{
    LabError,
    container::{self, Foundation},
    exec::unknown,
    place::Home,
    program::check_machine,
    status::Record,
};

/// Reboots a host; with `pull_plug` nothing on it gets to say goodbye.
///
/// # Errors
/// Returns an error where there is no such host, or where it does not come back.
pub fn reboot(
    home: &Home,
    name: &str,
    pull_plug: bool,
    progress: &mut dyn FnMut(&str),
) -> Result<(), LabError> {
    check_machine()?;
    let _lock = super::down::lock()?;
    let record = Record::read(home)?.ok_or(LabError::NotUp)?;
    let host =
        record.hosts().into_iter().find(|host| host.name == name).ok_or_else(|| unknown(name, &record))?;
    progress(&format!("switching {name} off"));
    container::power_off(home, &host, pull_plug)?;
    progress(&format!("switching {name} on"));
    let foundation = Foundation { root: record.root, packages: record.packages, wiring: record.wiring };
    let booting = container::power_on(home, &host, &foundation)?;
    container::await_ready(home, &host, Some(booting), 1)
}

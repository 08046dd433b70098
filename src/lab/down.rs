//! Removes the lab: processes, mounts, namespaces, state. The cache stays.

use std::{fs, time::Duration};

use super::{
    LabError,
    container::{self, is_mount_point},
    group, network,
    place::{Home, Host, INTERNET, MOST_HOSTS, WORKSTATION, namespace, text},
    process,
    program::{check_machine, run},
    recipe::remove,
    status::Record,
};

/// Takes the lab down; tells whether there was anything to take down.
///
/// # Errors
/// Returns an error where run inside the lab, or where something of it does not go away.
pub fn down(home: &Home, progress: &mut dyn FnMut(&str)) -> Result<bool, LabError> {
    check_machine()?;
    let hosts = Host::first(MOST_HOSTS)?;
    for place in places(&hosts) {
        if process::is_inside(&namespace(&place)) {
            return Err(LabError::Inside);
        }
    }
    let _lock = lock()?;
    let there = Record::read(home).map_or(true, |record| record.is_some())
        || places(&hosts).iter().any(|place| process::exists(&namespace(place)));
    if there {
        progress("removing hosts, network and state");
    }
    remove_all(home)?;
    Ok(there)
}

/// Removes all that a lab can have, whole or half made.
pub(super) fn remove_all(home: &Home) -> Result<(), LabError> {
    let hosts = Host::first(MOST_HOSTS)?;
    end_processes(home, &hosts)?;
    for host in &hosts {
        let root = home.host(host).join("root");
        if is_mount_point(&root) {
            run(&["umount", &text(&root)])?;
        }
        group::remove(&container::machine(host));
    }
    for place in places(&hosts) {
        network::remove(&place)?;
    }
    remove(&home.state)
}

/// Holds the lab against a second command; released with the returned file.
///
/// One lock for the machine, wherever the state lies: namespaces are the machine's.
pub(super) fn lock() -> Result<fs::File, LabError> {
    let path = "/run/ocp2-lab.lock";
    let file = fs::File::create(path).map_err(LabError::file("write", path))?;
    file.try_lock().map_err(|_| LabError::Busy)?;
    Ok(file)
}

/// Ends every process of the lab at once: what they would write is about to be removed.
fn end_processes(home: &Home, hosts: &[Host]) -> Result<(), LabError> {
    let mut left = Vec::new();
    let done = || {
        left.clear();
        for host in hosts {
            let name = container::machine(host);
            // The container's init takes all its processes with it; nspawn then ends by itself.
            left.extend(process::init(&name).or_else(|| process::nspawn(&name)));
        }
        for place in places(hosts) {
            left.extend(process::within(&namespace(&place)));
        }
        process::signal("KILL", &left);
        left.is_empty()
    };
    match process::wait_for("the end of the lab's processes", Duration::from_secs(30), &home.state, done) {
        Err(LabError::Timeout { .. }) => Err(LabError::Left { pids: left }),
        other => other,
    }
}

fn places(hosts: &[Host]) -> Vec<String> {
    // The internet last: the others' cables end in it.
    let hosts = hosts.iter().map(|host| host.name.clone());
    hosts.chain([WORKSTATION.to_owned(), INTERNET.to_owned()]).collect()
}

//! Runs a command at a place of the lab, as if typed there.

use std::{
    ffi::{OsStr, OsString},
    os::unix::process::CommandExt as _,
    process::Command,
};

use super::{
    LabError, container,
    place::{Home, INTERNET, WORKSTATION, namespace},
    process,
    program::check_machine,
    status::Record,
};

/// Becomes a command at a place: terminal, folder and exit status are the command's own.
///
/// On the workstation and on the internet the machine's own programs run, in
/// that place's network; on a host it is the host's own system. Returns only if
/// that cannot be.
#[must_use]
pub fn exec(home: &Home, place: &str, command: &[OsString]) -> LabError {
    match prepare(home, place, command) {
        Ok(mut prepared) => {
            let source = prepared.exec();
            let command = command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ");
            LabError::Start { command, source }
        }
        Err(error) => error,
    }
}

fn prepare(home: &Home, place: &str, command: &[OsString]) -> Result<Command, LabError> {
    check_machine()?;
    let record = Record::read(home)?.ok_or(LabError::NotUp)?;
    if place == WORKSTATION || place == INTERNET {
        let mut prepared = Command::new("ip");
        prepared.args(["netns", "exec", &namespace(place)]).args(command);
        return Ok(prepared);
    }
    let host =
        record.hosts().into_iter().find(|host| host.name == place).ok_or_else(|| unknown(place, &record))?;
    let init = process::init(&container::machine(&host)).ok_or(LabError::HostOff { host: host.name })?;
    let mut prepared = Command::new("nsenter");
    prepared.args(["--target", &init.to_string(), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]);
    prepared.args(["--root", "--wd"]).arg("--").args(command);
    // The environment of a fresh login, not the caller's.
    prepared.env_clear();
    prepared.envs([
        ("HOME", "/root"),
        ("LANG", "C.UTF-8"),
        ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
        ("USER", "root"),
    ]);
    prepared.env("TERM", std::env::var_os("TERM").as_deref().unwrap_or(OsStr::new("dumb")));
    Ok(prepared)
}

/// Names the places there are.
pub(super) fn unknown(name: &str, record: &Record) -> LabError {
    let mut known = vec![WORKSTATION.to_owned(), INTERNET.to_owned()];
    known.extend(record.hosts().into_iter().map(|host| host.name));
    LabError::UnknownPlace { name: name.to_owned(), known }
}

//! The internet: public DNS and the release mirror, in a namespace with nothing behind it.

use std::{fs, path::Path, time::Duration};

use super::{
    LabError,
    place::{FAR_ADDRESS, Home, INTERNET, INTERNET_ADDRESS, WORKSTATION, namespace, text},
    process,
    program::{program, run, start},
};

const SERVE: &str = include_str!("internet.sh");

/// Starts what is not running: dnsmasq and the mirror, both out of the hosts' root.
///
/// `{state}/internet/records` is a folder of hosts files that the public DNS
/// reads as they appear: the place to publish a cluster's names. `rules` are
/// loaded into nftables, where the router has to translate addresses.
pub(super) fn serve(home: &Home, root: &Path, mirror: &Path, rules: &str) -> Result<(), LabError> {
    let name = namespace(INTERNET);
    if !process::within(&name).is_empty() {
        return Ok(());
    }
    let dir = home.internet();
    let records = dir.join("records");
    fs::create_dir_all(&records).map_err(LabError::file("write", &records))?;
    let known = dir.join("hosts");
    fs::write(&known, records_of_the_lab()).map_err(LabError::file("write", &known))?;
    let loaded = dir.join("rules.nft");
    fs::write(&loaded, rules).map_err(LabError::file("write", &loaded))?;
    let script = dir.join("internet.sh");
    fs::write(&script, SERVE).map_err(LabError::file("write", &script))?;
    let log = dir.join("console.log");
    // The process namespace ends with its first process: nothing can be left behind.
    let words = [
        "setsid",
        "ip",
        "netns",
        "exec",
        &name,
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
    ];
    start(program(&words).args([text(&script), text(root), text(&dir), text(mirror)]), &log)?;
    let ready = format!("exec 3<>/dev/tcp/{INTERNET_ADDRESS}/80 4<>/dev/tcp/{INTERNET_ADDRESS}/53");
    let ask = ["ip", "netns", "exec", &namespace(WORKSTATION), "bash", "-c", &ready];
    process::wait_for("the mirror's first answer", Duration::from_secs(20), &log, || run(&ask).is_ok())
}

fn records_of_the_lab() -> String {
    format!(
        "{INTERNET_ADDRESS} mirror.lab.test gateway.lab.test\n{FAR_ADDRESS} example.net www.example.net\n"
    )
}

//! The internet: public DNS and the release mirror, in a namespace with nothing behind it.

use std::{fs, path::Path, time::Duration};

use super::{
    LabError,
    place::{FAR_ADDRESS, Home, INTERNET, INTERNET_ADDRESS, WORKSTATION, namespace, text},
    process,
    program::{program, run, start},
};

const SERVE: &str = include_str!("internet.sh");

/// The mirror, which plays faults too.
const MIRROR: &str = include_str!("mirror.py");

/// The proxy's settings. Who uses it says the user's name and password, as in `http://lab:s3cret@gateway.lab.test:3128`.
const PROXY: &str = "Port 3128\nTimeout 60\nAllow 192.0.2.0/24\nBasicAuth lab s3cret\nLogLevel Connect\n";

/// Starts what is not running: dnsmasq, proxy and mirror, all out of the hosts' root.
///
/// `{state}/internet/records` is a folder of hosts files that the public DNS
/// reads as they appear: the place to publish a cluster's names.
/// `{state}/internet/faults` is where one asks the mirror for faults; see mirror.py.
/// `rules` are loaded into nftables, where the router has to translate addresses.
pub(super) fn serve(home: &Home, root: &Path, mirror: &Path, rules: &str) -> Result<(), LabError> {
    let name = namespace(INTERNET);
    if !process::within(&name).is_empty() {
        return Ok(());
    }
    let dir = home.internet();
    let records = dir.join("records");
    fs::create_dir_all(&records).map_err(LabError::file("write", &records))?;
    let script = dir.join("internet.sh");
    for (file, content) in [
        (dir.join("hosts"), records_of_the_lab()),
        (dir.join("resolv.conf"), format!("nameserver {INTERNET_ADDRESS}\n")),
        (dir.join("rules.nft"), rules.to_owned()),
        (dir.join("proxy.conf"), PROXY.to_owned()),
        (dir.join("mirror.py"), MIRROR.to_owned()),
        (script.clone(), SERVE.to_owned()),
    ] {
        fs::write(&file, content).map_err(LabError::file("write", &file))?;
    }
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
    let ready = format!(
        "exec 3<>/dev/tcp/{INTERNET_ADDRESS}/80 4<>/dev/tcp/{INTERNET_ADDRESS}/53 5<>/dev/tcp/{INTERNET_ADDRESS}/3128 \
         6<>/dev/tcp/{INTERNET_ADDRESS}/443"
    );
    let ask = ["ip", "netns", "exec", &namespace(WORKSTATION), "bash", "-c", &ready];
    process::wait_for("the mirror's first answer", Duration::from_secs(20), &log, || run(&ask).is_ok())
}

fn records_of_the_lab() -> String {
    format!(
        "{INTERNET_ADDRESS} mirror.lab.test gateway.lab.test\n{FAR_ADDRESS} example.net www.example.net\n"
    )
}

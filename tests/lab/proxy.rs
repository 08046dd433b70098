//! Lab hosts behind `tests/bench/delay.py`: as far away as is wanted, or counted.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use crate::stage::Stage;

/// A proxy before the sshd of hosts.
pub struct Proxy(Child);

impl Proxy {
    /// Starts it before the hosts with these last bytes of their addresses.
    pub fn start(stage: &Stage, options: &[&str], hosts: &[&str]) -> Self {
        let pairs =
            hosts.iter().flat_map(|host| [format!("127.1.1.{host}:22"), format!("192.0.2.{host}:22")]);
        let mut proxy = stage
            .on_workstation()
            .args(["python3", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/delay.py")])
            .args(options)
            .args(pairs)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(proxy.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "the proxy did not start");
        Self(proxy)
    }

    /// Returns what an inventory has to have replaced to reach those hosts through it.
    pub fn replacements(stage: &Stage, hosts: &[&str]) -> Vec<(String, String)> {
        let (lab_known, known) =
            (format!("{}/known_hosts", stage.lab()), stage.folder.join("far-known-hosts"));
        let text = std::fs::read_to_string(&lab_known).unwrap();
        let far =
            hosts.iter().map(|host| text.replace(&format!("192.0.2.{host}"), &format!("127.1.1.{host}")));
        std::fs::write(&known, far.chain([text.clone()]).collect::<String>()).unwrap();
        let address = |host: &&str| {
            (format!("      address: 192.0.2.{host}\n"), format!("      address: 127.1.1.{host}\n"))
        };
        [(lab_known, known.display().to_string())].into_iter().chain(hosts.iter().map(address)).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

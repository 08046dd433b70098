//! Other hosts than the shipped inventory's two, and what shows that they are one network.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use crate::stage::Stage;

/// Every VM as small as the stand-in bears.
pub const SMALL: &str = "vcpus: 1, memory: 256MiB, disk: 1GiB";

/// Returns an inventory's entry of a host on the lab's public network.
pub fn host(stage: &Stage, number: u8) -> String {
    host_by(stage, number, &format!("address: 192.0.2.1{number}, user: root"), "nic: ens34f0")
}

/// Returns an inventory's entry of a host: how SSH gets there, and the rest.
pub fn host_by(stage: &Stage, number: u8, way: &str, rest: &str) -> String {
    let lab = stage.lab();
    let keys = format!("identityFile: {lab}/id_ed25519, knownHostsFile: {lab}/known_hosts");
    format!("  - {{name: bm{number}, ssh: {{{way}, {keys}}}, {rest}}}\n")
}

/// Writes an inventory of a cluster with these hosts, each one a file of its own; `rest` is more of it,
/// `nodes` for instance.
pub fn inventory(stage: &Stage, cluster: &str, hosts: &[String], rest: &str) -> String {
    static WRITTEN: AtomicU32 = AtomicU32::new(0);
    let lab = stage.lab();
    let text = format!(
        "apiVersion: ocp2/v1\n\
         cluster: {{name: {cluster}, baseDomain: lab.test, version: 4.18.30, \
         pullSecretFile: {lab}/pull-secret.json, sshKeyFile: {lab}/id_ed25519.pub}}\n\
         hosts:\n{}machines: {{virtType: qemu, belowMinimum: allow}}\n\
         install: {{mirror: \"http://mirror.lab.test/pub/openshift-v4\", allowHttp: true, \
         mirrorKeyFile: {lab}/mirror-key.asc}}\n{rest}\n",
        hosts.concat()
    );
    let number = WRITTEN.fetch_add(1, Ordering::Relaxed);
    let path = stage.folder.join(format!("{cluster}-{number}.yaml"));
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Returns `nodes:` with that many masters and workers.
pub fn nodes(masters: u8, workers: u8) -> String {
    format!("nodes: {{masters: {{count: {masters}, {SMALL}}}, workers: {{count: {workers}, {SMALL}}}}}\n")
}

/// Demands that packets of exactly `mtu` bytes pass between all hosts, undivided, and no larger ones.
///
/// On each a probe is plugged into the bridge, as a VM is; its address is in `net` (`192.168.139`).
#[track_caller]
pub fn one_network(stage: &Stage, hosts: &[u8], (bridge, net): (&str, &str), mtu: u32) {
    let everywhere = |source: &(dyn Fn(u8) -> String + Sync)| {
        let runs = thread::scope(|scope| {
            let at = |host: u8| scope.spawn(move || (host, stage.at(&format!("bm{host}"), &source(host))));
            let runs: Vec<_> = hosts.iter().map(|host| at(*host)).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect::<Vec<_>>()
        });
        for (host, run) in runs {
            assert_eq!(run.status, 0, "bm{host}, {mtu} bytes:\n{}{}", run.stdout, run.stderr);
        }
    };
    everywhere(&|host| {
        format!(
            "set -e; ip netns add probe; \
             ip link add probe0 mtu {mtu} master {bridge} up type veth peer name eth0 mtu {mtu} netns probe; \
             ip -n probe address add {net}.20{host}/24 dev eth0; ip -n probe link set eth0 up"
        )
    });
    // IPv4 and ICMP headers take 28 bytes.
    let (exact, more) = (mtu - 28, mtu - 27);
    everywhere(&|this| {
        let others = hosts.iter().filter(|other| **other != this);
        let addresses: Vec<String> = others.map(|other| format!("{net}.20{other}")).collect();
        format!(
            "for a in {}; do ip netns exec probe ping -n -q -M do -c 2 -i 0.2 -W 3 -s {exact} $a || exit 1; \
             ! ip netns exec probe ping -n -q -M do -c 1 -W 1 -s {more} $a || exit 2; done",
            addresses.join(" ")
        )
    });
    everywhere(&|_| "ip netns delete probe; umount /run/netns; rmdir /run/netns".to_owned());
}

/// Returns where a host floods frames of the overlay to, in order.
pub fn peers(stage: &Stage, host: u8, device: &str) -> Vec<String> {
    let source = format!("bridge fdb show dev {device} | grep '^00:00:00:00:00:00 .*permanent'");
    let told = stage.at(&format!("bm{host}"), &source).stdout;
    let peer = |line: &str| line.split("dst ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let mut peers: Vec<String> = told.lines().map(peer).collect();
    peers.sort();
    peers
}

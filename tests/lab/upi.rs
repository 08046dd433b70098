//! The UPI method: VMs from a disk image, a bootstrap VM for a while, requests approved one by one.

use std::os::unix::fs::PermissionsExt;

use crate::{
    footprint::LISTING,
    stage::{Stage, stage},
};

/// Where the stand-in looks for the failures it is asked to play.
const FAULTS: &str = "/etc/ocp2-lab-faults.json";

#[test]
fn the_upi_method_installs_and_leaves_nothing_of_its_bootstrap_vm() {
    let stage = stage();
    // The shared cluster goes for a while: these VMs have its names and addresses, with one more.
    stage.ocp2(&["down", "--yes", &stage.inventory("lab.yaml", &[])]).succeeds();
    let inventory = stage.inventory(
        "upi.yaml",
        &[("workers: {count: 3", "workers: {count: 2"), ("method: agent", "method: upi")],
    );
    let before = ["bm1", "bm2"].map(|host| stage.at(host, LISTING).succeeds().stdout);
    let asked = r#"{"nodes": {"worker1": ["stranger"]}}"#;
    stage.at("bm1", &format!("echo '{asked}' > {FAULTS}")).succeeds();

    let planned = stage.ocp2(&["plan", &inventory]).succeeds();
    planned.shows("bootstrap 192.168.139.254").shows("get the disk image, make the ignition");
    stage.mirror_plays("cut 3000000 qemu.x86_64.qcow2.gz\n");
    stage
        .ocp2(&["up", "-v", "--until", "machines", &inventory])
        .succeeds()
        .says("cut off after 3000000 bytes");
    stage.at("bm1", "virsh -q list --name | grep -qx ocp-bootstrap").succeeds();
    for host in ["bm1", "bm2"] {
        let servers = stage.at(host, "grep -c 'server bootstrap ' /etc/ocp2/ocp/haproxy.cfg").succeeds();
        assert_eq!(servers.stdout.trim(), "2", "{host}");
        secrets_are_kept(&stage, host);
    }
    stage.ocp2(&["up", "--until", "bootstrap", &inventory]).succeeds().says("now safe to remove");
    gone(&stage);
    stage
        .ocp2(&["up", &inventory])
        .succeeds()
        .says("of worker0.ocp.lab.test (kubernetes.io/kube-apiserver-client-kubelet)")
        .says("of worker1.ocp.lab.test (kubernetes.io/kubelet-serving)")
        .says("is left pending: CN=system:node:stranger.ocp.lab.test,O=system:nodes is none of our nodes");
    only_the_stranger_waits(&stage);
    every_node_has_its_own_settings(&stage);

    let again = stage.ocp2(&["up", "-o", "json", &inventory]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
    stage.ocp2(&["plan", "--check", &inventory]).succeeds().shows("Nothing to change");

    stage.at("bm1", &format!("rm {FAULTS}")).succeeds();
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    for (host, before) in ["bm1", "bm2"].iter().zip(before) {
        assert_eq!(stage.at(host, LISTING).succeeds().stdout, before, "{host}");
    }
}

#[test]
fn a_compact_cluster_gets_its_addresses_by_dhcp_and_its_disks_from_an_image_of_the_users() {
    let stage = stage();
    let packed = stage.on_mirror("dependencies/rhcos/4.18/4.18.30/rhcos-4.18.30-x86_64-qemu.x86_64.qcow2.gz");
    let method = format!("method: upi\n  clusterOSImage: {}", packed.display());
    let inventory = stage.beside(
        "flat",
        9,
        &[
            ("vni: 84}", "vni: 84}, addressing: dhcp"),
            ("workers: {count: 3", "workers: {count: 0"),
            ("method: agent", &method),
        ],
    );
    let mark = stage.asked_of("mirror", 0).len();
    stage.ocp2(&["up", &inventory]).succeeds().says("cluster: 3 of 3 nodes are Ready");
    let asked = stage.asked_of("mirror", mark);
    assert!(!asked.contains("qcow2"), "the image was downloaded all the same:\n{asked}");
    for (host, vm, gateway) in
        [("bm1", "192.168.207.10", "192.168.207.1"), ("bm2", "192.168.207.11", "192.168.207.2")]
    {
        let inside = |source: &str| stage.inside(host, vm, source).succeeds();
        inside("ip route show default").shows(&format!("via {gateway} "));
        inside("[ -e /run/lease ] && ip -o link show enp1s0").shows("mtu 1400");
    }
    stage.ocp2(&["plan", "--check", &inventory]).succeeds().shows("Nothing to change");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}

/// Ignition and disk image are nobody's to read but root's and QEMU's.
fn secrets_are_kept(stage: &Stage, host: &str) {
    let open = "cd /var/lib/libvirt/images/ocp; ls ./*.ign >/dev/null; find . -type f -perm /077";
    assert_eq!(stage.at(host, open).succeeds().stdout, "", "{host}");
}

/// Demands that nothing on the hosts is the bootstrap VM's any more.
fn gone(stage: &Stage) {
    let traces = "cd /; grep -rl bootstrap etc/ocp2/ocp; ls var/lib/libvirt/images/ocp | grep bootstrap; \
                  virsh -q list --all --name | grep bootstrap; ls var/log/libvirt/qemu | grep bootstrap; true";
    for host in ["bm1", "bm2"] {
        assert_eq!(stage.at(host, traces).succeeds().stdout, "", "{host}");
    }
}

/// Asks the cluster itself, as its administrator.
fn only_the_stranger_waits(stage: &Stage) {
    let kubeconfig = std::fs::read_to_string(stage.folder.join("ocp-auth/kubeconfig")).unwrap();
    for (key, file) in [
        ("certificate-authority-data", "upi-ca.pem"),
        ("client-certificate-data", "upi-admin.crt"),
        ("client-key-data", "upi-admin.key"),
    ] {
        let data = kubeconfig.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: "))).unwrap();
        let path = stage.folder.join(file);
        std::fs::write(&path, data_encoding::BASE64.decode(data.trim_matches('"').as_bytes()).unwrap())
            .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    let folder = stage.folder.display();
    let call = format!(
        "cd {folder}; curl -sS --fail -m 20 --cacert upi-ca.pem --cert upi-admin.crt --key upi-admin.key \
         --resolve api.ocp.lab.test:6443:192.0.2.11 \
         https://api.ocp.lab.test:6443/apis/certificates.k8s.io/v1/certificatesigningrequests"
    );
    let requests = stage.at("workstation", &call).succeeds().json();
    let requests = requests["items"].as_array().unwrap().clone();
    assert_eq!(requests.len(), 5, "{requests:#?}");
    let waiting: Vec<_> =
        requests.iter().filter(|request| request["status"]["conditions"].is_null()).collect();
    assert_eq!(waiting.len(), 1, "{waiting:#?}");
    assert_eq!(waiting[0]["spec"]["signerName"], "kubernetes.io/kube-apiserver-client-kubelet");
}

/// Looks into VMs of both roles and hosts: the address and the name came from ignition, DHCP was for once.
fn every_node_has_its_own_settings(stage: &Stage) {
    for (host, address, name, gateway) in [
        ("bm1", "192.168.139.10", "master0", "192.168.139.1"),
        ("bm2", "192.168.139.13", "worker0", "192.168.139.2"),
    ] {
        let inside = |source: &str| stage.inside(host, address, source).succeeds();
        inside("hostname").shows(&format!("{name}.ocp.lab.test\n"));
        inside("ip -o link show enp1s0").shows("mtu 1400");
        inside("ip route show default").shows(&format!("via {gateway} "));
        inside("cat /etc/resolv.conf").shows(&format!("nameserver {gateway}\n"));
        inside("[ ! -e /run/lease ]");
    }
}

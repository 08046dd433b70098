//! The main job: six VMs on two hosts, installed from their own ISO.

use std::{os::unix::fs::PermissionsExt, time::Duration};

use crate::stage::{eventually, stage};

#[test]
fn one_command_installs_the_cluster_and_a_second_one_changes_nothing() {
    let stage = stage();
    let inventory = stage.cluster();

    let vms = stage.ocp2(&["vms", "list", &inventory, "-o", "json"]).succeeds().json();
    let vms = vms.as_array().unwrap();
    assert_eq!(vms.len(), 6);
    for vm in vms {
        assert_eq!(vm["state"], "running", "{vm}");
        assert_eq!(vm["mtu"], 1400);
        for key in ["name", "role", "host", "ip", "mac", "uuid"] {
            assert!(vm[key].is_string(), "{key} of {vm}");
        }
        for key in ["vcpus", "memoryMiB", "diskGiB"] {
            assert!(vm[key].is_u64(), "{key} of {vm}");
        }
    }
    for host in ["bm1", "bm2"] {
        assert_eq!(vms.iter().filter(|vm| vm["host"] == host).count(), 3);
    }

    let again = stage.ocp2(&["up", &inventory, "-o", "json"]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
    stage.ocp2(&["up", &inventory]).succeeds().shows("Nothing to change");
    stage.ocp2(&["plan", "--check", &inventory]).succeeds().shows("Nothing to change");
}

#[test]
fn every_vm_has_booted_from_its_own_disk() {
    let stage = stage();
    let inventory = stage.cluster();
    let vms = stage.ocp2(&["vms", "list", &inventory, "-o", "json"]).succeeds().json();
    for vm in vms.as_array().unwrap() {
        let address = vm["ip"].as_str().unwrap();
        let seen = stage.at("bm1", &format!("curl -sS -m 10 http://{address}:9999/")).succeeds().json();
        assert_eq!(seen["boot"], "disk", "{seen}");
        assert_eq!(seen["mtu"], 1400, "{seen}");
    }
}

#[test]
fn each_hosts_public_address_leads_to_nodes_of_the_other_host_too() {
    let stage = stage();
    stage.cluster();
    let kubeconfig = stage.folder.join("ocp-auth/kubeconfig");
    for secret in ["kubeconfig", "kubeadmin-password"] {
        let mode =
            std::fs::metadata(stage.folder.join("ocp-auth").join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    let text = std::fs::read_to_string(kubeconfig).unwrap();
    let authority =
        text.lines().find_map(|line| line.trim().strip_prefix("certificate-authority-data: ")).unwrap();
    let bundle = stage.folder.join("ca.pem");
    let pem = data_encoding::BASE64.decode(authority.trim_matches('"').as_bytes()).unwrap();
    std::fs::write(&bundle, pem).unwrap();
    assert!(text.contains("tls-server-name: api.ocp."), "{text}");

    // The name is in no DNS the workstation knows; the certificate is verified all the same.
    let name =
        text.lines().find_map(|line| line.trim().strip_prefix("tls-server-name: ")).unwrap().to_owned();
    // The last node to reboot is in a balancer's rotation again two good checks later.
    let answered_by = |node: &str, address: &str, name: &str, port: u16, path: &str| {
        let call = format!(
            "for i in 1 2 3 4 5 6 7 8; do curl -sS -m 10 -o /dev/null -D - --cacert {} --resolve {name}:{port}:{address} \
             https://{name}:{port}{path}; done | grep -i 'x-standin-node: {node}'",
            bundle.display()
        );
        eventually(Duration::from_secs(30), || stage.at("workstation", &call));
    };
    for (address, other) in [("192.0.2.11", "master1"), ("192.0.2.12", "master0")] {
        answered_by(other, address, &name, 6443, "/readyz");
        let apps = name.replacen("api.", "console.apps.", 1);
        answered_by("worker", address, &apps, 443, "/");
    }
}

#[test]
fn a_sudo_user_sees_the_same_hosts() {
    let stage = stage();
    stage.cluster();
    let inventory = stage.inventory("ops.yaml", &[("user: root", "user: ops")]);
    stage.ocp2(&["plan", "--check", &inventory]).succeeds().shows("Nothing to change");
}

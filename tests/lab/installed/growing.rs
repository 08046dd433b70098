//! A cluster that grows, shrinks and changes: what is not meant is not touched.

use std::time::Duration;

use crate::stage::{Run, Stage, eventually, ocp2, stage};

/// The inventory's line about the workers.
const WORKERS: &str = "workers: {count: 3, vcpus: 1, memory: 256MiB, disk: 1GiB}";

/// Domains and when their QEMU was started, one a line.
const RUNNING: &str = "for d in $(virsh -q list --name); do \
    echo $d $(virsh domuuid $d) $(virsh domid $d) $(stat -c %Y /proc/$(cat /run/libvirt/qemu/$d.pid)); done | sort";

/// One connection through the balancer of bm1, on which something is asked every half second until
/// the file `$1` is there; `$1.begun` says that it works.
const TALK: &str = r#"
import os, socket, ssl, sys, time
context = ssl._create_unverified_context()
talk = context.wrap_socket(socket.create_connection(("192.0.2.11", 6443), 20))
count = 0
while not os.path.exists(sys.argv[1]):
    talk.sendall(b"GET /readyz HTTP/1.1\r\nHost: api\r\n\r\n")
    answer = b""
    while b"\r\n\r\nok" not in answer:
        more = talk.recv(4096)
        if not more:
            sys.exit(f"the connection ended after {count} answers")
        answer += more
    count += 1
    open(sys.argv[1] + ".begun", "w")
    time.sleep(0.5)
print("answers", count)
"#;

/// One question after the other to the DNS server of bm2.
const ASK: &str = "n=0; while [ ! -e /run/hush ]; do \
    dig +time=1 +tries=1 +short @192.168.139.2 api.ocp.lab.test | grep -qx 192.168.139.2 || { echo lost after $n; exit 1; }; \
    n=$((n + 1)); done; rm /run/hush; echo answers $n";

/// Which process each of our daemons is.
const DAEMONS: &str = "systemctl show -p MainPID,NRestarts ocp2-ocp-balancer ocp2-ocp-dns";

fn with_workers(stage: &Stage, name: &str, workers: &str) -> String {
    stage.inventory(name, &[(WORKERS, workers)])
}

fn running(stage: &Stage) -> Vec<String> {
    ["bm1", "bm2"]
        .iter()
        .flat_map(|host| {
            let lines = stage.at(host, RUNNING).succeeds().stdout;
            lines.lines().map(|line| format!("{host} {line}")).collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the memory a domain runs with, KiB.
fn memory(stage: &Stage, host: &str) -> String {
    let ask = "virsh dumpxml ocp-worker3 | sed -n 's/.*<memory.*>\\([0-9]*\\)<.*/\\1/p'";
    stage.at(host, ask).succeeds().stdout.trim().to_owned()
}

#[test]
fn a_cluster_grows_changes_and_shrinks_without_disturbing_what_is_there() {
    let stage = stage();
    let inventory = stage.cluster();
    let before = running(&stage);
    assert_eq!(before.len(), 6, "{before:?}");
    let host = a_worker_more_is_reachable_and_nobody_else_notices(&stage, &before);
    a_setting_waits_for_the_power_off_that_is_asked_for(&stage, &host);
    a_worker_less_is_asked_about_and_its_disk_stays(&stage, &inventory, &host);
    a_master_less_is_refused(&stage);
    assert_eq!(running(&stage), before);
}

/// Returns the host of the new worker.
fn a_worker_more_is_reachable_and_nobody_else_notices(stage: &Stage, before: &[String]) -> String {
    let larger = with_workers(stage, "larger.yaml", &WORKERS.replace("count: 3", "count: 4"));
    let (script, hush) = (stage.folder.join("talk.py"), stage.folder.join("hush"));
    let begun = stage.folder.join("hush.begun");
    std::fs::write(&script, TALK).unwrap();
    for old in [&hush, &begun] {
        let _ = std::fs::remove_file(old);
    }
    let daemons = || ["bm1", "bm2"].map(|host| stage.at(host, DAEMONS).succeeds().stdout);
    let (same, talking) = (daemons(), format!("python3 {} {}", script.display(), hush.display()));
    let (talk, asked, up) = std::thread::scope(|scope| {
        let talk = scope.spawn(|| stage.at("workstation", &talking));
        let asked = scope.spawn(|| stage.at("bm2", ASK));
        let ready = format!("test -e {}", begun.display());
        eventually(Duration::from_secs(30), || stage.at("workstation", &ready));
        let up = stage.ocp2(&["up", "-o", "json", &larger]);
        // Some more of both after the last process has handed over.
        std::thread::sleep(Duration::from_secs(2));
        std::fs::write(&hush, "").unwrap();
        stage.at("bm2", "touch /run/hush").succeeds();
        (talk.join().unwrap(), asked.join().unwrap(), up)
    });
    up.succeeds();
    let count = |run: Run| -> u32 {
        let said = run.succeeds().stdout;
        said.trim().strip_prefix("answers ").unwrap_or_else(|| panic!("{said}")).parse().unwrap()
    };
    assert!(count(talk) > 4, "the connection said too little to prove anything");
    assert!(count(asked) > 20, "too few questions to prove anything");
    assert_eq!(daemons(), same);
    for host in ["bm1", "bm2"] {
        let balancer =
            "echo 'show servers state ingress-http' | socat - /run/ocp2-ocp/haproxy.sock | grep -w worker3";
        stage.at(host, balancer).succeeds();
        let names =
            "for a in 1 2; do dig +short @192.168.139.$a worker3.ocp.lab.test; done | grep -x 192.168.139.16";
        stage.at(host, names).succeeds();
    }
    let now = running(stage);
    assert!(before.iter().all(|line| now.contains(line)), "before {before:#?}\nafter {now:#?}");
    let new: Vec<&String> = now.iter().filter(|line| !before.contains(line)).collect();
    assert!(new.len() == 1 && new[0].contains(" ocp-worker3 "), "{new:?}");
    let host = new[0].split(' ').next().unwrap().to_owned();

    // The image of the installation does not know it; it gets one that does, as by `oc adm node-image`.
    boot_from_an_image_of_its_own(stage, &larger, &host);
    let other = if host == "bm1" { "bm2" } else { "bm1" };
    eventually(Duration::from_secs(90), || stage.at(other, "curl -sSf -m 5 http://192.168.139.16:9999/"));
    stage.inside(&host, "192.168.139.16", "standin-ping --df --size 1400 192.168.139.10").succeeds();
    stage.ocp2(&["plan", "--check", &larger]).succeeds();
    host
}

fn boot_from_an_image_of_its_own(stage: &Stage, inventory: &str, host: &str) {
    let root = |host: &str, path: &str| format!("{}/hosts/{host}/root/{path}", stage.lab());
    let inputs = root("bm1", "root/node");
    std::fs::create_dir_all(&inputs).unwrap();
    for input in ["install-config", "agent-config"] {
        stage.ocp2(&["render", input, "--dir", &inputs, "-i", inventory]).succeeds();
    }
    let make = "cd /root/node && HOME=/var/lib/ocp2/ocp/installer /var/lib/ocp2/ocp/installer/*/openshift-install agent create image --dir .";
    stage.at("bm1", make).succeeds();
    let image = "var/lib/libvirt/images/node.iso";
    std::fs::copy(format!("{inputs}/agent.x86_64.iso"), root(host, image)).unwrap();
    let boot = format!(
        "virsh -q change-media ocp-worker3 sda /{image} --update --live --force && virsh -q reset ocp-worker3"
    );
    stage.at(host, &boot).succeeds();
}

fn a_setting_waits_for_the_power_off_that_is_asked_for(stage: &Stage, host: &str) {
    let other = "count: 4, items: [{name: worker3, memory: 320MiB, disk: 2GiB}]";
    let changed = with_workers(stage, "changed.yaml", &WORKERS.replace("count: 3", other));
    let before = running(stage);
    let plan = stage.ocp2(&["plan", "--check", &changed]).ends(8);
    plan.shows("domain ocp-worker3: memory 256 MiB → 320 MiB (in effect after its next power-off)");
    let up = stage.ocp2(&["up", &changed]).succeeds();
    let left = "domain ocp-worker3: waits for a power-off: memory 256 MiB → 320 MiB";
    up.shows("This is left to you").shows(left).shows("`ocp2 vms restart worker3`");
    assert_eq!(running(stage), before);
    assert_eq!(memory(stage, host), "262144");
    // A disk grows under a running system.
    stage.inside(host, "192.168.139.16", "cat /sys/block/vda/size").succeeds().shows("4194304");
    let plan = stage.ocp2(&["plan", "--check", "-o", "json", &changed]).ends(8).json();
    assert_eq!(plan["changes"].as_array().unwrap().len(), 1, "{plan:#}");
    assert_eq!(plan["changes"][0]["summary"], "waits for a power-off: memory 256 MiB → 320 MiB");

    stage.ocp2(&["vms", "restart", "worker3", "-i", &changed]).succeeds().shows("power off and on");
    assert_eq!(memory(stage, host), "327680");
    stage.ocp2(&["plan", "--check", &changed]).succeeds();
    let touched = running(stage).iter().filter(|line| !before.contains(line)).count();
    assert_eq!(touched, 1, "others were restarted, too");
}

fn a_worker_less_is_asked_about_and_its_disk_stays(stage: &Stage, inventory: &str, host: &str) {
    let before = running(stage);
    let plan = stage.ocp2(&["plan", "--check", inventory]).ends(8);
    plan.shows("domain ocp-worker3: power it off, it is no longer in the inventory");
    let refused = stage.ocp2(&["up", inventory]).ends(2);
    refused.says(&format!("ocp-worker3 on {host}")).says("--remove-vms").says("nothing was changed");
    let asked = format!("echo n | script -qec '{} up {inventory}' /dev/null", ocp2());
    let asked = stage.at("workstation", &asked).ends(1);
    asked.shows("They remove VMs that left the inventory: ocp-worker3").shows("nothing was done");
    assert_eq!(running(stage), before);
    stage.at(host, "grep -q worker3 /etc/ocp2/ocp/haproxy.cfg").succeeds();

    // It has no system that would heed the power button; its owner need not wait for that.
    stage.at(host, "(sleep 8; virsh destroy ocp-worker3) >/dev/null 2>&1 &").succeeds();
    stage.ocp2(&["up", "--remove-vms", inventory]).succeeds();
    stage
        .at(host, "! virsh domstate ocp-worker3 2>/dev/null && ! grep -q worker3 /etc/ocp2/ocp/haproxy.cfg")
        .succeeds();
    let disk = "/var/lib/libvirt/images/ocp/ocp-worker3.img";
    stage.at(host, &format!("test -e {disk}")).succeeds();
    stage.ocp2(&["plan", "--check", inventory]).succeeds().shows(disk).shows("--delete-volumes");
    stage.ocp2(&["up", "--delete-volumes", inventory]).succeeds();
    stage.at(host, &format!("test ! -e {disk} && rm -f /var/lib/libvirt/images/node.iso")).succeeds();
    let plan = stage.ocp2(&["plan", "--check", inventory]).succeeds();
    assert!(!plan.stdout.contains("worker3"), "{}", plan.stdout);
}

fn a_master_less_is_refused(stage: &Stage) {
    let other = stage.inventory(
        "other-master.yaml",
        &[("masters: {count: 3,", "masters: {count: 3, items: [{name: chief}],")],
    );
    let plan = stage.ocp2(&["plan", &other]).ends(3);
    plan.says("VM ocp-master0 is a master that is no longer in the inventory")
        .says("etcd counts it as a member");
    stage.ocp2(&["up", "--yes", &other]).ends(3);
}

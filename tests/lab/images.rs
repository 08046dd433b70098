//! A large image on its way: up once, then from host to host, and what may happen to it there.

use std::{fs, io::Write as _, time::Duration};

use crate::{
    proxy::Proxy,
    stage::{Run, Stage, apart_with, eventually, ocp2},
};

/// Where the image is on every host.
const IMAGE: &str = "/var/lib/libvirt/images/ocp/ocp-agent.iso";

/// Lets a host send no more than 25 MB/s.
const SLOW: &str = "tc qdisc add dev ens34f0 root tbf rate 200mbit burst 1mb latency 100ms";

/// The third host, as the inventory has the other two.
const THIRD: &str = "
  - name: bm3
    ssh:
      address: 192.0.2.13
      user: root
      identityFile: LAB/id_ed25519
      knownHostsFile: LAB/known_hosts
    nic: ens34f0

# Six VMs";

/// Makes an image of 100 MiB of noise with a hole of 200 MiB; returns an inventory that boots from it.
fn prepare(stage: &Stage) -> String {
    let image = stage.folder.join("large.iso");
    let mut file = fs::File::create(&image).unwrap();
    let mut seed = 1_u64;
    for _ in 0..100 {
        let block: Vec<u8> = (0..1 << 17)
            .flat_map(|_| {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                seed.to_be_bytes()
            })
            .collect();
        file.write_all(&block).unwrap();
    }
    file.set_len(300 << 20).unwrap();
    inventory(stage, "image.yaml", &[])
}

/// Returns an inventory that boots from the image, with more of it replaced.
fn inventory(stage: &Stage, name: &str, more: &[(String, String)]) -> String {
    let install = format!("install:\n  iso: {}\n", stage.folder.join("large.iso").display());
    let third = THIRD.replace("LAB", &stage.lab());
    let mut replace = vec![("\n\n# Six VMs", third.as_str()), ("install:\n  method: agent\n", &install)];
    replace.extend(more.iter().map(|(from, to)| (from.as_str(), to.as_str())));
    stage.inventory(name, &replace)
}

/// Counts bytes that have left a place.
fn sent(stage: &Stage, place: &str, device: &str) -> u64 {
    let source = format!("cat /sys/class/net/{device}/statistics/tx_bytes");
    stage.at(place, &source).succeeds().stdout.trim().parse().unwrap()
}

/// Demands that the image is whole on all hosts and that nothing else is left of its way there.
fn arrived(stage: &Stage, when: &str) {
    let look = format!(
        "openssl dgst -sha256 -r {IMAGE} | cut -c1-64; stat -c '%a %s %b' {IMAGE}; ls {IMAGE}?* 2>/dev/null; \
         ss -Hltn 'sport = :22625'; systemctl list-units --all --no-legend '*relay*'; ls -d /run/*relay* 2>/dev/null; \
         pgrep -fa 's_server|tail -c'"
    );
    let seen: Vec<String> = ["bm1", "bm2", "bm3"].map(|host| stage.at(host, &look).stdout).into();
    for (host, seen) in seen.iter().enumerate() {
        let lines: Vec<&str> = seen.lines().collect();
        assert_eq!(lines.len(), 2, "{when}, bm{}: {seen}", host + 1);
        assert_eq!(lines[0], seen[..64].to_owned());
        let words: Vec<u64> = lines[1].split(' ').map(|word| word.parse().unwrap()).collect();
        assert_eq!((words[0], words[1]), (600, 300 << 20), "{when}");
        // The hole is a hole everywhere.
        assert!(words[2] * 512 < 110 << 20, "{when}, bm{}: {seen}", host + 1);
    }
    let sums: Vec<&str> = seen.iter().map(|seen| &seen[..64]).collect();
    assert!(sums.iter().all(|sum| *sum == sums[0]), "{when}: {sums:?}");
}

#[test]
fn an_image_goes_up_once_and_then_from_host_to_host() {
    let stage = apart_with("three", &["--hosts", "3"]);
    let inventory = prepare(&stage);
    stage.ocp2(&["up", "--until", "balancer", &inventory]).succeeds();

    goes_up_once(&stage, &inventory);
    goes_on_while_it_goes_up(&stage, &inventory);
    goes_up_to_a_far_host_and_on(&stage);
    a_leg_that_is_cut_is_carried_on(&stage, &inventory);
    what_is_not_what_it_was_is_refused(&stage, &inventory);
    a_way_that_is_closed_is_named(&stage, &inventory);
    a_full_disk_is_named(&stage, &inventory);
    a_boot_image_of_its_real_size_takes_no_more_memory(&stage, &inventory);
}

/// Brings the image up; returns also the most memory that took on the workstation, KiB.
fn up_measured(stage: &Stage, inventory: &str) -> (Run, u64) {
    let measured = format!(
        "python3 -c 'import resource, subprocess, sys; done = subprocess.run(sys.argv[1:]); \
         print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)' \
         {} up --until image {inventory}",
        ocp2()
    );
    let run = stage.at("workstation", &measured).succeeds();
    let memory = run.stdout.trim().parse().unwrap();
    (run, memory)
}

fn goes_up_once(stage: &Stage, inventory: &str) {
    let device = "$(ip -o route get 192.0.2.11 | grep -o 'dev [^ ]*' | cut -d' ' -f2)";
    let before = sent(stage, "workstation", device);
    let (run, memory) = up_measured(stage, inventory);
    assert!(
        run.stderr.contains("bm2: boot image") && run.stderr.contains("bm3: boot image"),
        "{}",
        run.stderr
    );
    assert!(memory < 100 << 10, "{memory} KiB for an image of 300 MiB");
    let up = sent(stage, "workstation", device) - before;
    assert!(up < 330 << 20, "{up} bytes went up");
    arrived(stage, "at first");

    let again = stage.ocp2(&["up", "--until", "image", "-o", "json", inventory]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
    // What is there though nobody remembers it is not sent again either.
    stage.at("bm2", "rm /var/lib/ocp2/ocp/image.json").succeeds();
    let before = sent(stage, "bm1", "ens34f0");
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    assert!(sent(stage, "bm1", "ens34f0") - before < 20 << 20);
    arrived(stage, "with nobody to remember");
}

/// Lets the workstation send no more than 25 MB/s to the hosts, or as much as it can again.
fn uplink(stage: &Stage, what: &str) {
    let device = "$(ip -o route get 192.0.2.11 | grep -o 'dev [^ ]*' | cut -d' ' -f2)";
    stage
        .at(
            "workstation",
            &format!("tc qdisc {what} dev {device} root tbf rate 200mbit burst 1mb latency 100ms"),
        )
        .succeeds();
}

fn goes_on_while_it_goes_up(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm1", "bm2", "bm3"]);
    uplink(stage, "add");
    let run = stage.start(&["up", "--until", "image", inventory]);
    // The last host has much of it, and the first one not yet all.
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 80000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm3", &grown));
    stage.at("bm1", &format!("[ $(stat -c %s {IMAGE}.part) -lt $((300 << 20)) ]")).succeeds();
    stage.at("bm1", &format!("! runuser -u nosudo -- head -c 1 {IMAGE}.part 2>/dev/null")).succeeds();

    // A host in the middle that fails does not hold up the way to the first one.
    stage.at("bm2", "systemctl kill --signal=KILL 'ocp2-ocp.relay-*'").succeeds();
    let cut = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&cut.stderr).into_owned();
    assert!(cut.status.code() == Some(5) && said.contains("bm2"), "{said}");
    stage
        .at("bm1", &format!("[ $(stat -c %s {IMAGE}) = $((300 << 20)) ] && [ ! -e {IMAGE}.part ]"))
        .succeeds();
    let inode = |file: &str| stage.at("bm2", &format!("stat -c %i {file}")).succeeds().stdout;
    let begun = inode(&format!("{IMAGE}.*.part"));
    // What was sent up already is not sent again, and what had gone on is carried on with.
    let before = sent(stage, "bm1", "ens34f0");
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    assert_eq!(inode(IMAGE), begun, "it began anew");
    let rest = sent(stage, "bm1", "ens34f0") - before;
    assert!(rest < 250 << 20, "{rest} bytes went on");
    arrived(stage, "after a host in the middle had failed");

    // Cut on its way up, it goes up once more and whole.
    take_away(stage, &["bm1", "bm2", "bm3"]);
    let mut run = stage.start(&["up", "--until", "image", inventory]);
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 30000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm2", &grown));
    run.kill().unwrap();
    run.wait().unwrap();
    uplink(stage, "del");
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    arrived(stage, "after its way up was cut");
}

fn goes_up_to_a_far_host_and_on(stage: &Stage) {
    let inventory = inventory(stage, "image-far.yaml", &Proxy::replacements(stage, &["11"]));
    take_away(stage, &["bm1", "bm2", "bm3"]);
    let far = Proxy::start(stage, &["--delay", "20"], &["11"]);
    uplink(stage, "add");
    let run = stage.start(&["up", "--until", "image", &inventory]);
    // Over several connections at once, and the last host has the beginning while stripes are still missing.
    eventually(Duration::from_secs(60), || {
        stage.at(
            "bm3",
            &format!("s=$(stat -c %s {IMAGE}.*.part) && [ $s -gt 30000000 ] && [ $s -lt $((300 << 20)) ]"),
        )
    });
    stage.at("bm1", &format!("[ -e {IMAGE}.part.3 ] && [ ! -e {IMAGE} ]")).succeeds();
    let ended = run.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    uplink(stage, "del");
    drop(far);
    arrived(stage, "from afar");
}

/// Takes the image away from these hosts.
fn take_away(stage: &Stage, hosts: &[&str]) {
    for host in hosts {
        stage.at(host, &format!("rm {IMAGE} /var/lib/ocp2/ocp/image.json")).succeeds();
    }
}

fn a_leg_that_is_cut_is_carried_on(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm2", "bm3"]);
    // Slow enough to look on, and at first the one that may have it does not get through.
    let hold = "nft add table inet held; nft add chain inet held in '{ type filter hook input priority 0; }'; \
                nft add rule inet held in ip saddr 192.168.139.2 tcp dport 22625 drop";
    stage.at("bm1", SLOW).succeeds();
    stage.at("bm1", hold).succeeds();
    stage
        .at("bm3", "cd /tmp && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ocp2 -keyout k -out c 2>/dev/null")
        .succeeds();
    let run = stage.start(&["up", "--until", "image", inventory]);
    eventually(Duration::from_secs(60), || stage.at("bm1", "ss -Hltn 'sport = :22625' | grep ."));

    // Neither another host nor another user of the same one gets at it.
    let stranger = "cd /tmp && for with in '' '--cert c --key k'; do \
        curl -sS -k -m 5 $with https://192.168.139.1:22625/data -o stolen && exit 9; done; [ ! -s stolen ]";
    stage.at("bm3", stranger).succeeds().says("alert certificate required").says("alert unknown ca");
    stage.at("bm1", "nft delete table inet held").succeeds();
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 30000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm3", &grown));
    let reached = "timeout 2 bash -c 'exec 3<>/dev/tcp/192.0.2.11/22625'";
    assert_ne!(stage.at("internet", reached).status, 0, "the relay listens on the public address");
    stage.at("bm1", "[ -f /run/ocp2-ocp.relay/key ]").succeeds();
    stage.at("bm1", "! runuser -u nosudo -- ls /run/ocp2-ocp.relay 2>/dev/null").succeeds();
    stage.at("bm2", &format!("! runuser -u nosudo -- head -c 1 {IMAGE}.*.part 2>/dev/null")).succeeds();

    stage.at("bm1", "pkill -KILL -f 's_server -accept 192.168.139.1'").succeeds();
    let cut = run.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&cut.stderr).into_owned();
    stage.at("bm1", "tc qdisc del dev ens34f0 root").succeeds();
    assert_eq!(cut.status.code(), Some(5), "{said}");
    assert!(
        said.contains(&format!("bm2: {IMAGE} does not come from bm1 (192.168.139.1 port 22625)")),
        "{said}"
    );
    let inode = |file: &str| stage.at("bm2", &format!("stat -c %i {file}")).succeeds().stdout;
    let begun = inode(&format!("{IMAGE}.*.part"));
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    assert_eq!(inode(IMAGE), begun, "it began anew");
    arrived(stage, "after the cut");
}

fn what_is_not_what_it_was_is_refused(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm3"]);
    let byte = format!("{IMAGE} bs=1 count=1 conv=notrunc status=none");
    let damage = format!(
        "dd if={IMAGE} of=/root/byte skip=1000 bs=1 count=1 status=none; tr '\\0-\\377' '\\1-\\377\\0' </root/byte | dd seek=1000 of={byte}"
    );
    stage.at("bm1", &damage).succeeds();
    let refused = stage.ocp2(&["up", "--until", "image", inventory]).ends(5);
    refused.says(&format!("bm1: {IMAGE}: its checksum is ")).says("delete it there");
    stage.at("bm3", &format!("! ls {IMAGE}*")).succeeds();
    stage.at("bm1", &format!("dd if=/root/byte seek=1000 of={byte}; rm /root/byte")).succeeds();
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    arrived(stage, "as it was again");

    // A wrong beginning is found where the file ends, and named where it is.
    let tag = stage
        .at("bm1", "sed 's/.*\"inputs\":\"//' /var/lib/ocp2/ocp/image.json | cut -c1-12")
        .succeeds()
        .stdout;
    let beginning = |host: &str, of: &str| {
        stage.at(host, &format!("head -c 50M {of} >{IMAGE}.{}.part", tag.trim())).succeeds();
    };
    // What one host has read from a wrong one is wrong too; what each has of its own is its own.
    for (wrong, right) in [("bm2", None), ("bm3", Some("bm2"))] {
        if let Some(right) = right {
            beginning(right, IMAGE);
        }
        beginning(wrong, "/dev/urandom");
        take_away(stage, &["bm2", "bm3"]);
        let refused = stage.ocp2(&["up", "--until", "image", inventory]).ends(5);
        refused.says(&format!("{wrong}: {IMAGE} arrived as {} bytes with SHA-256 ", 300 << 20));
        for host in ["bm2", "bm3"] {
            let there = stage.at(host, &format!("ls {IMAGE}* 2>/dev/null")).stdout;
            assert_eq!(!there.is_empty(), right == Some(host), "{host}: {there}");
        }
        stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
        arrived(stage, "after a wrong beginning");
    }
}

fn a_way_that_is_closed_is_named(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm3"]);
    let close = "nft add table inet closed; nft add chain inet closed in '{ type filter hook input priority 0; }'; \
                 nft add rule inet closed in tcp dport 22625 reject with tcp reset";
    stage.at("bm1", close).succeeds();
    let refused = stage.ocp2(&["up", "--until", "image", inventory]);
    stage.at("bm1", "nft delete table inet closed").succeeds();
    refused
        .ends(5)
        .says(&format!("bm3: {IMAGE} does not come from bm1 (192.168.139.1 port 22625) over the overlay: "))
        .says("a firewall of bm1's must let TCP 22625 in");
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    arrived(stage, "once the way was open");
}

/// Lets the hosts' disk become full while the image arrives on bm3; returns how the run ended.
fn full_on_the_way(stage: &Stage, inventory: &str) -> (Option<i32>, String) {
    let folder = "/var/lib/libvirt/images/ocp";
    stage.at("bm3", &format!("mount -t tmpfs -o size=3g none {folder}")).succeeds();
    stage.at("bm1", SLOW).succeeds();
    let run = stage.start(&["up", "--until", "image", inventory]);
    let grown = format!("[ $(stat -c %s {IMAGE}.*.part) -gt 5000000 ]");
    eventually(Duration::from_secs(60), || stage.at("bm3", &grown));
    stage.at("bm3", &format!("mount -o remount,size=80m {folder}")).succeeds();
    stage.at("bm1", "tc qdisc del dev ens34f0 root").succeeds();
    let ended = run.wait_with_output().unwrap();
    stage.at("bm3", &format!("umount {folder}")).succeeds();
    (ended.status.code(), String::from_utf8_lossy(&ended.stderr).into_owned())
}

fn a_full_disk_is_named(stage: &Stage, inventory: &str) {
    take_away(stage, &["bm3"]);
    let sparse = full_on_the_way(stage, inventory);
    stage
        .at("bm1", &format!("cp --sparse=never {IMAGE} {IMAGE}.dense && mv {IMAGE}.dense {IMAGE}"))
        .succeeds();
    let dense = full_on_the_way(stage, inventory);
    for (status, said) in [sparse, dense] {
        let named = said.contains(&format!("writing {IMAGE}")) && said.contains("No space left on device");
        assert!(status == Some(5) && named, "{status:?}: {said}");
    }
    stage.at("bm1", &format!("fallocate --dig-holes {IMAGE}")).succeeds();
    stage.ocp2(&["up", "--until", "image", inventory]).succeeds();
    arrived(stage, "once there was room");
}

fn a_boot_image_of_its_real_size_takes_no_more_memory(stage: &Stage, inventory: &str) {
    let image = stage.folder.join("large.iso");
    let noise = fs::read(&image).unwrap();
    let mut file = fs::File::create(&image).unwrap();
    for _ in 0..12 {
        file.write_all(&noise[..100 << 20]).unwrap();
    }
    drop((file, noise));
    let (_, memory) = up_measured(stage, inventory);
    assert!(memory < 100 << 10, "{memory} KiB for an image of 1.2 GB");
    for host in ["bm1", "bm2", "bm3"] {
        let size = stage.at(host, &format!("stat -c %s {IMAGE}")).succeeds().stdout;
        assert_eq!(size.trim(), (1200_u64 << 20).to_string(), "{host}");
    }
    fs::remove_file(&image).unwrap();
}

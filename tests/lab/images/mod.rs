//! A large image on its way: up once, then from host to host, and what may happen to it there.

use std::{fs, io::Write as _};

mod faults;
mod rising;

use crate::stage::{Run, Stage, apart_with, ocp2};

/// Where the image is on every host.
const IMAGE: &str = "/var/lib/libvirt/images/ocp/ocp-agent.iso";

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
    rising::goes_on_while_it_goes_up(&stage, &inventory);
    rising::goes_up_to_a_far_host_and_on(&stage);
    faults::a_leg_that_is_cut_is_carried_on(&stage, &inventory);
    faults::what_is_not_what_it_was_is_refused(&stage, &inventory);
    faults::a_way_that_is_closed_is_named(&stage, &inventory);
    faults::a_full_disk_is_named(&stage, &inventory);
    rising::of_one_that_is_cut_down_leaves_nothing(&stage);
    a_boot_image_of_its_real_size_takes_no_more_memory(&stage, &inventory);
}

/// Takes the image away from these hosts.
fn take_away(stage: &Stage, hosts: &[&str]) {
    for host in hosts {
        stage.at(host, &format!("rm {IMAGE} /var/lib/ocp2/ocp/image.json")).succeeds();
    }
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

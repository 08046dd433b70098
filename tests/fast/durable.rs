//! What comes onto a host is on its disk before it has its name, and its name is there for good: looked at
//! with strace, for a power cut cannot be played.

use std::{collections::BTreeSet, fs};

use ocp2::resource::{Action, Facts, Resource, Volume};

use crate::{
    inventories,
    programs::{Machine, run},
    wanted::Wanted,
};

/// What is traced: who forces what to the disk, and who renames what.
const CALLS: &str = "trace=fsync,fdatasync,rename,renameat,renameat2";

/// Demands of a trace that each file was forced to the disk before it got its name, and the folder after.
///
/// Returns the names given.
#[track_caller]
fn names_given_for_good(trace: &str) -> BTreeSet<String> {
    let calls: Vec<&str> = trace.lines().filter(|line| line.ends_with(" = 0")).collect();
    // `sync` opens what it forces: `fsync(3</etc/a>) = 0`.
    let forced = |calls: &[&str], path: &str| {
        calls.iter().any(|call| call.contains("sync(") && call.contains(&format!("<{path}>)")))
    };
    let mut names = BTreeSet::new();
    for (at, call) in calls.iter().enumerate().filter(|(_, call)| call.contains("rename")) {
        let paths: Vec<&str> = call.split('"').skip(1).step_by(2).collect();
        let (from, to) = (paths[0], paths[1]);
        assert!(forced(&calls[..at], from), "{from} was not on the disk when it became {to}:\n{trace}");
        let folder = to.rsplit_once('/').unwrap().0;
        assert!(forced(&calls[at..], folder), "{folder} was not forced after {to} came:\n{trace}");
        names.insert(to.to_owned());
    }
    names
}

/// Runs source under strace, as a step of this name.
fn traced(machine: Machine, name: &str, source: &str) -> Machine {
    let path = format!("/run/{name}.sh");
    machine
        .line(&format!("cat > {path} <<'END_OF_STEP'\nset -eu -o pipefail\nsystemctl() {{ :; }}\n{source}\nEND_OF_STEP"))
        .step(name, &format!("strace -f -qq -y -e {CALLS} -e signal=none -o /run/trace bash {path} >/dev/null 2>&1; cat /run/trace"))
}

#[test]
fn files_and_records_are_on_the_disk_before_they_have_their_names() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    // Tables and entries of firewalls keep how the kernel reads them: a torn one is loaded anew.
    let chosen = |resource: &Resource| matches!(resource, Resource::File(_) | Resource::Setting(_));
    // Links come first: settings are theirs.
    let links = wanted.source(|resource| matches!(resource, Resource::Bridge(_) | Resource::Vxlan(_)));
    let machine = wanted.machine().step("links", &links);
    let done = traced(machine, "files", &wanted.source(chosen)).run();
    assert_eq!(done.outcome("links").quiet("links"), "");
    let names = names_given_for_good(done.outcome("files").quiet("files"));
    for file in wanted.files() {
        assert!(names.contains(file), "{file} is not among {names:#?}");
    }
    assert!(names.contains("/var/lib/ocp2/ocp/before/settings/net.ipv4.ip_forward"), "{names:#?}");
}

#[test]
fn a_disk_copied_from_an_image_is_whole_before_it_has_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    assert_eq!(
        run("qemu-img", &["create", "-q", "-f", "qcow2", &path("image"), "1M"], "").quiet("qemu-img"),
        ""
    );
    let volume = Volume {
        pool: "ocp2-ocp".into(),
        name: "ocp-master0.img".into(),
        path: path("ocp-master0.img"),
        capacity: 2 << 20,
        from: Some(path("image")),
        xml: String::new(),
        domain: "ocp-master0".into(),
        late: false,
    };
    let seen = ocp2::resource::hypervisor::Seen::default();
    let changes = volume.changes(&Facts { hypervisor: Some(seen), ..Facts::default() });
    let Action::Shell(script) = &changes[0].action else { panic!("{changes:#?}") };
    let done = traced(Machine::new(), "disk", script.source()).run();
    let names = names_given_for_good(done.outcome("disk").quiet("disk"));
    assert_eq!(names.into_iter().collect::<Vec<_>>(), [path("ocp-master0.img")]);
}

#[test]
fn a_stop_of_a_relay_forces_its_file_to_the_disk_before_it_names_it() {
    let stop = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/src/host/relay/stop.sh")).unwrap();
    let keep = stop.split_once("\nkeep() {").unwrap().1.split_once("\n}\n").unwrap().0;
    let source = format!(
        "exec 7>&2\nfail() {{ echo \"failed $1\" >&2; }}\nkeep() {{{keep}\n}}\nmkdir /run/pool\necho image > /run/pool/a.part\n\
         mode=0600 part=/run/pool/a.part file=/run/pool/a.iso\nkeep"
    );
    let done = traced(Machine::new(), "keep", &source).run();
    let names = names_given_for_good(done.outcome("keep").quiet("keep"));
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["/run/pool/a.iso"]);
}

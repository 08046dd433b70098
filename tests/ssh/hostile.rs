//! A host that means harm, driven against every command that connects: a stand-in behind a real sshd
//! (see hostile.py) that answers wrongly in every way we know.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::sshd::{Sshd, user};

/// Nothing may take longer: a host is given 3 s for each answer.
const HANGS: Duration = Duration::from_secs(90);

/// Most memory that a command may take, KiB.
const MOST_KIB: u64 = 100 << 10;

/// How a command ended.
#[derive(Debug)]
struct Ended {
    status: i32,
    said: Vec<u8>,
    peak_kib: u64,
}

/// A hostile host and a user's folder.
struct Stage {
    sshd: Sshd,
    folder: tempfile::TempDir,
}

impl Stage {
    fn new(kind: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("ocp2-hostile-").tempdir().unwrap();
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ssh/hostile.py");
        let canary = folder.path().join("executed");
        let sshd = Sshd::with(&format!(
            "HostKey @DIR@/host_ed25519\nForceCommand OCP2_CANARY={} python3 {} {kind}",
            canary.display(),
            program.display()
        ));
        let home = folder.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(home.join("pull-secret.json"), r#"{"auths":{"quay.io":{"auth":"dXNlcjpodW50ZXIy"}}}"#)
            .unwrap();
        fs::copy(sshd.path("id.pub"), home.join("id.pub")).unwrap();
        fs::write(home.join("known_hosts"), sshd.host_key(&sshd.name()) + "\n").unwrap();
        let inventory = format!(
            "apiVersion: ocp2/v1\ncluster:\n  name: ocp\n  baseDomain: example.com\n  version: 4.18.30\n  \
             pullSecretFile: pull-secret.json\n  sshKeyFile: id.pub\nhosts:\n  - name: bm1\n    nic: ens34f0\n    \
             ssh: {{address: 127.0.0.1, port: {}, user: {}, identityFile: {}, knownHostsFile: known_hosts}}\n\
             machines: {{virtType: qemu}}\n",
            sshd.port,
            user(),
            sshd.path("id").display()
        );
        fs::write(home.join("inventory.yaml"), inventory).unwrap();
        Self { sshd, folder }
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ocp2"));
        command.args(["--timeout", "3s"]).args(arguments).current_dir(self.home());
        command.env("HOME", self.home()).env_remove("SSH_AUTH_SOCK").stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    fn ocp2(&self, arguments: &[&str]) -> Ended {
        let said = self.folder.path().join("said");
        let file = fs::File::create(&said).unwrap();
        let mut child =
            self.command(arguments).stdout(file.try_clone().unwrap()).stderr(file).spawn().unwrap();
        let (begin, mut peak_kib) = (Instant::now(), 0);
        let status = loop {
            peak_kib = peak_kib.max(peak(child.id()));
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begin.elapsed() > HANGS {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{arguments:?} hangs: {}", String::from_utf8_lossy(&fs::read(&said).unwrap()));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        // What a signal ended has no status: that is a crash.
        Ended { status: status.code().unwrap_or(-1), said: fs::read(said).unwrap(), peak_kib }
    }

    /// Returns all files below the user's folder, and beside it.
    fn files(&self) -> BTreeSet<PathBuf> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    found.insert(path);
                }
            }
        }
        found.remove(&self.folder.path().join("said"));
        found
    }
}

/// Returns the most memory that a process has had so far, KiB.
fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Every command that connects.
const COMMANDS: &[&[&str]] = &[
    &["plan"],
    &["up", "--yes", "--until", "overlay"],
    &["down", "--yes"],
    &["vms", "list"],
    &["vms", "list", "-o", "json"],
    &["vms", "restart", "master0"],
    &["kubeconfig"],
    &["gather", "--dir", "gathered"],
];

/// Drives a kind of host against every command; `expected` are the statuses it may end with.
fn drive(kind: &str, expected: &[i32]) {
    drive_at(kind, COMMANDS, expected);
}

/// Drives a kind of host against some commands.
fn drive_at(kind: &str, commands: &[&[&str]], expected: &[i32]) {
    let stage = Stage::new(kind);
    let before = stage.files();
    for arguments in commands {
        let ended = stage.ocp2(arguments);
        let said = String::from_utf8_lossy(&ended.said);
        assert!(expected.contains(&ended.status), "{kind}: {arguments:?}: {}: {said}", ended.status);
        assert!(!said.contains("panicked"), "{kind}: {arguments:?}: {said}");
        let acts = |c: char| (c.is_control() && c != '\n' && c != '\t') || c == '\u{202e}';
        assert!(!said.contains(acts), "{kind}: {arguments:?}: {said:?}");
        assert!(ended.peak_kib < MOST_KIB, "{kind}: {arguments:?} took {} KiB", ended.peak_kib);
        assert!(ended.said.len() < 1 << 20, "{kind}: {arguments:?} said {} bytes", ended.said.len());
    }
    // Nothing was executed, and files are only where the user said.
    let gathered = stage.home().join("gathered");
    let new: Vec<_> =
        stage.files().difference(&before).filter(|path| !path.starts_with(&gathered)).cloned().collect();
    assert!(new.is_empty(), "{kind}: {new:?}");
    assert!(!Path::new("/tmp/ocp2-evil").exists(), "{kind}");
}

#[test]
fn one_that_never_stops_talking() {
    drive("endless", &[5]);
}

#[test]
fn one_that_says_nothing() {
    drive("silent", &[4]);
}

#[test]
fn one_that_stops_in_the_middle() {
    drive("cut", &[5]);
    drive("drop", &[4]);
}

#[test]
fn one_that_goes_on_after_the_end() {
    drive("after-the-end", &[5]);
}

#[test]
fn one_whose_answers_nest_without_end() {
    // What cannot be read is unknown, which `gather` does without.
    drive("nested", &[0, 1, 3]);
    drive("wide", &[0, 1, 3]);
}

#[test]
fn one_that_speaks_to_the_terminal() {
    drive("escapes", &[0, 1, 2, 3, 5]);
}

#[test]
fn one_whose_names_lead_elsewhere() {
    drive("names", &[0, 1, 2, 3, 5, 6]);
}

#[test]
fn one_that_says_yes_to_everything_and_does_nothing() {
    drive("liar", &[0, 1, 2, 5, 6]);
}

#[test]
fn one_whose_libvirt_lies() {
    // Both change domains: the library is on the workstation, and reads what the host's libvirt says.
    let commands: &[&[&str]] = &[&["down", "--yes"], &["vms", "stop", "worker0"]];
    drive_at("libvirt-silent", commands, &[4]);
    for kind in ["libvirt-noise", "libvirt-endless", "libvirt-lengths", "libvirt-empty"] {
        drive_at(kind, commands, &[5]);
    }
    // It says that all is done. `down` looks again and finds that nothing is; `stop` only asks the system inside.
    drive_at("libvirt-zeros", &commands[..1], &[6]);
    drive_at("libvirt-zeros", &commands[1..], &[0]);
}

#[test]
fn what_it_tries_is_named() {
    let stage = Stage::new("names");
    let said = |arguments: &[&str], status: i32| {
        let ended = stage.ocp2(arguments);
        let said = String::from_utf8_lossy(&ended.said).into_owned();
        assert_eq!(ended.status, status, "{arguments:?}: {said}");
        said
    };
    assert!(said(&["kubeconfig"], 5).contains("its user has `exec`"));
    said(&["gather", "--dir", "gathered"], 0);
    let errors = fs::read_to_string(stage.home().join("gathered/bm1/errors.txt")).unwrap();
    for name in ["../../evil", "..", "/tmp/ocp2-evil", "a/../../../evil"] {
        assert!(
            errors.contains(&format!("a file came as {name:?} and is kept as file-")),
            "{name}: {errors}"
        );
    }
    assert!(errors.contains("a file came as \"fine.txt.new\""), "{errors}");
    // Six names that cannot be and one that must not be: each has a file, and none another's.
    let kept = fs::read_dir(stage.home().join("gathered/bm1")).unwrap();
    let kept =
        kept.filter(|file| file.as_ref().unwrap().file_name().display().to_string().starts_with("file-"));
    assert!(kept.count() >= 7, "{errors}");
    let fine = fs::read(stage.home().join("gathered/bm1/fine.txt")).unwrap();
    assert!(!fine.is_empty(), "a wrong size keeps what there is");
}

#[test]
fn ctrl_c_is_heeded_while_a_host_is_silent() {
    let stage = Stage::new("silent");
    let mut child = stage.command(&["plan"]).stderr(Stdio::null()).spawn().unwrap();
    // Until the host has been asked.
    let begin = Instant::now();
    while !stage.sshd.log().contains("Starting session") {
        assert!(begin.elapsed() < HANGS);
        std::thread::sleep(Duration::from_millis(20));
    }
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        // Far less than the host has, and time enough for a busy machine.
        assert!(begin.elapsed() < Duration::from_secs(20), "Ctrl-C was not heeded");
        std::thread::sleep(Duration::from_millis(10));
    };
    assert_eq!(status.code(), Some(130));
}

//! The stage: a lab of two hosts, shared by all tests of a run.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::{Duration, Instant},
};

/// Returns the binary under test: the one just built, or an installed one that `OCP2_UNDER_TEST` names.
pub fn ocp2() -> String {
    std::env::var("OCP2_UNDER_TEST").unwrap_or_else(|_| env!("CARGO_BIN_EXE_ocp2").into())
}

/// Returns the folder of the lab's files; another lab than the usual one can be named, to test beside it.
pub fn lab() -> String {
    format!("/var/lib/{}", name().unwrap_or_else(|| "ocp2-lab".into()))
}

fn name() -> Option<String> {
    std::env::var("OCP2_LAB_NAME").ok()
}

/// One test at a time: there is one lab.
static TURN: Mutex<()> = Mutex::new(());
static READY: OnceLock<()> = OnceLock::new();

/// How long other labs are waited for: one `ocp2 lab` at a time is at work on a machine, and it may
/// have hosts to build.
const PATIENCE: Duration = Duration::from_secs(600);

/// A turn on the stage.
pub struct Stage {
    _turn: MutexGuard<'static, ()>,
    /// Folder for inventories and credentials of this test.
    pub folder: PathBuf,
    /// Name of a lab of its own, which ends with the turn; `None`: the one that all share.
    apart: Option<String>,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// Takes a turn; the first one makes a fresh lab.
pub fn stage() -> Stage {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    READY.get_or_init(|| {
        lab_command(&["down"]);
        lab_command(&["up"]);
    });
    // Labs side by side share the build's folder.
    let name = lab().replace("/var/lib/", "stage-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).unwrap();
    Stage { _turn: turn, folder, apart: None }
}

/// Takes a turn with a fresh lab of its own, for a test that changes what the hosts are.
pub fn apart(suffix: &str) -> Stage {
    apart_with(suffix, &[])
}

/// As [`apart`], with options of `lab up`: more hosts, or other network cards.
pub fn apart_with(suffix: &str, options: &[&str]) -> Stage {
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("stage-{suffix}"));
    std::fs::create_dir_all(&folder).unwrap();
    let apart = Some(format!("{}{suffix}", name().unwrap_or_else(|| "ocp2lab".into())));
    let stage = Stage { _turn: turn, folder, apart };
    eventually(PATIENCE, || run(stage.command().args(["lab", "down"]), ""));
    eventually(PATIENCE, || run(stage.command().args(["lab", "up"]).args(options), ""));
    stage
}

impl Drop for Stage {
    fn drop(&mut self) {
        if self.apart.is_some() {
            // A failed test is what is to be told, not what came after it. One `ocp2 lab` at a time
            // is at work on a machine, and this lab is not the only one.
            for _ in 0..300 {
                if self.command().args(["lab", "down"]).output().is_ok_and(|done| done.status.success()) {
                    break;
                }
                std::thread::sleep(Duration::from_millis(500));
            }
        }
    }
}

/// Runs `ocp2 lab`; a lab beside this one may be at work with the same machine for a moment.
fn lab_command(arguments: &[&str]) {
    let begin = Instant::now();
    loop {
        let done = run(Command::new(ocp2()).arg("lab").args(arguments), "");
        if !done.stderr.contains("command is at work") || begin.elapsed() > PATIENCE {
            done.succeeds();
            return;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

impl Stage {
    /// Shuts a host down unless it is off already, and switches it on.
    pub fn reboot(&self, host: &str) {
        eventually(PATIENCE, || run(self.command().args(["lab", "reboot", host]), ""));
    }

    /// Switches a host off without a warning, and on again.
    pub fn power_cycle(&self, host: &str) {
        eventually(PATIENCE, || run(self.command().args(["lab", "reboot", host, "--pull-plug"]), ""));
    }

    /// Returns ocp2 as it is called about this lab.
    fn command(&self) -> Command {
        let mut command = Command::new(ocp2());
        command.envs(self.apart.iter().map(|name| ("OCP2_LAB_NAME", name)));
        command
    }

    /// Returns the folder of the lab's files.
    pub fn lab(&self) -> String {
        self.apart.as_ref().map_or_else(lab, |name| format!("/var/lib/{name}"))
    }

    /// Writes an inventory: the shipped one for the lab with some of its text replaced.
    pub fn inventory(&self, name: &str, replace: &[(&str, &str)]) -> String {
        let mut text =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/inventories/lab.yaml")).unwrap();
        text = text.replace("/var/lib/ocp2-lab", &self.lab());
        for (from, to) in replace {
            assert!(text.contains(from), "inventories/lab.yaml has no {from:?} any more");
            text = text.replace(from, to);
        }
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }

    /// Writes an inventory of a cluster beside the shipped one, with links and addresses of its own.
    ///
    /// What it has is told by its name and, in `number`, by the last of its device's name: 5 is for
    /// `vxlan5` and 192.168.203.0/24.
    pub fn beside(&self, name: &str, number: u8, replace: &[(&str, &str)]) -> String {
        let (called, network) = (format!("name: {name}\n"), 198 + number);
        let own = format!(
            "\nnetwork: {{machineNetwork: 192.168.{network}.0/24, bridge: br-{name}, \
             vxlan: {{device: vxlan{number}, vni: {}}}}}\nnodes:",
            75 + number
        );
        let mut all = vec![
            ("name: ocp\n", called.as_str()),
            ("\nnodes:", own.as_str()),
            ("    nic: ens34f0\n", "    nic: ens34f0\n    public: none\n"),
        ];
        all.extend_from_slice(replace);
        self.inventory(&format!("{name}.yaml"), &all)
    }

    /// Asks the mirror for faults, one a line (see its own description); none: it plays none.
    pub fn mirror_plays(&self, faults: &str) {
        std::fs::write(Path::new(&self.lab()).join("internet/faults"), faults).unwrap();
    }

    /// Returns what the internet's `whom` (`mirror` or `proxy`) was asked since `mark`, a length.
    pub fn asked_of(&self, whom: &str, mark: usize) -> String {
        let log = std::fs::read_to_string(Path::new(&self.lab()).join(format!("internet/{whom}.log")));
        log.unwrap()[mark..].to_owned()
    }

    /// Returns the stand-in release's file of this name, as it lies on the mirror.
    pub fn on_mirror(&self, path: &str) -> PathBuf {
        let record = std::fs::read_to_string(Path::new(&self.lab()).join("lab.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&record).unwrap();
        Path::new(record["release"].as_str().unwrap()).join("pub/openshift-v4/x86_64").join(path)
    }

    /// Writes a pull secret that has a login for the mirror's registry, too.
    pub fn login_for_the_registry(&self) -> String {
        let secret = self.folder.join("registry-secret.json");
        std::fs::write(&secret, r#"{"auths":{"mirror.lab.test":{"auth":"bGFiOnJlZ2lzdHJ5cGFzcw=="}}}"#)
            .unwrap();
        secret.display().to_string()
    }

    /// Brings the shipped lab cluster up to its end, and returns its inventory.
    pub fn cluster(&self) -> String {
        let inventory = self.inventory("lab.yaml", &[]);
        self.ocp2(&["up", &inventory]).succeeds();
        inventory
    }

    /// Returns what runs a program on the workstation.
    pub fn on_workstation(&self) -> Command {
        let mut command = self.command();
        command.args(["lab", "exec", "workstation", "--"]);
        command
    }

    /// Runs ocp2 on the workstation.
    pub fn ocp2(&self, arguments: &[&str]) -> Run {
        run(self.on_workstation().arg(ocp2()).args(arguments), "")
    }

    /// Starts ocp2 on the workstation and leaves it running.
    pub fn start(&self, arguments: &[&str]) -> std::process::Child {
        self.on_workstation()
            .arg(ocp2())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs shell source at a place of the lab.
    pub fn at(&self, place: &str, source: &str) -> Run {
        run(self.command().args(["lab", "exec", place, "--", "bash", "-c", source]), "")
    }

    /// Runs shell source in a VM, through the stand-in's test hook and the VM's own host.
    pub fn inside(&self, host: &str, address: &str, source: &str) -> Run {
        let call = format!("curl -sS -m 60 -D /dev/stderr --data-binary @- http://{address}:9999/");
        let done = run(self.command().args(["lab", "exec", host, "--", "sh", "-c", &call]), source);
        let header = done
            .stderr
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("x-exit-status:").map(str::to_owned));
        let status = header.map_or(-1, |value| value.trim().parse().unwrap());
        Run { status, ..done }
    }
}

/// Tries until a command succeeds or the patience ends.
pub fn eventually(patience: Duration, mut attempt: impl FnMut() -> Run) -> Run {
    let begin = Instant::now();
    loop {
        let done = attempt();
        if done.status == 0 || begin.elapsed() > patience {
            return done.succeeds();
        }
        std::thread::sleep(Duration::from_millis(500));
    }
}

impl Run {
    /// Demands status 0.
    #[track_caller]
    pub fn succeeds(self) -> Self {
        self.ends(0)
    }

    /// Demands this status.
    #[track_caller]
    pub fn ends(self, status: i32) -> Self {
        assert_eq!(self.status, status, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Demands that stderr says this.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr does not say {text:?}:\n{}", self.stderr);
        self
    }

    /// Demands that stdout shows this.
    #[track_caller]
    pub fn shows(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "stdout does not show {text:?}:\n{}", self.stdout);
        self
    }

    /// Reads stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{}", self.stdout))
    }
}

/// Runs a command with some input.
pub fn run(command: &mut Command, input: &str) -> Run {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that does not read its input is no failure of the test's.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    Run {
        status: done.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}

//! Other people's programs, and a machine of one's own to run them on.

use std::{fmt::Write as _, fs, io::Write as _, os::unix::fs::MetadataExt, process::Stdio};

use tempfile::TempDir;

/// What a program said and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    /// Fails unless the program was content; warnings on stderr are not contentment.
    pub fn quiet(&self, what: &str) -> &str {
        assert!(self.status == 0 && self.stderr.is_empty(), "{what}: {self:#?}");
        &self.stdout
    }
}

/// Runs a program on this machine.
///
/// # Panics
/// Where it is missing: a test that cannot be made has not passed.
pub fn run(program: &str, arguments: &[&str], stdin: &str) -> Outcome {
    let mut child = std::process::Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not run here: {error}"));
    let mut pipe = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // A program that needs no input may be gone already.
            let _ = pipe.write_all(stdin.as_bytes());
        });
        child.wait_with_output().unwrap()
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Outcome {
        status: output.status.code().unwrap_or(-1),
        stdout: text(&output.stdout),
        stderr: text(&output.stderr),
    }
}

/// What every machine begins with: links, /etc, /var/lib and /run of its own, gone when it ends.
///
/// There is no systemd on it: `systemctl` is content with everything, and says that a unit runs
/// where /run/active names it.
const BOOT: &str = r#"set -eu -o pipefail
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
umask 022
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /mnt
for dir in /etc /var/lib; do
    mkdir -p /mnt/upper$dir /mnt/work$dir
    mount -t overlay -o lowerdir=$dir,upperdir=/mnt/upper$dir,workdir=/mnt/work$dir overlay $dir
done
mount -t tmpfs tmpfs /run
ip link set lo up
systemctl() { [ "$1" != is-active ] || grep -qxs "${!#}" /run/active; }
step() {
    local name=$1 status; shift
    # Not behind `||`, where `set -e` inside would do nothing.
    set +e
    "$@" >"$out/$name.out" 2>"$out/$name.err"
    status=$?
    set -e
    echo "$status" >"$out/$name.status"
}
"#;

/// A machine in namespaces of its own, made for one script.
///
/// ```ignore
/// let machine = Machine::new().step("links", "ip -br link").run();
/// assert!(machine.outcome("links").quiet("ip").contains("lo"));
/// ```
pub struct Machine {
    script: String,
    out: TempDir,
}

impl Machine {
    pub fn new() -> Self {
        let out = tempfile::tempdir().unwrap();
        let script = format!("{BOOT}out={}\n", out.path().display());
        Self { script, out }
    }

    /// Gives it a NIC.
    pub fn nic(self, name: &str, mtu: u16, address: std::net::IpAddr) -> Self {
        let (prefix, flags) = if address.is_ipv4() { (24, "") } else { (64, "nodad") };
        self.line(&format!(
            "ip link add name {name} mtu {mtu} type veth peer name other\n\
             ip address add {address}/{prefix} dev {name} {flags}\nip link set {name} up; ip link set other up"
        ))
    }

    /// Adds a line that has to succeed.
    pub fn line(mut self, source: &str) -> Self {
        writeln!(self.script, "{source}").unwrap();
        self
    }

    /// Adds a step whose outcome is kept under `name`; it runs in a shell of its own.
    pub fn step(self, name: &str, source: &str) -> Self {
        let body = format!("step_body() {{ ( set -eu -o pipefail\n{source}\n) }}\nstep {name} step_body");
        self.line(&body)
    }

    /// Runs all of it.
    pub fn run(self) -> Finished {
        let unshare = ["unshare", "--net", "--mount", "--propagation", "private", "bash"];
        let root = fs::metadata("/proc/self").unwrap().uid() == 0;
        let words = if root { unshare.to_vec() } else { [&["sudo", "-n"], &unshare[..]].concat() };
        let done = run(words[0], &words[1..], &self.script);
        assert!(done.status == 0 && done.stderr.is_empty(), "{}\n{done:#?}", self.script);
        Finished { out: self.out }
    }
}

/// A machine whose script has run.
pub struct Finished {
    out: TempDir,
}

impl Finished {
    /// Returns how a step went.
    pub fn outcome(&self, name: &str) -> Outcome {
        let read = |kind: &str| {
            fs::read(self.out.path().join(format!("{name}.{kind}")))
                .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let status = read("status").unwrap_or_else(|_| panic!("step {name} was not reached"));
        Outcome {
            status: status.trim().parse().unwrap(),
            stdout: read("out").unwrap(),
            stderr: read("err").unwrap(),
        }
    }
}

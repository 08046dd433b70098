//! A real OpenSSH server in a folder of its own, on a loopback port.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use ocp2::host::{Ask, Target, UnknownKey};
use ocp2::secret::Secret;
use tempfile::TempDir;

/// A running sshd; it ends with the value.
pub struct Sshd {
    pub folder: TempDir,
    pub port: u16,
    child: Child,
}

impl Sshd {
    /// Starts a server with an ed25519 host key that lets `id` in.
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts a server with more lines in its configuration.
    pub fn with(lines: &str) -> Self {
        Self::run_by(&[], lines)
    }

    /// Starts a server of which `trace`, in its folder, tells what its programs force to the disk and rename.
    pub fn traced() -> Self {
        let calls = "trace=fsync,fdatasync,rename,renameat,renameat2";
        // The server stays our child, and strace ends with it.
        Self::run_by(
            &["strace", "-D", "-f", "-qq", "-y", "-e", calls, "-e", "signal=none", "-o", "@DIR@/trace"],
            "",
        )
    }

    fn run_by(program: &[&str], lines: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("ocp2-sshd-").tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for kind in ["ed25519", "rsa", "ecdsa"] {
            if kind == "ed25519" || lines.contains(&format!("host_{kind}")) {
                keygen(&path(&format!("host_{kind}")), &["-t", kind]);
            }
        }
        keygen(&path("id"), &["-t", "ed25519"]);
        fs::copy(path("id.pub"), path("authorized_keys")).unwrap();
        // sshd wants its empty folder for privilege separation; a package's own start makes it.
        let _ = fs::create_dir_all("/run/sshd");
        let port = free_port();
        let here = folder.path().display();
        let host_keys =
            if lines.contains("HostKey ") { String::new() } else { format!("HostKey {here}/host_ed25519") };
        // With SHLVL bash takes itself for an inner shell and leaves the user's ~/.bashrc alone.
        let shell = if lines.contains("SetEnv ") { "" } else { "SetEnv SHLVL=2" };
        fs::write(
            path("sshd_config"),
            format!(
                "{lines}\nListenAddress 127.0.0.1\nPort {port}\n{host_keys}\nPidFile {here}/pid\n\
                 AuthorizedKeysFile {here}/authorized_keys\nStrictModes no\nUsePAM no\n\
                 PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 LogLevel DEBUG1\n{shell}\n"
            )
            .replace("@DIR@", &here.to_string()),
        )
        .unwrap();
        let here = here.to_string();
        let mut words: Vec<String> = program.iter().map(|word| word.replace("@DIR@", &here)).collect();
        words.push("/usr/sbin/sshd".to_owned());
        let child = Command::new(&words[0])
            .args(&words[1..])
            .arg("-D")
            .arg("-f")
            .arg(path("sshd_config"))
            .arg("-E")
            .arg(path("log"))
            .stdin(Stdio::null())
            .spawn()
            .expect("openssh-server and strace are needed for this test");
        let this = Self { folder, port, child };
        this.wait();
        this
    }

    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "sshd does not answer: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes the server read its configuration and keys again.
    pub fn reload(&self) {
        // It starts itself anew, in the same process.
        let before = self.log().matches("Server listening on").count();
        assert!(
            Command::new("kill").arg("-HUP").arg(self.child.id().to_string()).status().unwrap().success()
        );
        while self.log().matches("Server listening on").count() == before {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Returns a path in the server's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns what sshd logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Returns the key a host shows, as a `known_hosts` line for `name`.
    pub fn host_key(&self, name: &str) -> String {
        format!("{name} {}", public(&self.path("host_ed25519.pub")))
    }

    /// Returns the name the server's key is recorded under.
    pub fn name(&self) -> String {
        format!("[127.0.0.1]:{}", self.port)
    }

    /// Writes the client's configuration.
    pub fn configure(&self, lines: &str) -> PathBuf {
        let here = self.folder.path().display();
        let path = self.path("ssh_config");
        fs::write(
            &path,
            format!(
                "Host *\n{lines}\nIdentityAgent none\nUserKnownHostsFile {here}/known_hosts\n\
                 GlobalKnownHostsFile none\nIdentityFile {here}/id\nUser {}\nHashKnownHosts no\n",
                user()
            )
            .replace("@DIR@", &here.to_string()),
        )
        .unwrap();
        path
    }

    /// Returns a target with the server's key known and the right key to log in with.
    pub fn target(&self) -> Target {
        fs::write(self.path("known_hosts"), self.host_key(&self.name()) + "\n").unwrap();
        self.stranger("")
    }

    /// Returns a target for a client configured with `lines`, to whom the server may be unknown.
    pub fn stranger(&self, lines: &str) -> Target {
        let mut target = Target::new("bm1", "127.0.0.1");
        target.port = Some(self.port);
        target.config_file = Some(self.configure(lines));
        target
    }

    /// Returns the processes that serve logged-in users.
    pub fn sessions(&self) -> Vec<u32> {
        let children = children(self.child.id());
        children.iter().flat_map(|&child| [vec![child], children_of_all(child)].concat()).collect()
    }

    /// Kills every process that serves a connection: for the client the host has fallen silent or closed.
    pub fn cut(&self) {
        for pid in self.sessions() {
            let _ = Command::new("kill").arg("-KILL").arg(pid.to_string()).status();
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let sessions = self.sessions();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for pid in sessions {
            let _ = Command::new("kill").arg("-KILL").arg(pid.to_string()).stderr(Stdio::null()).status();
        }
    }
}

fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

fn children_of_all(pid: u32) -> Vec<u32> {
    children(pid).into_iter().flat_map(|child| [vec![child], children_of_all(child)].concat()).collect()
}

/// Runs ssh-keygen without a passphrase, unless `options` have one.
pub fn keygen(path: &Path, options: &[&str]) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-C", "test", "-f"]).arg(path).args(options);
    if !options.contains(&"-N") {
        command.args(["-N", ""]);
    }
    assert!(command.status().expect("openssh-client is needed for this test").success());
}

/// Reads a public key without its comment.
pub fn public(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// Returns the user the tests run as: an sshd that is not root lets nobody else in.
pub fn user() -> String {
    let output = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

/// Answers every question the same way, and counts.
#[derive(Default, Clone)]
pub struct Answer {
    pub trust: bool,
    pub passphrase: Option<&'static str>,
    pub asked: std::sync::Arc<std::sync::Mutex<Vec<String>>>,
}

impl Ask for Answer {
    fn trust(&self, question: &UnknownKey) -> bool {
        self.asked.lock().unwrap().push(format!("trust {} {}", question.address, question.fingerprint));
        self.trust
    }

    fn passphrase(&self, key: &Path) -> Option<Secret> {
        self.asked.lock().unwrap().push(format!("unlock {}", key.file_name().unwrap().display()));
        self.passphrase.map(|text| Secret::new(text.to_owned()))
    }
}

//! The settings of one connection, as `ssh -G` resolves them.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::sync::Semaphore;

use super::{Error, Target, tokens::Tokens};

/// What OpenSSH's configuration says about one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Configuration {
    /// Name or address to connect to.
    pub hostname: String,
    pub port: u16,
    pub user: String,
    /// Key files, in the order they are offered; those not asked for by anybody have `explicit` off.
    pub identities: Vec<PathBuf>,
    /// The key files are somebody's choice, not OpenSSH's built-in list.
    pub explicit: bool,
    /// Only the key files' keys are offered, not whatever else the agent holds.
    pub identities_only: bool,
    pub certificates: Vec<PathBuf>,
    /// Socket of the agent, where there is one.
    pub agent: Option<PathBuf>,
    pub proxy: Proxy,
    /// Files to look host keys up in; the first one is written to.
    pub user_known_hosts: Vec<PathBuf>,
    pub global_known_hosts: Vec<PathBuf>,
    pub strict: Strict,
    /// Name to look host keys up under, instead of the host's own.
    pub alias: Option<String>,
    pub hash_known_hosts: bool,
    pub revoked_host_keys: Option<PathBuf>,
    pub family: Family,
    pub connect_timeout: Duration,
    /// How long the key exchange may take.
    pub handshake_timeout: Duration,
    pub keepalive: Duration,
    pub keepalive_max: usize,
    /// What the user should know of it.
    pub warnings: Vec<String>,
}

/// How the connection is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proxy {
    Direct,
    /// Through other SSH hosts, in this order.
    Jump(Vec<String>),
    /// Through a program's stdin and stdout.
    Command(String),
}

/// What is done about a host key that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strict {
    Refuse,
    Ask,
    Accept,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Any,
    Inet,
    Inet6,
}

/// OpenSSH has no limit of its own; without one a host that drops packets costs two minutes.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A busy host far away takes its time.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// OpenSSH's server gives a login two minutes; what takes longer than this is no use for working with.
const LOGIN_GRACE: Duration = Duration::from_secs(30);
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_MAX: usize = 3;

/// Programs of ours that run at once: with hundreds of hosts their pipes would be too many, and
/// more than there are cores gain nothing.
static ASKING: Semaphore = Semaphore::const_new(16);

/// OpenSSH's built-in list, as `ssh -G` prints it (sk and xmss keys work through an agent only).
const DEFAULT_IDENTITIES: [&str; 7] =
    ["id_rsa", "id_ecdsa", "id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", "id_xmss", "id_dsa"];

impl Configuration {
    /// Resolves a target.
    pub async fn resolve(target: &Target) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Configuration { host: target.name.clone(), reason };
        if let Some(file) = &target.identity_file
            && let Err(error) = std::fs::metadata(file)
        {
            // `ssh -G` drops a missing -i with a warning and goes on to the default keys.
            return Err(wrong(format!("identityFile {}: {error}", file.display())));
        }
        let mut command = tokio::process::Command::new("ssh");
        command.arg("-G");
        if let Some(file) = &target.config_file {
            command.arg("-F").arg(file);
        }
        command.args(arguments(target)).stdin(Stdio::null());
        let turn = ASKING.acquire().await;
        let output = command.output().await;
        drop(turn);
        let resolved = match output {
            Ok(output) if output.status.success() => parse(&String::from_utf8_lossy(&output.stdout)),
            Ok(output) => {
                return Err(wrong(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => without_ssh(target),
            Err(error) => return Err(wrong(format!("ssh -G: {error}"))),
        };
        let mut this = resolved.map_err(wrong)?;
        this.override_with(target);
        Ok(this)
    }

    /// Applies what the inventory says and `ssh -G` cannot be told (its options split at spaces).
    fn override_with(&mut self, target: &Target) {
        if let Some(file) = &target.known_hosts_file {
            self.user_known_hosts = vec![file.clone()];
            self.global_known_hosts.clear();
        }
        if let Some(file) = &target.identity_file {
            // As with `ssh -i`: what the configuration names comes after, the built-in list not at all.
            self.identities.retain(|known| self.explicit && known != file);
            self.identities.insert(0, file.clone());
            self.explicit = true;
        }
    }

    /// Returns how long it may take until a command can be run: to connect, and to log in.
    pub fn login_time(&self) -> Duration {
        self.connect_timeout + LOGIN_GRACE.max(self.handshake_timeout)
    }

    /// Returns the name the host's key is recorded under.
    pub fn key_name(&self) -> String {
        match &self.alias {
            Some(alias) => alias.to_lowercase(),
            None if self.port == 22 => self.hostname.to_lowercase(),
            None => format!("[{}]:{}", self.hostname.to_lowercase(), self.port),
        }
    }

    /// Returns address and port for a message.
    pub fn address(&self) -> String {
        match (&self.proxy, self.port) {
            (Proxy::Jump(hops), port) => format!("{} port {port} through {}", self.hostname, hops.join(", ")),
            (_, port) => format!("{} port {port}", self.hostname),
        }
    }
}

fn arguments(target: &Target) -> Vec<String> {
    let mut arguments = Vec::new();
    if let Some(port) = target.port {
        arguments.extend([String::from("-p"), port.to_string()]);
    }
    if let Some(user) = &target.user {
        arguments.extend([String::from("-l"), user.clone()]);
    }
    if let Some(hops) = &target.proxy_jump {
        arguments.extend([String::from("-J"), hops.clone()]);
    }
    // The address is the user's text: behind `--` it cannot be an option.
    arguments.extend([String::from("--"), target.address.clone()]);
    arguments
}

/// Reads what `ssh -G` printed: one `key value` a line, keys in lower case.
pub(super) fn parse(text: &str) -> Result<Configuration, String> {
    let all = |key: &str| -> Vec<&str> {
        text.lines()
            .filter_map(|line| line.split_once(' '))
            .filter(|(k, _)| *k == key)
            .map(|(_, v)| v)
            .collect()
    };
    let one = |key: &str| all(key).first().copied().filter(|value| !value.eq_ignore_ascii_case("none"));
    let yes = |key: &str| one(key).is_some_and(|value| matches!(value, "yes" | "true"));
    let ignored = ["knownhostscommand", "bindaddress", "bindinterface"].into_iter().filter_map(|key| {
        one(key).map(|value| format!("`{key} {value}` in the SSH configuration is not honoured"))
    });
    let tokens = Tokens {
        host: one("host").or(one("hostname")).unwrap_or_default(),
        hostname: one("hostname").ok_or("ssh -G printed no hostname")?,
        port: one("port").unwrap_or("22"),
        user: one("user").ok_or("ssh -G printed no user")?,
    };
    let identities: Vec<&str> = all("identityfile").into_iter().filter(|file| *file != "none").collect();
    let explicit = identities
        .iter()
        .any(|file| !file.strip_prefix("~/.ssh/").is_some_and(|name| DEFAULT_IDENTITIES.contains(&name)));
    let proxy = match (one("proxyjump"), one("proxycommand")) {
        (Some(hops), _) => Proxy::Jump(hops.split(',').map(str::to_owned).collect()),
        (None, Some(command)) => Proxy::Command(tokens.expand(command)),
        (None, None) => Proxy::Direct,
    };
    let seconds = |key: &str| one(key).and_then(|value| value.parse().ok()).filter(|&s| s > 0);
    Ok(Configuration {
        hostname: tokens.hostname.to_owned(),
        port: tokens.port.parse().map_err(|_| format!("port {}", tokens.port))?,
        user: tokens.user.to_owned(),
        identities: identities.iter().map(|file| tokens.path(file)).collect(),
        explicit,
        identities_only: yes("identitiesonly"),
        certificates: all("certificatefile").into_iter().map(|file| tokens.path(file)).collect(),
        agent: agent(all("identityagent").first().copied(), &tokens),
        proxy,
        user_known_hosts: files(one("userknownhostsfile").unwrap_or_default(), &tokens),
        global_known_hosts: files(one("globalknownhostsfile").unwrap_or_default(), &tokens),
        strict: match one("stricthostkeychecking") {
            Some("yes" | "true") => Strict::Refuse,
            Some("accept-new" | "no" | "false" | "off") => Strict::Accept,
            _ => Strict::Ask,
        },
        alias: one("hostkeyalias").map(str::to_owned),
        hash_known_hosts: yes("hashknownhosts"),
        revoked_host_keys: one("revokedhostkeys").map(|file| tokens.path(file)),
        family: match one("addressfamily") {
            Some("inet") => Family::Inet,
            Some("inet6") => Family::Inet6,
            _ => Family::Any,
        },
        connect_timeout: seconds("connecttimeout").map_or(CONNECT_TIMEOUT, Duration::from_secs),
        handshake_timeout: seconds("connecttimeout").map_or(HANDSHAKE_TIMEOUT, Duration::from_secs),
        keepalive: seconds("serveraliveinterval").map_or(KEEPALIVE, Duration::from_secs).min(KEEPALIVE),
        keepalive_max: KEEPALIVE_MAX,
        warnings: ignored.collect(),
    })
}

/// Where there is no `ssh` to ask: the inventory, and OpenSSH's defaults.
fn without_ssh(target: &Target) -> Result<Configuration, String> {
    let mut text = format!(
        "host {0}\nhostname {0}\nport {1}\nuser {2}\nuserknownhostsfile ~/.ssh/known_hosts\n\
         globalknownhostsfile /etc/ssh/ssh_known_hosts\n",
        target.address,
        target.port.unwrap_or(22),
        target.user.clone().or_else(|| std::env::var("USER").ok()).ok_or("no user")?
    );
    text.extend(DEFAULT_IDENTITIES.map(|name| format!("identityfile ~/.ssh/{name}\n")));
    text.extend(target.proxy_jump.as_ref().map(|hops| format!("proxyjump {hops}\n")));
    let mut this = parse(&text)?;
    this.warnings.push("there is no `ssh` program here, so ~/.ssh/config is not read".to_owned());
    Ok(this)
}

/// `IdentityAgent` may be a path, `none`, `SSH_AUTH_SOCK` or the name of a variable.
fn agent(setting: Option<&str>, tokens: &Tokens) -> Option<PathBuf> {
    let socket =
        |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    match setting {
        Some(none) if none.eq_ignore_ascii_case("none") => None,
        None | Some("SSH_AUTH_SOCK") => socket("SSH_AUTH_SOCK"),
        Some(path) => match path.strip_prefix('$') {
            Some(variable) if !variable.starts_with('{') => socket(variable),
            _ => Some(tokens.path(path)),
        },
    }
}

/// A list of files with spaces between; `ssh -G` does not quote, so one that exists as it is wins.
fn files(list: &str, tokens: &Tokens) -> Vec<PathBuf> {
    if list.contains(' ') && Path::new(list).exists() {
        return vec![PathBuf::from(list)];
    }
    list.split_whitespace().filter(|file| *file != "none").map(|file| tokens.path(file)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ssh_prints_is_read() {
        let configuration = parse(
            "host foo\nuser me\nhostname real.foo\nport 2222\nidentitiesonly yes\n\
             identityfile /keys/%r@%h\nproxyjump u@j:33,k\nuserknownhostsfile /a /b\n\
             globalknownhostsfile none\nstricthostkeychecking accept-new\nhashknownhosts yes\n\
             connecttimeout 7\nidentityagent none\nserveraliveinterval 0\nbindinterface eth9\n",
        )
        .unwrap();
        assert_eq!(configuration.identities, [PathBuf::from("/keys/me@real.foo")]);
        assert!(configuration.explicit && configuration.identities_only && configuration.hash_known_hosts);
        assert_eq!(configuration.proxy, Proxy::Jump(vec!["u@j:33".into(), "k".into()]));
        assert_eq!(configuration.user_known_hosts, [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert!(configuration.global_known_hosts.is_empty() && configuration.agent.is_none());
        assert_eq!(configuration.strict, Strict::Accept);
        assert_eq!(configuration.connect_timeout, Duration::from_secs(7));
        assert_eq!(configuration.login_time(), Duration::from_secs(37));
        assert_eq!(configuration.keepalive, KEEPALIVE);
        assert_eq!(configuration.key_name(), "[real.foo]:2222");
        assert_eq!(configuration.warnings, ["`bindinterface eth9` in the SSH configuration is not honoured"]);
    }

    #[test]
    fn the_built_in_keys_are_nobodys_choice() {
        let text = "host h\nuser me\nhostname h\nport 22\nidentityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ed25519\n";
        let configuration = parse(text).unwrap();
        assert!(!configuration.explicit);
        assert_eq!(configuration.key_name(), "h");
        assert_eq!(configuration.strict, Strict::Ask);
    }
}

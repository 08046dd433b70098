//! An inventory with its hosts: what every command that talks to hosts begins with.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use tokio_util::sync::CancellationToken;

use crate::{
    bringup::{self, Finding, Phase, Place},
    cli::{
        echo,
        failure::Failure,
        global::{Global, ask},
    },
    cluster::{self, Cluster, Resolved, Underlay},
    engine::{self, Event, Fleet, Member, Sink},
    host::{ANSWER, Ask, Keyring, Refuse, Target, UnknownKey},
    inventory::{self, Disk, HostSettings, Loaded},
    resource::Resource,
    secret::Secret,
    ui::{self, say},
};

/// An inventory and its connected hosts.
pub(super) struct Site {
    pub(super) loaded: Loaded,
    pub(super) fleet: Fleet,
    assumed: Cluster,
    path: PathBuf,
}

/// Reads an inventory, its home-relative paths resolved.
pub(super) fn load(path: &Path) -> Result<Loaded, Failure> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    Ok(inventory::load(path, home.as_deref(), &Disk)?)
}

impl Site {
    /// Connects to all hosts of an inventory, does some work there, and says goodbye however the work ended.
    pub(super) async fn visit(
        global: &Global,
        positional: Option<&Path>,
        work: impl AsyncFnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        Self::visit_without(global, positional, &[], work).await
    }

    /// As [`Site::visit`], without some of the hosts: they are not even asked.
    pub(super) async fn visit_without(
        global: &Global,
        positional: Option<&Path>,
        skipped: &[String],
        work: impl AsyncFnOnce(&mut Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (mut site, lost) = Self::reach(global, positional, skipped).await?;
        if let Some(error) = lost {
            return Err(error.into());
        }
        let outcome = work(&mut site).await;
        site.fleet.close().await;
        outcome
    }

    /// Connects to the hosts that can be reached; returns the failures of the others.
    pub(super) async fn open_reachable(
        global: &Global,
        positional: Option<&Path>,
    ) -> Result<(Self, Option<engine::Error>), Failure> {
        Self::reach(global, positional, &[]).await
    }

    async fn reach(
        global: &Global,
        positional: Option<&Path>,
        skipped: &[String],
    ) -> Result<(Self, Option<engine::Error>), Failure> {
        let path = global.inventory(positional)?;
        let loaded = load(&path)?;
        let sink = ui::sink(global.color, global.verbose);
        check_names(&loaded, skipped)?;
        let assumed = cluster::resolve(&loaded, &cluster::unseen(&loaded.inventory))?.cluster;
        let hosts = loaded.inventory.hosts.iter().enumerate();
        let hosts = hosts.filter(|(_, host)| !skipped.contains(&host.name.value));
        let hosts =
            hosts.map(|(index, host)| Ok((target(host, global), bringup::questions(&assumed, index)?)));
        let hosts = hosts.collect::<Result<Vec<_>, Failure>>()?;
        let warn = {
            let sink = sink.clone();
            move |text| sink(Event::Warning { text })
        };
        let keyring = if std::io::stdin().is_terminal() {
            Keyring::new(Terminal, warn)
        } else {
            Keyring::new(Refuse, warn)
        };
        let (fleet, lost) = Fleet::reach(&assumed.name, hosts, &keyring, sink, watch_interrupt()).await;
        Ok((Self { loaded, fleet, assumed, path }, lost))
    }

    /// Resolves the cluster with what was last seen on the hosts.
    pub(super) fn cluster(&self) -> Result<Cluster, Failure> {
        Ok(self.resolve()?.cluster)
    }

    /// Fails with all that the hosts could not tell, or not so that it is believed; `without` says which part is not missed.
    pub(super) fn refuse_unread(&self, without: Option<&str>) -> Result<(), Failure> {
        let place = Place::of(&self.assumed);
        let unread = |member: &Member| {
            let mut facts = member.facts.clone();
            facts.unknown.retain(|part, _| Some(*part) != without);
            let host = member.session.name();
            let unfit = bringup::unfit(&self.assumed, host, &facts);
            bringup::unread(&place, host, &facts).into_iter().chain(unfit)
        };
        let findings: Vec<Finding> = self.fleet.members().iter().flat_map(unread).collect();
        if findings.is_empty() { Ok(()) } else { Err(Failure::NotReady(findings)) }
    }

    fn resolve(&self) -> Result<Resolved, Failure> {
        self.refuse_unread(None)?;
        self.resolve_anyway()
    }

    fn resolve_anyway(&self) -> Result<Resolved, Failure> {
        let mut seen: BTreeMap<String, Underlay> = BTreeMap::new();
        let mut findings = Vec::new();
        for member in self.fleet.members() {
            let host = member.session.name().to_owned();
            let Some(index) = self.assumed.hosts.iter().position(|assumed| assumed.name == host) else {
                continue;
            };
            match bringup::sighting(&self.assumed, index, &member.facts) {
                Ok(underlay) => {
                    seen.insert(host, underlay);
                }
                Err(what) => findings.push(Finding {
                    host,
                    what,
                    fix: format!("set hosts[{index}].nic or hosts[{index}].underlay in the inventory"),
                }),
            }
        }
        if !findings.is_empty() {
            return Err(Failure::NotReady(findings));
        }
        let members = self.fleet.members().iter();
        let hosts: Vec<_> = members.map(|member| (member.session.name(), &member.facts)).collect();
        let settled = bringup::settled(&self.assumed, &hosts);
        let mut resolved = cluster::resolve_around(&self.loaded, &seen, &settled)?;
        let first = &resolved.cluster.hosts[0].name;
        if let Some(first) = self.fleet.members().iter().find(|member| member.session.name() == first) {
            bringup::retire(&mut resolved.cluster, &first.facts);
        }
        Ok(resolved)
    }

    /// Returns the cluster without what only hosts can tell: names and paths, enough to find what is ocp2's.
    pub(super) fn assumed(&self) -> &Cluster {
        &self.assumed
    }

    /// As [`Site::cluster`], also where a host's libvirt did not answer: to show what is known.
    pub(super) fn cluster_to_show(&self) -> Result<Cluster, Failure> {
        self.refuse_unread(Some("libvirt"))?;
        Ok(self.resolve_anyway()?.cluster)
    }

    /// Fails with everything that keeps the hosts from their part.
    pub(super) fn preflight(&self, cluster: &Cluster) -> Result<(), Failure> {
        let members = self.fleet.members().iter().enumerate();
        let findings: Vec<Finding> =
            members.flat_map(|(index, m)| bringup::preflight(cluster, index, &m.facts, m.asked)).collect();
        if findings.is_empty() { Ok(()) } else { Err(Failure::NotReady(findings)) }
    }

    /// Returns what a phase wants on every host.
    pub(super) fn wanted(&self, phase: Phase, cluster: &Cluster) -> Result<Vec<Vec<Resource>>, Failure> {
        let members = self.fleet.members().iter().enumerate();
        let wanted = members.map(|(index, member)| phase.wanted(cluster, index, &member.facts));
        Ok(wanted.collect::<Result<_, _>>()?)
    }

    /// Says what is not wrong with the inventory on these hosts but worth knowing.
    pub(super) fn say_warnings(&self) -> Result<(), Failure> {
        for warning in self.resolve()?.warnings {
            say(&format!("warning: {warning}"));
        }
        Ok(())
    }

    /// Returns the folder the credentials are kept in, beside the inventory.
    pub(super) fn credentials_folder(&self) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        folder.join(format!("{}-auth", self.assumed.name))
    }

    /// Returns the folder for logs, beside the inventory; each time another one.
    pub(super) fn gather_folder(&self) -> PathBuf {
        let folder = self.path.parent().unwrap_or(Path::new(""));
        let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
        folder.join(format!("{}-gather-{now}", self.assumed.name))
    }

    /// Returns the secrets the workstation knows, for what must not show them.
    pub(super) fn secrets(&self, cluster: &Cluster) -> Vec<Secret> {
        let proxy = cluster.install.proxy.iter().flat_map(|proxy| [proxy.http.clone(), proxy.https.clone()]);
        self.loaded.pull_secret.iter().cloned().chain(proxy.flatten()).collect()
    }

    /// Returns where events go.
    pub(super) fn sink(&self) -> &Sink {
        self.fleet.sink()
    }
}

/// Refuses to skip hosts that there are not, or all there are.
fn check_names(loaded: &Loaded, skipped: &[String]) -> Result<(), Failure> {
    let known: Vec<&str> = loaded.inventory.hosts.iter().map(|host| host.name.value.as_str()).collect();
    if let Some(unknown) = skipped.iter().find(|name| !known.contains(&name.as_str())) {
        let known = known.join(", ");
        return Err(Failure::Usage(format!("there is no host {unknown} to skip; there are {known}")));
    }
    if known.iter().all(|name| skipped.iter().any(|skip| skip == name)) {
        return Err(Failure::Usage("every host is skipped: nothing is left to do".into()));
    }
    Ok(())
}

/// Returns how a host of the inventory is reached.
fn target(host: &HostSettings, global: &Global) -> Target {
    let ssh = &host.ssh.value;
    Target {
        port: ssh.port,
        user: ssh.user.clone(),
        identity_file: ssh.identity_file.clone(),
        known_hosts_file: ssh.known_hosts_file.clone(),
        proxy_jump: ssh.proxy_jump.clone(),
        answer: global.timeout.unwrap_or(ANSWER),
        ..Target::new(&host.name.value, &ssh.address)
    }
}

/// The first Ctrl-C lets the step in hand end; the second ends at once.
fn watch_interrupt() -> CancellationToken {
    let interrupted = CancellationToken::new();
    let token = interrupted.clone();
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if token.is_cancelled() {
                echo::restore();
                say("stopped at once; the same command carries on");
                std::process::exit(130);
            }
            say("stopping after the step in hand; Ctrl-C again stops at once");
            token.cancel();
        }
    });
    interrupted
}

/// Asks on the terminal.
struct Terminal;

impl Ask for Terminal {
    fn trust(&self, question: &UnknownKey) -> bool {
        let prompt = format!(
            "{}: the host key of {} is not known: {} {}\ntrust it and remember it? [y/N] ",
            question.host, question.address, question.algorithm, question.fingerprint
        );
        ask(&prompt).is_ok_and(|answer| matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    fn passphrase(&self, key: &Path) -> Option<Secret> {
        let prompt = format!("passphrase of {}: ", key.display());
        echo::guarded(|| rpassword::prompt_password(prompt))
            .ok()
            .filter(|text| !text.is_empty())
            .map(Secret::new)
    }
}

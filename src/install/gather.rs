//! Collecting logs from all hosts, without the secrets in them.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::join_all;

use crate::{
    bringup::Place,
    cluster::Cluster,
    command::{Script, quote},
    engine::{Fleet, Member},
    host::Bounds,
    install::{
        Error, api,
        credentials::{private_folder, write_private},
        installer,
        redact::Redactor,
        rendezvous, watch,
    },
    secret::Secret,
    untrusted::file_name,
};

/// Of a long log, this much of its end, bytes.
const MOST: usize = 4 << 20;

/// Largest file with a secret of the cluster, bytes.
const LIMIT: usize = 1 << 20;

/// Collects everything into `folder`, which only the user can read; `secrets` are the workstation's.
///
/// # Errors
/// Returns an error where the folder cannot be written on the workstation. What fails of one host is noted
/// in its own folder, or beside that.
pub async fn gather(
    fleet: &Fleet,
    cluster: &Cluster,
    secrets: &[Secret],
    folder: &Path,
) -> Result<(), Error> {
    private_folder(folder)?;
    let mut known = secrets.to_vec();
    known.extend(cluster_secrets(fleet, cluster).await);
    let redactor = Redactor::knowing(&known);
    let hosts = fleet.members().iter().map(|member| host(member, cluster, &redactor, folder));
    let failed = join_all(hosts).await.into_iter().filter_map(Result::err);
    let failed: Vec<String> = failed.map(|error| format!("{error}\n")).collect();
    if !failed.is_empty() {
        write_private(&folder.join(ERRORS), failed.concat().as_bytes())?;
    }
    if fleet.members().is_empty() {
        return Ok(());
    }
    let state = match api::client(fleet, cluster).await {
        Ok(client) => match watch::look(&client).await {
            Some(seen) => format!("{}\n{seen:#?}\n", seen.progress(cluster).line),
            None => "the API does not answer\n".to_owned(),
        },
        Err(error) => format!("{error}\n"),
    };
    write_private(&folder.join("cluster.txt"), redactor.redact(&state).as_bytes())
}

/// Returns the secrets that lie on the first host.
async fn cluster_secrets(fleet: &Fleet, cluster: &Cluster) -> Vec<Secret> {
    let auth = format!("{}/auth", installer::assets(&Place::of(cluster)));
    let Some(first) = first(fleet, cluster) else { return Vec::new() };
    let mut secrets = Vec::new();
    for name in ["kubeadmin-password", "kubeconfig"] {
        if let Ok(bytes) = first.session.read(&format!("{auth}/{name}"), LIMIT).await {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let keys = text.lines().filter_map(|line| line.trim().strip_prefix("client-key-data:"));
            secrets.extend(keys.map(|key| Secret::new(key.trim().to_owned())));
            secrets.push(Secret::new(text));
        }
    }
    secrets
}

fn first<'a>(fleet: &'a Fleet, cluster: &Cluster) -> Option<&'a Member> {
    let name = &cluster.hosts.first()?.name;
    fleet.members().iter().find(|member| member.session.name() == name)
}

/// Collects what one host has.
async fn host(member: &Member, cluster: &Cluster, redactor: &Redactor, folder: &Path) -> Result<(), Error> {
    let name = member.session.name();
    let folder = folder.join(name);
    private_folder(&folder)?;
    let is_first = cluster.hosts.first().is_some_and(|first| first.name == name);
    let mut kept =
        Kept { folder, redactor, names: BTreeSet::from([ERRORS.to_owned()]), errors: String::new() };
    match member.session.run_within(bounds(), &collecting(cluster, is_first), |_| {}).await {
        Ok(output) => {
            for (file, text) in files(&output.stdout) {
                kept.keep(&file, &text);
            }
            if output.status != 0 {
                kept.errors += &output.stderr;
            }
        }
        Err(error) => kept.errors += &format!("{error}\n"),
    }
    let unknown = member.facts.unknown.iter();
    kept.errors.extend(unknown.map(|(part, reason)| format!("{part} could not be read: {reason}\n")));
    let domains = member.facts.hypervisor.iter().flat_map(|seen| &seen.domains);
    for domain in domains.filter(|domain| domain.cluster().as_deref() == Some(cluster.name.as_str())) {
        kept.keep(
            &format!("{}.xml", domain.name),
            &format!("<!-- {:?} -->\n{}", domain.state, domain.shown()),
        );
    }
    kept.end()
}

/// File with what went wrong on a host.
const ERRORS: &str = "errors.txt";

/// What of one host is kept, in a folder of its own.
struct Kept<'a> {
    folder: PathBuf,
    redactor: &'a Redactor,
    names: BTreeSet<String>,
    errors: String,
}

impl Kept<'_> {
    /// Keeps a text under the name that the host gives it, where that can be a file's name; else under one
    /// of ours. What cannot be written is an error of this file alone.
    fn keep(&mut self, name: &str, text: &str) {
        // So is a file called until it is whole.
        let is_half = |name: &str| name.strip_suffix(".new").is_some();
        let is_free = |name: &str| !is_half(name) && !self.names.contains(name);
        let chosen = if let Some(name) = file_name(name).filter(|name| is_free(name)) {
            name.to_owned()
        } else {
            let mut numbers = (1_u32..).map(|number| format!("file-{number}.txt"));
            // There are more numbers than names.
            let ours = numbers.find(|name| is_free(name)).unwrap_or_default();
            self.errors += &format!("a file came as {name:?} and is kept as {ours}\n");
            ours
        };
        self.names.insert(chosen.clone());
        if let Err(error) = write_private(&self.folder.join(&chosen), self.redactor.redact(text).as_bytes()) {
            self.errors += &format!("{chosen}: {error}\n");
        }
    }

    /// Writes down what went wrong, if anything did.
    fn end(self) -> Result<(), Error> {
        if self.errors.is_empty() {
            return Ok(());
        }
        write_private(&self.folder.join(ERRORS), self.redactor.redact(&self.errors).as_bytes())
    }
}

/// Returns what collecting may take: a dozen logs, most of them short.
fn bounds() -> Bounds {
    Bounds { time: Some(Duration::from_secs(600)), bytes: Some(6 * MOST) }
}

/// Returns source that prints files and outputs, each after a line `@@NAME BYTES`.
fn collecting(cluster: &Cluster, is_first: bool) -> Script {
    let place = Place::of(cluster);
    let (etc, var, assets) = (place.etc(""), place.var(""), installer::assets(&place));
    let name = &cluster.name;
    let mut script = Script::new()
        .line("set +e; work=$(mktemp -d) || exit 1; trap 'rm -rf \"$work\"' EXIT")
        .line("keep() {")
        .line(format_args!("  name=$1; shift; {{ \"$@\" 2>&1 || echo \"(status $?)\"; }} | tail -c {MOST} >\"$work/one\""))
        .line("  printf '@@%s %s\\n' \"$name\" \"$(stat -c %s \"$work/one\")\"; cat \"$work/one\"")
        .line("}")
        .line("keep system.txt bash -c 'uname -a; cat /etc/os-release; uptime; free -m; df -h; timedatectl'")
        .line("keep links.txt bash -c 'ip -d address; ip route; bridge fdb; bridge link; ss -lntup'")
        .line("keep nft.txt nft -nn list ruleset")
        .line(format_args!("keep units.txt systemctl --no-pager --full status {}", quote(&format!("ocp2-{name}-*"))))
        .line(format_args!("keep journal.txt journalctl --no-pager -n 20000 -u {}", quote(&format!("ocp2-{name}-*"))))
        .line("keep libvirt.txt journalctl --no-pager -n 2000 -u libvirtd -u virtqemud -u virtlogd")
        // What others may not read has a reason for it.
        .line(format_args!(
            "for f in $(find {} {} -maxdepth 1 -type f -perm -o+r -size -1024k 2>/dev/null); do keep \"$(basename \"$f\")\" cat \"$f\"; done",
            quote(&etc),
            quote(&var)
        ))
        .line(format_args!("for f in /var/log/libvirt/qemu/{name}-*.log; do [ -f \"$f\" ] && keep \"$(basename \"$f\")\" cat \"$f\"; done"));
    if is_first {
        script = script
            .line(format_args!(
                "keep openshift_install.log cat {}",
                quote(&format!("{assets}/.openshift_install.log"))
            ))
            .line(rendezvous::asking(cluster).source().trim_end())
            .line("keep assisted-clusters.json ask '/clusters?with_hosts=true'")
            .line("keep assisted-events.json ask /events");
    }
    script.line("exit 0")
}

/// Cuts the output into files; of what is no UTF-8, the rest is kept.
pub(super) fn files(output: &[u8]) -> Vec<(String, Cow<'_, str>)> {
    let mut files = Vec::new();
    let mut rest = output;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let head = String::from_utf8_lossy(&rest[..end]).into_owned();
        let Some((name, size)) = head.strip_prefix("@@").and_then(|head| head.rsplit_once(' ')) else {
            break;
        };
        let size = size.parse().unwrap_or(0).min(rest.len() - end - 1);
        let body = &rest[end + 1..end + 1 + size];
        files.push((name.to_owned(), String::from_utf8_lossy(body)));
        rest = &rest[end + 1 + size..];
    }
    files
}

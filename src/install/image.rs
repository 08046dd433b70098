//! The boot image: made or got on the first host, then on every host.

use crate::{
    bringup::{
        self, ImageRecord, ImageStep, Place, frozen_inputs, image_path, image_step, installer_inputs, release,
    },
    cluster::{Cluster, Install, Method, Node},
    command::{Command, Script, quote},
    engine::{Event, Fleet, Sink},
    host::{Digest, Session},
    install::{
        Error,
        download::{SUM, environment, functions},
        installer, obtain,
        spread::spread,
        upi,
    },
    resource::{Action, Change, Detail, Facts, File, sha256},
    secret::Secret,
};

/// The boot image holds the pull secret: nobody but root, and QEMU by libvirt's leave, reads it.
pub(super) const MODE: &str = "0600";

/// Brings the boot image to every host; returns how many changes that took.
///
/// # Errors
/// Returns an error where the image cannot be made, got, or copied.
pub async fn bring_image(
    fleet: &mut Fleet,
    cluster: &Cluster,
    pull_secret: Option<&Secret>,
) -> Result<usize, Error> {
    let mut changed = 0;
    loop {
        fleet.refresh().await?;
        let facts: Vec<&Facts> = fleet.members().iter().map(|member| &member.facts).collect();
        let release = release(cluster, facts[0]);
        let inputs = Inputs::of(&as_begun(cluster, &facts), pull_secret, release.as_deref())?;
        let step = image_step(cluster, &inputs.digest, &facts);
        if matches!(step, ImageStep::Make | ImageStep::Copy(_)) {
            fleet.lock().await?;
        }
        match step {
            ImageStep::Done => return Ok(changed),
            ImageStep::Frozen => {
                let change = frozen_inputs(cluster, &inputs.shown, &fleet.members()[0].facts);
                let diffs = change.details.iter().filter_map(|detail| match detail {
                    Detail::Diff { text } => Some(text.as_str()),
                    Detail::Field { .. } => None,
                });
                let (diffs, advice) = (diffs.collect::<String>(), manual(&change));
                let text = format!("{} {}\n{diffs}{advice}", change.resource, change.summary);
                (fleet.sink())(Event::Note { text });
                return Ok(changed);
            }
            ImageStep::Make => {
                changed += 1;
                if !matches!(cluster.install.method, Method::Iso(_)) {
                    get_installer(fleet, cluster, pull_secret, release.as_deref()).await?;
                    // What is in a channel is known only now.
                    if release.is_none() {
                        continue;
                    }
                }
                make(fleet, cluster, &inputs).await?;
            }
            ImageStep::Copy(hosts) => {
                changed += hosts.len();
                copy(fleet, cluster, &hosts).await?;
            }
        }
    }
}

/// Tells what the next step for the boot image is, without taking it; where its inputs are frozen,
/// also what has changed in them.
///
/// # Errors
/// Returns an error where the installer's inputs cannot be rendered.
pub fn next_image_step(
    cluster: &Cluster,
    pull_secret: Option<&Secret>,
    facts: &[&Facts],
) -> Result<(ImageStep, Option<Change>), Error> {
    let release = release(cluster, facts[0]);
    let inputs = Inputs::of(&as_begun(cluster, facts), pull_secret, release.as_deref())?;
    let step = image_step(cluster, &inputs.digest, facts);
    let frozen = (step == ImageStep::Frozen).then(|| frozen_inputs(cluster, &inputs.shown, facts[0]));
    Ok((step, frozen))
}

/// Returns the cluster as its installation knows it: a node that came to the inventory after that has begun
/// joins an installed cluster, and was never among the installer's inputs.
fn as_begun(cluster: &Cluster, facts: &[&Facts]) -> Cluster {
    let place = Place::of(cluster);
    let has_begun = facts.iter().any(|facts| facts.files.contains_key(&place.begun()));
    let mut known = cluster.clone();
    if let (true, Some(before)) = (has_begun, facts[0].text(&place.inputs())) {
        // As agent-config names it, or the ignition.
        let names = |node: &Node| {
            let name = cluster.hostname(node);
            [format!("\"{name}\""), data_encoding::BASE64.encode(format!("{name}\n").as_bytes())]
        };
        known.nodes.retain(|node| names(node).iter().any(|name| before.contains(name)));
    }
    known
}

fn manual(change: &Change) -> &str {
    match &change.action {
        Action::Manual(advice) => advice,
        Action::Shell(_) | Action::Hypervisor(_) => "",
    }
}

/// Everything the image is made from.
struct Inputs {
    install_config: Option<Secret>,
    agent_config: Option<String>,
    digest: String,
    /// All of it for eyes, to tell later what has changed.
    shown: String,
}

impl Inputs {
    fn of(cluster: &Cluster, pull_secret: Option<&Secret>, release: Option<&str>) -> Result<Self, Error> {
        if let Method::Iso(place) = &cluster.install.method {
            // Another file at the same place has another size or time, as a rule.
            let what = if place.contains("://") { place.clone() } else { looks(place)? };
            let (digest, shown) = (sha256(what.as_bytes()), format!("iso: {place}\n"));
            return Ok(Self { install_config: None, agent_config: None, digest, shown });
        }
        let nothing = Secret::new(String::new());
        let install_config = installer_inputs::install_config(cluster, pull_secret.unwrap_or(&nothing))?;
        let agent_config = match &cluster.install.method {
            Method::Upi(_) => None,
            Method::Agent | Method::Iso(_) => Some(installer_inputs::agent_config(cluster)?),
        };
        let nodes = agent_config.clone().unwrap_or_else(|| ignited(cluster));
        let Install { mirror, installer, release_image, .. } = &cluster.install;
        let release = release.unwrap_or(&cluster.version);
        let mut all = vec![release, mirror, install_config.expose(), nodes.as_str()];
        let own = installer.as_deref().map(size).transpose()?;
        all.extend(own.as_deref());
        all.extend(release_image.as_deref());
        let digest = sha256(all.join("\0").as_bytes());
        let shown = format!(
            "# release\n{} from {}\n# install-config.yaml\n{}# nodes\n{nodes}",
            release,
            cluster.install.mirror,
            installer_inputs::install_config_masked(cluster)?
        );
        Ok(Self { install_config: Some(install_config), agent_config, digest, shown })
    }
}

/// Returns what of the inventory is in the nodes' ignition beside install-config, and in their disks.
///
/// The bootstrap VM's is left out: it is gone one day, and nothing else has changed then.
fn ignited(cluster: &Cluster) -> String {
    let files = cluster.nodes.iter().flat_map(|node| bringup::own_files(cluster, node));
    let files = files.map(|file| format!("{file}\n")).collect::<String>();
    format!("{:?}\n{files}", cluster.install.method)
}

/// Returns the size of a program of the workstation's, as one of the things an image is made from.
///
/// Its content would say more, and reading it takes a second each time.
fn size(path: &str) -> Result<String, Error> {
    let local = |source| Error::Local { path: path.to_owned(), source };
    Ok(format!("{} bytes", std::fs::metadata(path).map_err(local)?.len()))
}

/// Returns what tells a file of the workstation's from others without reading it.
fn looks(path: &str) -> Result<String, Error> {
    let local = |source| Error::Local { path: path.to_owned(), source };
    let seen = std::fs::metadata(path).map_err(local)?;
    let changed = jiff::Timestamp::try_from(seen.modified().map_err(local)?).unwrap_or_default();
    Ok(format!("{path} {} {changed}", seen.len()))
}

async fn get_installer(
    fleet: &mut Fleet,
    cluster: &Cluster,
    pull_secret: Option<&Secret>,
    release: Option<&str>,
) -> Result<(), Error> {
    let script = obtain::getting(fleet, cluster, pull_secret, release).await?;
    let summary = format!("get {}", release.unwrap_or(&cluster.version));
    apply_on(fleet, 0, vec![Change::shell("openshift-install".into(), &summary, script)]).await
}

async fn make(fleet: &mut Fleet, cluster: &Cluster, inputs: &Inputs) -> Result<(), Error> {
    let place = Place::of(cluster);
    let changes = match (&cluster.install.method, &inputs.install_config, &inputs.agent_config) {
        (Method::Agent, Some(install_config), Some(agent_config)) => {
            let source = creating(cluster, &place, install_config, agent_config);
            vec![Change::shell("boot image".into(), "make it (openshift-install agent create image)", source)]
        }
        (Method::Upi(image), Some(install_config), _) => {
            Box::pin(upi::make(fleet, cluster, image.as_ref(), install_config)).await?;
            Vec::new()
        }
        (Method::Iso(iso), ..) if iso.contains("://") => {
            vec![Change::shell("boot image".into(), &format!("get {iso}"), downloading(cluster, &place, iso))]
        }
        (Method::Iso(iso), ..) => {
            upload(fleet, cluster, iso, &image_path(cluster)).await?;
            Vec::new()
        }
        (Method::Agent | Method::Upi(_), ..) => Vec::new(),
    };
    apply_on(fleet, 0, changes).await?;
    let shown = File::new(place.inputs(), inputs.shown.clone()).private();
    apply_on(fleet, 0, shown.changes(&Facts::default())).await?;
    let record = recording(cluster, &place, &inputs.digest);
    apply_on(fleet, 0, vec![Change::shell("boot image".into(), "take its checksum", record)]).await
}

pub(super) async fn apply_on(fleet: &mut Fleet, host: usize, changes: Vec<Change>) -> Result<(), Error> {
    let mut all = vec![Vec::new(); fleet.members().len()];
    all[host] = changes;
    Ok(fleet.apply(all).await?)
}

/// Returns the source that makes the image from fresh copies of the inputs, for the installer eats them.
fn creating(cluster: &Cluster, place: &Place, install_config: &Secret, agent_config: &str) -> Script {
    let (assets, pool) = (installer::assets(place), cluster.machines.pool.display().to_string());
    let iso = image_path(cluster);
    let write = |path: &str| Command::new("install").args(["-m", "600", "/dev/stdin", path]);
    let variables = installer::variables(place);
    let mut script = Script::new()
        .line(format_args!("umask 077; rm -rf {0}; install -d -m 700 {0}", quote(&assets)))
        .feed(install_config, &write(&format!("{assets}/install-config.yaml")))
        .feed(&Secret::new(agent_config.to_owned()), &write(&format!("{assets}/agent-config.yaml")));
    if let Some(found) = environment(cluster, place) {
        script = script
            .line(format_args!("trap 'rm -f {}' EXIT", quote(&variables)))
            .feed(&found, &write(&variables));
    }
    script
        .line(installer::running(place, &["agent", "create", "image", "--dir", &assets]))
        .line(format_args!("[ -d {0} ] || install -d -m 711 {0}", quote(&pool)))
        .line(format_args!("mv -f {}/agent.x86_64.iso {}; chmod 600 {1}", quote(&assets), quote(&iso)))
}

fn downloading(cluster: &Cluster, place: &Place, url: &str) -> Script {
    let (iso, pool) = (quote(&image_path(cluster)), cluster.machines.pool.display().to_string());
    functions(cluster, place, url)
        .line(format_args!("umask 077; [ -d {0} ] || install -d -m 711 {0}", quote(&pool)))
        .line(format_args!(
            "download {0} {iso} || {{ echo {0}' cannot be downloaded'; exit 1; }}",
            quote(url)
        ))
        .line(format_args!("mv -f {iso}.part {iso}"))
}

/// Returns the source that writes down what the image is.
fn recording(cluster: &Cluster, place: &Place, inputs: &str) -> Script {
    let (iso, record) = (quote(&image_path(cluster)), quote(&place.image()));
    let ignited = if cluster.is_upi() {
        // Its age is that of the certificates in it.
        let made = format!("{}/bootstrap.ign", installer::assets(place));
        format!(",\\\"ignited\\\":$(stat -c %Y {})", quote(&made))
    } else {
        String::new()
    };
    Script::new()
        .line(SUM)
        .line(format_args!("sha256=$(sum {iso}); size=$(stat -c %s {iso})"))
        .line(format_args!(
            "printf '{{\"sha256\":\"%s\",\"size\":%s,\"inputs\":\"%s\"%s}}\\n' \"$sha256\" \"$size\" {} \"{ignited}\" > {record}.new",
            quote(inputs)
        ))
        .line(format_args!("mv -f {record}.new {record}"))
}

/// Sends a file of the workstation's into the pool's folder on the first host.
pub(super) async fn upload(fleet: &Fleet, cluster: &Cluster, path: &str, to: &str) -> Result<(), Error> {
    let (session, sink) = (&fleet.members()[0].session, fleet.sink());
    let local = |source| Error::Local { path: path.into(), source };
    let file = tokio::fs::File::open(path).await.map_err(local)?;
    let total = file.metadata().await.map_err(local)?.len();
    make_folder(session, cluster).await?;
    session.upload(file, to, MODE, transfer(sink, session, total)).await?;
    Ok(())
}

/// Makes the pool's folder, unless it is there.
pub(super) async fn make_folder(session: &Session, cluster: &Cluster) -> Result<(), Error> {
    let folder = cluster.machines.pool.display().to_string();
    let script = Script::new().line(format_args!("[ -d {0} ] || install -d -m 711 {0}", quote(&folder)));
    session.run(&script, |_| {}).await?.checked(session.name(), "making the pool's folder")?;
    Ok(())
}

/// Returns what tells of the boot image's way to a host.
fn transfer<'a>(sink: &'a Sink, to: &'a Session, total: u64) -> impl FnMut(u64) + Send + 'a {
    move |done| {
        let (host, what) = (to.name().to_owned(), "boot image".to_owned());
        sink(Event::Transfer { host, what, done, total: Some(total) });
    }
}

async fn copy(fleet: &mut Fleet, cluster: &Cluster, hosts: &[usize]) -> Result<(), Error> {
    let place = Place::of(cluster);
    let first = &fleet.members()[0];
    let record = first.facts.text(&place.image()).unwrap_or_default().to_owned();
    let Some(known) = ImageRecord::read(cluster, &first.facts) else { return Ok(()) };
    let digest = Digest { sha256: known.sha256, size: known.size };
    let others: Vec<usize> = hosts.iter().copied().filter(|&host| host != 0).collect();
    if !others.is_empty() {
        spread(fleet, cluster, (&image_path(cluster), MODE, "boot image"), &digest, &others).await?;
    }
    if cluster.is_upi() {
        Box::pin(upi::distribute(fleet, cluster, hosts)).await?;
    }
    let mut changes = vec![Vec::new(); fleet.members().len()];
    for &host in hosts {
        let lone = Facts::default();
        changes[host] = File::new(place.image(), record.clone()).changes(&lone);
    }
    Ok(fleet.apply(changes).await?)
}

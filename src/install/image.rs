//! The boot image: made or got on the first host, then on every host.

use crate::{
    bringup::{ImageRecord, ImageStep, Place, frozen_inputs, image_folder, image_path, image_step, release},
    cluster::{Cluster, Method},
    command::{Command, Script, into_place, quote},
    engine::{Event, Fleet},
    host::{Digest, Uploaded},
    install::{
        Error,
        download::{SUM, environment, functions},
        first_host::apply_on,
        inputs::{Inputs, as_begun},
        installer, obtain,
        spread::{send, spread},
        upi,
    },
    resource::{Action, Change, Detail, Facts, File},
    secret::Secret,
};

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
                if !matches!(cluster.install.method, Method::Iso(_)) {
                    get_installer(fleet, cluster, pull_secret, release.as_deref()).await?;
                    // What is in a channel is known only now.
                    if release.is_none() {
                        changed += 1;
                        continue;
                    }
                }
                changed += make(fleet, cluster, &inputs).await?;
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

fn manual(change: &Change) -> &str {
    match &change.action {
        Action::Manual(advice) => advice,
        Action::Shell(_) | Action::Hypervisor(_) => "",
    }
}

async fn get_installer(
    fleet: &mut Fleet,
    cluster: &Cluster,
    pull_secret: Option<&Secret>,
    release: Option<&str>,
) -> Result<(), Error> {
    let script = obtain::getting(fleet, cluster, pull_secret, release).await?;
    let summary = format!("get {}", release.unwrap_or(&cluster.version));
    apply_on(fleet, vec![Change::shell("openshift-install".into(), &summary, script)]).await?;
    if !cluster.install.mirror_key.required && obtain::is_unproved(fleet, cluster).await? {
        let text = format!(
            "{} has no signature beside its checksums: nothing proves the installer that the hosts run; \
             where the mirror has keys of its own, name them in install.mirrorKeyFile",
            cluster.install.mirror
        );
        (fleet.sink())(Event::Warning { text });
    }
    Ok(())
}

/// Makes the pool's folder on these hosts, once it is written down what comes there.
async fn make_folders(fleet: &mut Fleet, cluster: &Cluster, hosts: &[usize]) -> Result<(), Error> {
    let mut changes = vec![Vec::new(); fleet.members().len()];
    for &host in hosts {
        changes[host] = vec![image_folder(cluster, host)];
    }
    Ok(fleet.apply(changes).await?)
}

/// Makes or gets the image; returns how many hosts have it then that had not.
async fn make(fleet: &mut Fleet, cluster: &Cluster, inputs: &Inputs) -> Result<usize, Error> {
    make_folders(fleet, cluster, &[0]).await?;
    if let Some(iso) = cluster.install.method.own_iso() {
        return bring_up(fleet, cluster, inputs, iso).await;
    }
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
        (Method::Iso(iso), ..) => {
            vec![Change::shell("boot image".into(), &format!("get {iso}"), downloading(cluster, &place, iso))]
        }
        (Method::Agent | Method::Upi(_), ..) => Vec::new(),
    };
    apply_on(fleet, changes).await?;
    apply_on(fleet, as_shown(&place, inputs)).await?;
    let script = recording(cluster, &place, &inputs.digest);
    apply_on(fleet, vec![Change::shell("boot image".into(), "take its checksum", script)]).await?;
    Ok(1)
}

/// Brings the user's own image to the first host, and through it to the others.
async fn bring_up(fleet: &mut Fleet, cluster: &Cluster, inputs: &Inputs, iso: &str) -> Result<usize, Error> {
    let place = Place::of(cluster);
    let lacks = |host: &usize| {
        let record = ImageRecord::read(cluster, &fleet.members()[*host].facts);
        record.is_none_or(|record| record.inputs != inputs.digest)
    };
    let mut hosts: Vec<usize> = (1..fleet.members().len()).filter(lacks).collect();
    make_folders(fleet, cluster, &hosts).await?;
    let Uploaded { digest: Digest { sha256, size }, relayed } =
        send(fleet, cluster, iso, &inputs.digest, &hosts).await?;
    // Where the others do not have it, the next run brings it from the first host.
    if relayed.is_err() {
        hosts.clear();
    }
    let record = ImageRecord { sha256, size, inputs: inputs.digest.clone(), ignited: None };
    let mut changes = vec![Vec::new(); fleet.members().len()];
    changes[0] = as_shown(&place, inputs);
    for &host in [0].iter().chain(&hosts) {
        changes[host].extend(File::new(place.image(), record.text()).changes(&Facts::default()));
    }
    fleet.apply(changes).await?;
    relayed?;
    Ok(1 + hosts.len())
}

/// Returns what writes the installer's inputs down for eyes.
fn as_shown(place: &Place, inputs: &Inputs) -> Vec<Change> {
    File::new(place.inputs(), inputs.shown.clone()).private().changes(&Facts::default())
}

/// Returns the source that makes the image from fresh copies of the inputs, for the installer eats them.
fn creating(cluster: &Cluster, place: &Place, install_config: &Secret, agent_config: &str) -> Script {
    let (assets, iso) = (installer::assets(place), image_path(cluster));
    let new = format!("{iso}.new");
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
        // The pool may be another file system.
        .line(format_args!("mv -f {}/agent.x86_64.iso {}; chmod 600 {1}", quote(&assets), quote(&new)))
        .line(into_place(&new, &iso))
}

fn downloading(cluster: &Cluster, place: &Place, url: &str) -> Script {
    let iso = quote(&image_path(cluster));
    functions(cluster, place, url)
        .line("umask 077")
        .line(format_args!(
            "download {0} {iso} || {{ echo {0}' cannot be downloaded'; exit 1; }}",
            quote(url)
        ))
        .line(format_args!("settle {iso}.part {iso}"))
}

/// Returns the source that writes down what the image is.
fn recording(cluster: &Cluster, place: &Place, inputs: &str) -> Script {
    let (iso, record) = (quote(&image_path(cluster)), place.image());
    let new = format!("{record}.new");
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
            "printf '{{\"sha256\":\"%s\",\"size\":%s,\"inputs\":\"%s\"%s}}\\n' \"$sha256\" \"$size\" {} \"{ignited}\" > {}",
            quote(inputs),
            quote(&new)
        ))
        .line(into_place(&new, &record))
}

async fn copy(fleet: &mut Fleet, cluster: &Cluster, hosts: &[usize]) -> Result<(), Error> {
    let place = Place::of(cluster);
    let first = &fleet.members()[0];
    let record = first.facts.text(&place.image()).unwrap_or_default().to_owned();
    let Some(known) = ImageRecord::read(cluster, &first.facts) else { return Ok(()) };
    make_folders(fleet, cluster, hosts).await?;
    let others: Vec<usize> = hosts.iter().copied().filter(|&host| host != 0).collect();
    if !others.is_empty() {
        spread(fleet, cluster, &known, &others).await?;
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

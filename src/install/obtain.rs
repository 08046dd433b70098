//! Getting `openshift-install` and the `oc` it works with: from the mirror, from the workstation, or out of
//! a release image.

use sha2::{Digest as _, Sha256};
use tokio::{fs::File, io::AsyncReadExt as _};

use crate::{
    bringup::{Place, ReleaseRecord},
    cluster::{Cluster, ImageDigestSource},
    command::{Command, Script, into_place, quote},
    engine::{Event, Fleet},
    host::{self, Digest},
    install::{
        Error,
        download::{environment, functions},
        installer::{bin, folder},
        signature::{UNPROVED, proving},
    },
    secret::Secret,
};

/// Returns the source that gets the installer on the first host, and writes down which release it is of.
///
/// What is there already from the same source is not got again. Programs on the workstation go up here.
///
/// # Errors
/// Returns an error where such a program cannot be read or sent.
pub(super) async fn getting(
    fleet: &Fleet,
    cluster: &Cluster,
    pull_secret: Option<&Secret>,
    known: Option<&str>,
) -> Result<Script, Error> {
    let place = Place::of(cluster);
    let install = &cluster.install;
    if let Some(path) = &install.oc {
        upload(fleet, &place, path, "oc").await?;
    }
    let script = if let Some(path) = &install.installer {
        let sha256 = upload(fleet, &place, path, "openshift-install").await?;
        begin(&place).line(format_args!("key=sha256:{sha256}"))
    } else if let Some(image) = &install.release_image {
        let nothing = Secret::new("{}".to_owned());
        from_release(cluster, &place, image, pull_secret.unwrap_or(&nothing), known)
    } else {
        from_mirror(cluster, &place, known)
    };
    Ok(script.line(finish(cluster, &place).source()))
}

/// Returns source that takes the installer out of a release image, by the user's `oc` or the mirror's.
fn from_release(
    cluster: &Cluster,
    place: &Place,
    image: &str,
    pull_secret: &Secret,
    known: Option<&str>,
) -> Script {
    let mut get = Script::new();
    if cluster.install.oc.is_none() {
        get = get.line(mirror(cluster, place, known).source().trim_end()).line(oc().source().trim_end());
    }
    let get = get.line(extracting(cluster, place, image, pull_secret).source().trim_end());
    unless_there(begin(place).line(format_args!("key={}", quote(image))), &["openshift-install"], &get)
}

/// Returns source that downloads the installer, and the `oc` it works with.
fn from_mirror(cluster: &Cluster, place: &Place, known: Option<&str>) -> Script {
    let (mut script, mut programs) = (begin(place), vec!["openshift-install"]);
    let (key, mut get);
    if cluster.fips {
        script = script.line(FIPS);
        key = "key=\"$version for FIPS from $clients\"";
        get =
            archive(&["openshift-install-rhel9-amd64", "openshift-install-rhel8"], "openshift-install-fips")
                .line("mv -f openshift-install-fips openshift-install");
    } else {
        key = "key=\"$version from $clients\"";
        get = archive(&["openshift-install-linux"], "openshift-install");
    }
    // With it the installer takes the ISO out of the release image, through the cluster's own mirrors;
    // without it, it asks the internet.
    if !cluster.is_upi() {
        programs.push("oc");
        if cluster.install.oc.is_none() {
            get = get.line(oc().source().trim_end());
        }
    }
    let script = script.line(mirror(cluster, place, known).source().trim_end()).line(key);
    unless_there(script, &programs, &get)
}

/// Returns source that gets the mirror's `oc`.
fn oc() -> Script {
    archive(&["openshift-client-linux"], "oc")
}

/// The installer refuses to make a FIPS cluster elsewhere, and says so only after all downloads.
const FIPS: &str = "[ \"$(cat /proc/sys/crypto/fips_enabled 2>/dev/null)\" = 1 ] || \
    { echo 'cluster.fips: the installer makes a FIPS cluster only on a host in FIPS mode, and this one is not'; exit 1; }";

fn begin(place: &Place) -> Script {
    let (folder, bin) = (quote(&folder(place)), quote(&bin(place)));
    Script::new().line(format_args!("umask 077; install -d -m 700 {folder} {bin}; cd {bin}"))
}

/// Adds source that is left out where the programs are there already, from the source `$key` names.
fn unless_there(script: Script, programs: &[&str], get: &Script) -> Script {
    let missing: String = programs.iter().map(|program| format!("! [ -x {program} ] || ")).collect();
    script
        .line(format_args!("if {missing}[ \"$(cat from 2>/dev/null)\" != \"$key\" ]; then"))
        .line("rm -f from")
        .line(get.source().trim_end())
        .line("fi")
}

/// Returns source that sets `clients` to the mirror's folder and `version` to the release: a channel is looked up.
fn mirror(cluster: &Cluster, place: &Place, known: Option<&str>) -> Script {
    let clients = format!("{}/x86_64/clients/ocp", cluster.install.mirror);
    let script = functions(cluster, place, &clients)
        .line(proving(&cluster.install.mirror_key))
        .line(format_args!("clients={} version={}", quote(&clients), quote(known.unwrap_or_default())));
    if known.is_some() {
        return script;
    }
    let asked = quote(&cluster.version);
    script
        .line(format_args!("list=$clients/{asked}/release.txt"))
        .line("release=$(fetch \"$list\") || { echo \"$list cannot be downloaded\"; exit 1; }")
        .line("version=$(sed -n 's/^Name:  *//p' <<<\"$release\" | head -n1)")
        .line("[[ $version =~ ^4\\.[0-9]+\\.[0-9][0-9A-Za-z.-]*$ ]] || { echo \"$list names no release\"; exit 1; }")
        .line(format_args!("echo {asked}\" is $version now\""))
}

/// Returns source that gets a program out of the first of these archives that the mirror has.
///
/// What is downloaded is checked against the mirror's sha256sum.txt, and that by its signature, before it is
/// unpacked.
fn archive(names: &[&str], program: &str) -> Script {
    let find = |name: &&str| format!("grep -E -m1 '  {name}(-[0-9][^ ]*)?\\.tar\\.gz$' sha256sum.txt");
    let find: Vec<String> = names.iter().map(find).collect();
    Script::new()
        .line("sums=$clients/$version/sha256sum.txt")
        .line("fetch -o sha256sum.txt \"$sums\" || { echo \"$sums cannot be downloaded\"; exit 1; }")
        .line("proved \"$sums\" sha256sum.txt")
        .line(format_args!(
            "line=$({}) || {{ echo \"$sums names no {}\"; exit 1; }}",
            find.join(" || "),
            names[0]
        ))
        .line("file=${line##* }")
        .line("verified \"$clients/$version/$file\" \"$file\" \"${line%% *}\"")
        .line(format_args!("tar -xzf \"$file\" {program}; rm -f \"$file\" sha256sum.txt"))
}

/// Returns source that takes the installer out of a release image; the pull secret is gone afterwards.
fn extracting(cluster: &Cluster, place: &Place, image: &str, pull_secret: &Secret) -> Script {
    let secret = format!("{}/pull-secret.json", folder(place));
    let file = |name: &str| Command::new("install").args(["-m", "600", "/dev/stdin", name]);
    let mut oc = Command::new("./oc")
        .args(["adm", "release", "extract", "--command=openshift-install", "--to=."])
        .arg(format_args!("--registry-config={secret}"));
    let mut script = Script::new()
        .line(format_args!("trap 'rm -f {} mirrors.yaml' EXIT", quote(&secret)))
        .feed(pull_secret, &file(&secret));
    if !cluster.install.image_digest_sources.is_empty() {
        let mirrors = mirror_set(&cluster.install.image_digest_sources);
        script = script.feed(&Secret::new(mirrors), &file("mirrors.yaml"));
        oc = oc.arg("--idms-file=mirrors.yaml");
    }
    if let Some(variables) = environment(cluster, place) {
        let names = variables.expose().lines().filter_map(|line| line.split_once('='));
        // `export` is the shell's own: nothing of it is in anybody's arguments.
        let exports: String =
            names.map(|(name, value)| format!("export {name}={}\n", quote(value))).collect();
        script = script.line(exports.trim_end());
    }
    script.line(format_args!(
        "{} || {{ echo {}; exit 1; }}",
        oc.arg(image),
        quote(&format!("{image}: no installer could be extracted"))
    ))
}

/// Returns mirrors in the form `oc` reads them.
fn mirror_set(sources: &[ImageDigestSource]) -> String {
    let entry = |source: &ImageDigestSource| serde_json::json!({ "source": source.source, "mirrors": source.mirrors });
    let set = serde_json::json!({
        "apiVersion": "config.openshift.io/v1",
        "kind": "ImageDigestMirrorSet",
        "metadata": { "name": "ocp2" },
        "spec": { "imageDigestMirrors": sources.iter().map(entry).collect::<Vec<_>>() },
    });
    set.to_string()
}

/// Returns source that asks the installer which release it is of, and writes it down.
fn finish(cluster: &Cluster, place: &Place) -> Script {
    let (asked, record) = (&cluster.version, place.release());
    let new = format!("{record}.new");
    let fits = match cluster.channel() {
        // `stable-4.18` has any 4.18.
        Some(channel) => format!("{}.*", channel.rsplit('-').next().unwrap_or_default()),
        None => asked.clone(),
    };
    let whole = ReleaseRecord { asked: asked.clone(), version: "@".to_owned() }.to_json();
    let (before, after) = whole.split_once('@').unwrap_or_default();
    Script::new()
        .line("said=$(./openshift-install version 2>&1) || { echo \"openshift-install does not run here: $said\"; exit 1; }")
        .line("version=$(sed -n '1s/^[^ ]* //p' <<<\"$said\")")
        .line(format_args!("case $version in {fits}) ;; *)"))
        .line(format_args!("echo 'cluster.version is {asked}, but this openshift-install is of '\"$version\"; exit 1 ;;"))
        .line("esac")
        .line(format_args!("printf '%s%s%s\\n' {} \"$version\" {} >{}", quote(before), quote(after), quote(&new)))
        .line(format_args!("chmod 644 {}", quote(&new)))
        // The programs themselves, before what says that they are there.
        .line("sync -- * .")
        .line(into_place(&new, &record))
        .line("printf '%s\\n' \"$key\" >from")
}

/// Tells whether what came from the mirror is proved by nobody's signature.
pub(super) async fn is_unproved(fleet: &Fleet, cluster: &Cluster) -> Result<bool, Error> {
    let session = &fleet.members()[0].session;
    let mark = format!("{}/{UNPROVED}", bin(&Place::of(cluster)));
    let script = Script::new().line(format_args!("[ ! -e {} ] || echo unproved", quote(&mark)));
    let output = session.run(&script, |_| {}).await?.checked(session.name(), "looking for a signature")?;
    Ok(!output.text().trim().is_empty())
}

/// Sends a program of the workstation's to the first host, unless it is there; returns its SHA-256.
async fn upload(fleet: &Fleet, place: &Place, path: &str, name: &'static str) -> Result<String, Error> {
    let (session, sink) = (&fleet.members()[0].session, fleet.sink());
    let to = format!("{}/{name}", bin(place));
    let here = digest(path).await?;
    match session.digest(&to).await {
        Ok(there) if there == here => return Ok(here.sha256),
        Ok(_) | Err(host::Error::NoFile { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    session.run(&begin(place), |_| {}).await?.checked(session.name(), "making the installer's folder")?;
    let local = |source| Error::Local { path: path.to_owned(), source };
    let file = File::open(path).await.map_err(local)?;
    let progress = |done| {
        let (host, what) = (session.name().to_owned(), name.to_owned());
        sink(Event::Transfer { host, what, done, total: Some(here.size) });
    };
    Ok(session.upload(file, here.size, &to, "0700", progress).await?.sha256)
}

/// Hashes a file of the workstation's, a piece at a time.
async fn digest(path: &str) -> Result<Digest, Error> {
    let local = |source| Error::Local { path: path.to_owned(), source };
    let mut file = File::open(path).await.map_err(local)?;
    let (mut hash, mut size, mut piece) = (Sha256::new(), 0, vec![0; 256 << 10]);
    loop {
        let read = file.read(&mut piece).await.map_err(local)?;
        if read == 0 {
            return Ok(Digest { sha256: data_encoding::HEXLOWER.encode(&hash.finalize()), size });
        }
        hash.update(&piece[..read]);
        size += read as u64;
    }
}

//! The RHCOS disk image on the first host: where the release says, or where the user has it.

use serde::Deserialize;

use crate::{
    bringup::{Place, image_path},
    cluster::{Cluster, OsImage},
    command::{Script, into_place, quote},
    engine::Fleet,
    host::Session,
    install::{
        Error,
        download::{SETTLE, SUM, functions},
        first_host::{apply_on, upload},
        installer,
    },
    resource::Change,
};

/// The release's disk image for QEMU, as `openshift-install coreos print-stream-json` tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Disk {
    pub location: String,
    sha256: String,
    uncompressed_sha256: Option<String>,
}

/// Stream metadata, as far as it is needed (coreos/stream-metadata-go).
#[derive(Deserialize)]
struct Stream {
    architectures: Architectures,
}

#[derive(Deserialize)]
struct Architectures {
    x86_64: Architecture,
}

#[derive(Deserialize)]
struct Architecture {
    artifacts: Artifacts,
}

#[derive(Deserialize)]
struct Artifacts {
    qemu: Platform,
}

#[derive(Deserialize)]
struct Platform {
    formats: Formats,
}

#[derive(Deserialize)]
struct Formats {
    #[serde(rename = "qcow2.gz")]
    qcow2: Format,
}

#[derive(Deserialize)]
struct Format {
    disk: Disk,
}

impl Disk {
    pub fn read(stream: &str) -> Result<Self, String> {
        let stream: Stream = serde_json::from_str(stream).map_err(|error| error.to_string())?;
        Ok(stream.architectures.x86_64.artifacts.qemu.formats.qcow2.disk)
    }

    /// Returns the checksums that the file may have: packed and unpacked, or the one the user gives.
    fn sums<'a>(&'a self, image: Option<&'a OsImage>) -> Vec<&'a str> {
        match image.and_then(|image| image.sha256.as_deref()) {
            Some(sum) => vec![sum],
            None => {
                std::iter::once(&self.sha256).chain(&self.uncompressed_sha256).map(String::as_str).collect()
            }
        }
    }
}

/// Brings the disk image to the first host, verified and unpacked, unless it is there.
pub(super) async fn bring(
    fleet: &mut Fleet,
    cluster: &Cluster,
    image: Option<&OsImage>,
) -> Result<(), Error> {
    let disk = release(&fleet.members()[0].session, cluster).await?;
    let sums = disk.sums(image);
    let location = image.map_or(disk.location.as_str(), |image| &image.place);
    let is_there = has(&fleet.members()[0].session, cluster, &disk, &sums).await?;
    if is_there {
        return Ok(());
    }
    let mut changes = Vec::new();
    if location.contains("://") {
        let resource = "disk image".to_owned();
        changes.push(Change::shell(
            resource,
            &format!("get {location}"),
            downloading(cluster, location, &sums),
        ));
    } else {
        upload(fleet, location, &part(cluster)).await?;
    }
    changes.push(Change::shell(
        "disk image".into(),
        "verify and unpack it",
        unpacking(cluster, location, &disk, &sums),
    ));
    apply_on(fleet, changes).await
}

/// Asks the installer which disk image belongs to its release.
async fn release(session: &Session, cluster: &Cluster) -> Result<Disk, Error> {
    let asking = installer::running(&Place::of(cluster), &["coreos", "print-stream-json"]);
    let what = "openshift-install coreos print-stream-json";
    let output = session.run(&Script::new().line(asking), |_| {}).await?.checked(session.name(), what)?;
    Disk::read(&output.text()).map_err(|reason| Error::Artefact {
        host: session.name().to_owned(),
        path: what.to_owned(),
        reason: format!("it names no qcow2.gz for QEMU on x86_64: {reason}"),
    })
}

/// Where a download goes that is not verified yet.
fn part(cluster: &Cluster) -> String {
    format!("{}.part", image_path(cluster))
}

/// Tells whether the unpacked image is there, by the record of what it was unpacked from.
async fn has(session: &Session, cluster: &Cluster, disk: &Disk, sums: &[&str]) -> Result<bool, Error> {
    let image = quote(&image_path(cluster));
    let script = Script::new().line(format_args!(
        "[ -f {image} ] && [ \"$(cat {} 2>/dev/null)\" = {} ] && echo there || true",
        quote(&origin(cluster)),
        quote(&provenance(disk, sums)),
    ));
    let output = session.run(&script, |_| {}).await?.checked(session.name(), "looking for the disk image")?;
    Ok(output.text().trim() == "there")
}

/// The file that says what the image was unpacked from: packed, there is nothing to compare it with.
fn origin(cluster: &Cluster) -> String {
    Place::of(cluster).var("disk-image.sha256")
}

fn provenance(disk: &Disk, sums: &[&str]) -> String {
    sums.first().map_or(disk.sha256.as_str(), |sum| sum).to_owned()
}

/// Returns the source that downloads the file; what a cut connection left is carried on with.
fn downloading(cluster: &Cluster, location: &str, sums: &[&str]) -> Script {
    let (url, image) = (quote(location), quote(&image_path(cluster)));
    functions(cluster, &Place::of(cluster), location)
        .line("umask 077")
        .line(right(sums))
        .line(format_args!("if [ -f {image}.part ] && right {image}.part; then exit 0; fi"))
        .line(format_args!("download {url} {image} || {{ echo {url}' cannot be downloaded'; exit 1; }}"))
}

/// Returns a shell function that tells whether a file has one of these checksums.
fn right(sums: &[&str]) -> String {
    let sums = sums.iter().map(|sum| quote(sum)).collect::<Vec<_>>().join(" ");
    format!(
        "right() {{ local is; is=$(sum \"$1\"); for s in {sums}; do [ \"$is\" != \"$s\" ] || return 0; done; return 1; }}"
    )
}

/// Returns the source that verifies the file, unpacks it and gives it its name.
fn unpacking(cluster: &Cluster, location: &str, disk: &Disk, sums: &[&str]) -> Script {
    let (image, origin) = (image_path(cluster), origin(cluster));
    let (new, from) = (format!("{image}.new"), format!("{origin}.new"));
    Script::new()
        .line("umask 077")
        .line(format_args!("part={} new={} image={}", quote(&part(cluster)), quote(&new), quote(&image)))
        .line(SUM)
        .line(SETTLE)
        .line(right(sums))
        .line(format_args!(
            "right \"$part\" || {{ rm -f \"$part\"; echo {}; exit 1; }}",
            quote(&format!("the checksum of {location} is wrong: it is not {}", sums.join(" nor ")))
        ))
        .line("rm -f \"$new\"")
        .line("if [ \"$(head -c 2 \"$part\" | od -An -tx1)\" = ' 1f 8b' ]; then gzip -dc < \"$part\" > \"$new\"; else mv \"$part\" \"$new\"; fi")
        .line("qemu-img info -f qcow2 \"$new\" >/dev/null")
        .line("settle \"$new\" \"$image\"; rm -f \"$part\"")
        .line(format_args!("printf %s {} > {}", quote(&provenance(disk, sums)), quote(&from)))
        .line(into_place(&from, &origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STREAM: &str = r#"{"stream": "rhcos-4.18", "architectures": {"aarch64": {}, "x86_64": {"artifacts": {
        "metal": {}, "qemu": {"release": "418", "formats": {"qcow2.gz": {"disk": {
            "location": "https://example.com/rhcos-qemu.x86_64.qcow2.gz", "signature": "x",
            "sha256": "aa", "uncompressed-sha256": "bb"}}}}}}}}"#;

    #[test]
    fn the_releases_disk_image_is_found_in_the_stream() {
        let disk = Disk::read(STREAM).unwrap();
        assert_eq!(disk.location, "https://example.com/rhcos-qemu.x86_64.qcow2.gz");
        assert_eq!(disk.sums(None), ["aa", "bb"]);
        let mut image = OsImage { place: "/x".into(), sha256: None };
        assert_eq!(disk.sums(Some(&image)), ["aa", "bb"]);
        image.sha256 = Some("cc".into());
        assert_eq!(disk.sums(Some(&image)), ["cc"]);
        assert!(Disk::read(r#"{"architectures": {"aarch64": {}}}"#).unwrap_err().contains("x86_64"));
    }
}

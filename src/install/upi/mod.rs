//! The UPI method's own artefacts: RHCOS disk image, ignition, and the CSRs of its nodes.

mod approver;
mod disk_image;
mod ignition;

use crate::{
    bringup::Place,
    cluster::{Cluster, OsImage},
    engine::Fleet,
    install::{Error, first_host::apply_on},
    resource::Change,
    secret::Secret,
};

pub(super) use approver::Approver;
pub(super) use ignition::distribute;

/// Reads a release's stream of images; returns where the disk image is.
#[cfg(fuzzing)]
pub(super) fn image_of_stream(text: &str) -> Option<String> {
    Some(disk_image::Disk::read(text).ok()?.location)
}

/// Makes everything the VMs begin with on the first host: the disk image, then the ignition, whose age counts.
pub(super) async fn make(
    fleet: &mut Fleet,
    cluster: &Cluster,
    image: Option<&OsImage>,
    install_config: &Secret,
) -> Result<(), Error> {
    let place = Place::of(cluster);
    disk_image::bring(fleet, cluster, image).await?;
    let creating = Change::shell(
        "ignition".into(),
        "make it (openshift-install create ignition-configs)",
        ignition::creating(cluster, &place, install_config),
    );
    apply_on(fleet, vec![creating]).await?;
    distribute(fleet, cluster, &[0]).await
}

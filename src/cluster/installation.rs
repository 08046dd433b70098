//! How a cluster is to be installed, as every other room reads it.

use crate::{inventory::TrustBundlePolicy, secret::Secret};

/// How OpenShift is installed.
#[derive(Debug, Clone)]
pub struct Install {
    /// Agent, UPI, or an ISO the user has.
    pub method: Method,
    /// Root of the release mirror, `…/pub/openshift-v4`.
    pub mirror: String,
    /// What proves the mirror's checksum files.
    pub mirror_key: MirrorKey,
    /// Hosts may download by plain HTTP.
    pub allow_http: bool,
    /// `openshift-install` on the workstation, in place of the mirror's.
    pub installer: Option<String>,
    /// `oc` on the workstation, which takes the installer out of a release image.
    pub oc: Option<String>,
    /// Release image the installer is taken from, as a pull spec.
    pub release_image: Option<String>,
    /// `sshKey` of install-config: public keys, one a line.
    pub ssh_key: String,
    /// `proxy` of install-config.
    pub proxy: Option<Proxy>,
    /// `imageDigestSources` of install-config.
    pub image_digest_sources: Vec<ImageDigestSource>,
    /// `additionalTrustBundle` of install-config: certificates in PEM.
    pub trust_bundle: Option<String>,
    /// `additionalTrustBundlePolicy` of install-config; `None`: the installer's default.
    pub trust_bundle_policy: Option<TrustBundlePolicy>,
}

/// The keys that a mirror's checksum files are signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MirrorKey {
    /// The keys, binary, as `gpgv` reads them.
    pub keyring: Vec<u8>,
    /// A checksum file without a signature is refused, and not only told of.
    pub required: bool,
}

/// The cluster's proxy; its URLs may carry a password.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Proxy for HTTP.
    pub http: Option<Secret>,
    /// Proxy for HTTPS.
    pub https: Option<Secret>,
    /// What is reached without it.
    pub no_proxy: Option<String>,
}

/// Where the images of one repository are mirrored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDigestSource {
    /// The repository.
    pub source: String,
    /// Its mirrors, tried in order.
    pub mirrors: Vec<String>,
}

/// Where an RHCOS disk image is, other than the release says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OsImage {
    /// Path on the workstation, or URL.
    pub place: String,
    /// SHA-256 of the file there; `None`: it is the release's own image, packed or unpacked.
    pub sha256: Option<String>,
}

/// Where the boot image comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// `openshift-install agent create image` on the first host.
    Agent,
    /// The release's RHCOS disk image, or the one named, with ignition made on the first host.
    Upi(Option<OsImage>),
    /// An ISO the user already has: path on the workstation, or URL.
    Iso(String),
}

impl Method {
    /// Returns the path of an ISO that goes up from the workstation.
    #[must_use]
    pub fn own_iso(&self) -> Option<&str> {
        match self {
            Self::Iso(place) if !place.contains("://") => Some(place),
            Self::Agent | Self::Upi(_) | Self::Iso(_) => None,
        }
    }
}

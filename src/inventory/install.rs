//! `install:` — how OpenShift gets onto the VMs, and from where.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use super::span::Located;

/// How OpenShift gets onto the VMs, and from where.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct InstallSettings {
    /// The way of installing.
    pub method: Located<Method>,
    /// Boot the VMs from an ISO you have (Assisted Installer): a path or a URL.
    pub iso: Option<Located<String>>,
    /// For `upi`: where the RHCOS disk image is, a path or a URL, instead of where the release says.
    ///
    /// It is the release's own `…-qemu.x86_64.qcow2.gz`, or unpacked; another one needs `?sha256=…` after it.
    #[serde(rename = "clusterOSImage")]
    pub cluster_os_image: Option<Located<String>>,
    /// Where clients and the installer are downloaded: the folder that holds `clients/`.
    pub mirror: Located<String>,
    /// File with the public keys, armored, that the mirror's checksum files are signed with; default: Red Hat's.
    ///
    /// With it, and with the default mirror, a checksum file without a good signature is refused.
    pub mirror_key_file: Option<Located<PathBuf>>,
    /// Let hosts download by plain HTTP, which whoever is on the way can change.
    pub allow_http: bool,
    /// `openshift-install` on this machine, instead of the mirror's; it is sent to the first host.
    pub installer: Option<Located<PathBuf>>,
    /// Release image the installer is taken from, as a pull spec, instead of the mirror's installer.
    pub release: Option<Located<String>>,
    /// `oc` on this machine, which takes the installer out of `release`, and the ISO for it; default: the mirror's.
    pub oc: Option<Located<PathBuf>>,
    /// The cluster's proxy.
    pub proxy: Option<ProxySettings>,
    /// Where images are mirrored.
    pub image_digest_sources: Vec<ImageDigestSource>,
    /// File with more certificate authorities, PEM.
    pub additional_trust_bundle_file: Option<Located<PathBuf>>,
    /// For what the additional authorities are trusted.
    pub additional_trust_bundle_policy: Option<Located<TrustBundlePolicy>>,
}

/// The way of installing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// The agent-based installer.
    Agent,
    /// User-provisioned: VMs from the RHCOS disk image, and a bootstrap VM for a while.
    Upi,
}

/// The cluster's proxy.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProxySettings {
    /// Proxy for HTTP: `http://[user:password@]host:port`.
    pub http_proxy: Option<Located<String>>,
    /// Proxy for HTTPS.
    pub https_proxy: Option<Located<String>>,
    /// What is reached without it: domains, addresses, networks, separated by commas.
    pub no_proxy: Option<Located<String>>,
}

/// Where the images of one repository are mirrored.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ImageDigestSource {
    /// The repository, without tag.
    pub source: Located<String>,
    /// Its mirrors, tried in order.
    #[serde(default)]
    pub mirrors: Vec<Located<String>>,
}

/// For what the additional authorities are trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum TrustBundlePolicy {
    /// Only where a proxy is set; the installer's default.
    Proxyonly,
    /// Always.
    Always,
}

impl TrustBundlePolicy {
    /// Returns the installer's word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proxyonly => "Proxyonly",
            Self::Always => "Always",
        }
    }
}

/// Splits `clusterOSImage` into its place and the SHA-256 that may follow it, as install-config writes it.
#[must_use]
pub fn os_image(text: &str) -> (&str, Option<&str>) {
    text.rsplit_once("?sha256=").map_or((text, None), |(place, sum)| (place, Some(sum)))
}

/// Root of the public mirror, with `clients/ocp/VERSION/` below it.
pub const PUBLIC_MIRROR: &str = "https://mirror.openshift.com/pub/openshift-v4";

impl Default for InstallSettings {
    fn default() -> Self {
        Self {
            method: Located::unwritten(Method::Agent),
            iso: None,
            cluster_os_image: None,
            mirror: Located::unwritten(PUBLIC_MIRROR.to_owned()),
            mirror_key_file: None,
            allow_http: false,
            installer: None,
            release: None,
            oc: None,
            proxy: None,
            image_digest_sources: Vec::new(),
            additional_trust_bundle_file: None,
            additional_trust_bundle_policy: None,
        }
    }
}

//! What the inventory settles by itself: it is only put into the cluster's own words.

use std::path::PathBuf;

use super::{
    Addressing, Capabilities, ImageDigestSource, Install, Machines, Method, MirrorKey, Network, OsImage,
    Proxy, VxlanSettings,
};
use crate::{
    inventory::{
        self, InstallSettings, Inventory, Loaded, Located, PUBLIC_MIRROR, ProxySettings, RELEASE_KEY,
        VirtType, os_image,
    },
    secret::Secret,
};

pub(super) fn value<T: Copy>(field: Option<&Located<T>>) -> Option<T> {
    field.map(|field| field.value)
}

pub(super) fn values<T: Clone>(fields: &[Located<T>]) -> Vec<T> {
    fields.iter().map(|field| field.value.clone()).collect()
}

pub(super) fn network(inventory: &Inventory, mtu: u16, addressing: Addressing) -> Network {
    let network = &inventory.network;
    Network {
        machine: network.machine_network.trunc(),
        cluster: network.cluster_network.cidr.trunc(),
        host_prefix: network.cluster_network.host_prefix.value,
        service: network.service_network.trunc(),
        network_type: network.network_type.value.clone(),
        bridge: network.bridge.value.clone(),
        vxlan: VxlanSettings {
            device: network.vxlan.device.value.clone(),
            vni: network.vxlan.vni.value,
            port: network.vxlan.port.value,
        },
        mtu,
        nat: network.nat,
        addressing,
        ntp: values(&network.ntp),
    }
}

pub(super) fn machines(inventory: &Inventory) -> Machines {
    // One spelling of each path: without the slashes at its end and the doubled ones.
    let pool = inventory.machines.pool.as_ref().map(|pool| pool.components().collect::<PathBuf>());
    Machines {
        pool: pool
            .unwrap_or_else(|| PathBuf::from("/var/lib/libvirt/images").join(&inventory.cluster.name.value)),
        prove_kvm: inventory.machines.virt_type.value != VirtType::Qemu,
    }
}

pub(super) fn install(loaded: &Loaded) -> Install {
    let settings = &loaded.inventory.install;
    Install {
        method: method(settings),
        mirror: settings.mirror.trim_end_matches('/').to_owned(),
        mirror_key: mirror_key(loaded),
        allow_http: settings.allow_http,
        installer: path(settings.installer.as_ref()),
        oc: path(settings.oc.as_ref()),
        release_image: settings.release.as_ref().map(|release| release.value.clone()),
        ssh_key: loaded.ssh_key.clone(),
        proxy: settings.proxy.as_ref().map(proxy),
        image_digest_sources: settings
            .image_digest_sources
            .iter()
            .map(|source| ImageDigestSource {
                source: source.source.value.clone(),
                mirrors: values(&source.mirrors),
            })
            .collect(),
        trust_bundle: loaded.trust_bundle.clone(),
        trust_bundle_policy: value(settings.additional_trust_bundle_policy.as_ref()),
    }
}

fn path(field: Option<&Located<PathBuf>>) -> Option<String> {
    field.map(|field| field.display().to_string())
}

/// Returns the keys of the mirror: a mirror of one's own has Red Hat's signatures too, where somebody copied them.
fn mirror_key(loaded: &Loaded) -> MirrorKey {
    let own = loaded.mirror_key.as_deref();
    let public = loaded.inventory.install.mirror.trim_end_matches('/') == PUBLIC_MIRROR;
    // What is no key was refused with the inventory; by a keyring without keys nothing is right.
    let keyring = inventory::keyring(own.unwrap_or(RELEASE_KEY)).unwrap_or_default();
    MirrorKey { keyring, required: own.is_some() || public }
}

fn method(settings: &InstallSettings) -> Method {
    if let Some(iso) = &settings.iso {
        return Method::Iso(iso.value.clone());
    }
    match settings.method.value {
        inventory::Method::Agent => Method::Agent,
        inventory::Method::Upi => Method::Upi(settings.cluster_os_image.as_ref().map(|image| {
            let (place, sha256) = os_image(image);
            OsImage { place: place.to_owned(), sha256: sha256.map(str::to_owned) }
        })),
    }
}

fn proxy(settings: &ProxySettings) -> Proxy {
    let secret =
        |field: &Option<Located<String>>| field.as_ref().map(|field| Secret::new(field.value.clone()));
    Proxy {
        http: secret(&settings.http_proxy),
        https: secret(&settings.https_proxy),
        no_proxy: settings.no_proxy.as_ref().map(|field| field.value.clone()),
    }
}

pub(super) fn capabilities(inventory: &Inventory) -> Option<Capabilities> {
    inventory.cluster.capabilities.as_ref().map(|capabilities| Capabilities {
        baseline: capabilities.baseline_capability_set.value.clone(),
        additional: values(&capabilities.additional_enabled_capabilities),
    })
}

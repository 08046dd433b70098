//! Ignition: what the installer made for a role, with what one VM has of its own.
//!
//! `openshift-install create ignition-configs` leaves three files: bootstrap.ign, which is whole,
//! and master.ign and worker.ign, which say where the rest is fetched from
//! (`https://api-int…:22623/config/ROLE`) and whose certificate to trust there.

use serde_json::{Value, json};

use crate::{
    bringup::installer_inputs::INTERFACE,
    cluster::{Addressing, Cluster, Node, Role},
};

/// How old the installer's ignition may be when VMs boot from it, seconds.
///
/// Its certificates live for 24 hours, and what was begun with them must be
/// through by then; the slowest bootstrap takes one hour and a half.
pub(super) const FRESH_SECONDS: i64 = 20 * 60 * 60;

/// The first version of the format's third generation: `storage.files` is the same in all later ones.
const GENERATION: &str = "3.";

/// What is wrong with a file the installer made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgnitionError {
    /// It is no JSON.
    #[error("it is not JSON (line {line}, column {column})")]
    Unreadable {
        /// Line of the first fault.
        line: usize,
        /// Its column.
        column: usize,
    },
    /// It is no ignition that is understood here.
    #[error("it is ignition {found}, and ocp2 knows version 3")]
    Version {
        /// What it says of itself.
        found: String,
    },
    /// Its list of files is no list.
    #[error("storage.files is no list")]
    Files,
}

/// Returns the name of the installer's file that a VM begins with.
#[must_use]
pub fn ignition_file(cluster: &Cluster, node: &Node) -> &'static str {
    match (cluster.part(node), node.role) {
        ("bootstrap", _) => "bootstrap.ign",
        (_, Role::Master) => "master.ign",
        (_, Role::Worker) => "worker.ign",
    }
}

/// Adds a VM's host name and, with static addressing, its network settings to the installer's file.
///
/// # Errors
/// Returns an error where the file is not what the installer makes.
pub fn ignition(cluster: &Cluster, node: &Node, installers: &str) -> Result<String, IgnitionError> {
    let mut config: Value = serde_json::from_str(installers)
        .map_err(|error| IgnitionError::Unreadable { line: error.line(), column: error.column() })?;
    let version = config["ignition"]["version"].as_str().unwrap_or("without a version");
    if !version.starts_with(GENERATION) {
        return Err(IgnitionError::Version { found: version.to_owned() });
    }
    let own = own_files(cluster, node);
    let storage = &mut config["storage"];
    if storage.is_null() {
        *storage = json!({});
    }
    let files = storage.as_object_mut().ok_or(IgnitionError::Files)?.entry("files").or_insert(json!([]));
    let files = files.as_array_mut().ok_or(IgnitionError::Files)?;
    // Ignition refuses a path that is there twice.
    files.retain(|file| own.iter().all(|own| own["path"] != file["path"]));
    files.extend(own);
    Ok(config.to_string())
}

/// Returns the files that are a VM's own, as ignition writes them.
#[must_use]
pub fn own_files(cluster: &Cluster, node: &Node) -> Vec<Value> {
    let mut files = vec![file("/etc/hostname", 0o644, &format!("{}\n", cluster.hostname(node)))];
    if cluster.network.addressing == Addressing::Static {
        let path = format!("/etc/NetworkManager/system-connections/{INTERFACE}.nmconnection");
        // NetworkManager reads no connection that others can read too.
        files.push(file(&path, 0o600, &connection(cluster, node)));
    }
    files
}

fn file(path: &str, mode: u32, content: &str) -> Value {
    let source =
        format!("data:text/plain;charset=utf-8;base64,{}", data_encoding::BASE64.encode(content.as_bytes()));
    json!({"path": path, "mode": mode, "overwrite": true, "contents": {"source": source}})
}

/// Returns NetworkManager's connection of the VM's only NIC, found by its MAC whatever its name is.
fn connection(cluster: &Cluster, node: &Node) -> String {
    let network = &cluster.network;
    // A VM's way out, its resolver and its balancer are its own host's.
    let host = cluster.hosts[node.host].address;
    format!(
        "[connection]\nid={INTERFACE}\ntype=ethernet\nautoconnect-priority=1\n\n\
         [ethernet]\nmac-address={}\nmtu={}\n\n\
         [ipv4]\nmethod=manual\naddress1={}/{},{host}\ndns={host};\ndns-search={};\n\n\
         [ipv6]\nmethod=disabled\n",
        node.mac,
        network.mtu,
        node.address,
        network.machine.prefix_len(),
        cluster.domain(),
    )
}

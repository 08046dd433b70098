//! `ocp2 gather`: collect the logs that say why it does not work.

use std::path::PathBuf;

use clap::Args;

use crate::{
    cli::{
        failure::Failure,
        global::{Global, Output, print, print_json},
        site::Site,
    },
    install,
};

/// Options of `gather`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Inventory file
    #[arg(value_name = "INVENTORY")]
    positional: Option<PathBuf>,
    /// Folder to collect into, instead of a new one beside the inventory
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// Runs the command; the folder's path is the result.
pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<(), Failure> {
    let (site, lost) = Site::open_reachable(global, arguments.positional.as_deref()).await?;
    // Names and paths are enough: what is wrong with a host must not keep its logs.
    let cluster = site.cluster().unwrap_or_else(|_| site.assumed().clone());
    let folder = arguments.dir.unwrap_or_else(|| site.gather_folder());
    install::gather(&site.fleet, &cluster, &site.secrets(&cluster), &folder).await?;
    if let Some(error) = &lost {
        let all: Vec<String> = error.each().iter().map(|error| format!("{error}\n")).collect();
        install::write_private(&folder.join("not-reached.txt"), all.concat().as_bytes())?;
    }
    site.fleet.close().await;
    let folder = folder.display().to_string();
    match global.output {
        Output::Json => print_json(&serde_json::json!({ "apiVersion": "ocp2/v1", "folder": folder }))?,
        Output::Text => print(&folder)?,
    }
    lost.map_or(Ok(()), |error| Err(error.into()))
}

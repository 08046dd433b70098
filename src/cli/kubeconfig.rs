//! `ocp2 kubeconfig`: fetch the way into an installed cluster.

use std::path::PathBuf;

use clap::Args;

use crate::{
    cli::{
        failure::Failure,
        global::{Global, print},
        site::Site,
    },
    install,
};

/// Options of `kubeconfig`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Inventory file
    #[arg(value_name = "INVENTORY")]
    positional: Option<PathBuf>,
}

/// Runs the command; the path of the kubeconfig is the result.
pub(super) async fn run(global: &Global, arguments: Arguments) -> Result<(), Failure> {
    Site::visit(global, arguments.positional.as_deref(), async |site| {
        let cluster = site.cluster()?;
        let credentials = install::fetch(&site.fleet, &cluster, &site.credentials_folder()).await?;
        print(&credentials.kubeconfig.display().to_string())
    })
    .await
}

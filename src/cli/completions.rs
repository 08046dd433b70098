//! `ocp2 completions`: for bash, zsh, fish and others.

use clap::Args;
use clap_complete::Shell;

use crate::cli::{failure::Failure, global::print};

/// Options of `completions`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, mut command: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "ocp2", &mut script);
    print(&String::from_utf8_lossy(&script))
}

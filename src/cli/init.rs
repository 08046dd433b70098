//! `ocp2 init`: a commented starter inventory.

use std::{io::Write, path::PathBuf};

use clap::Args;

use crate::{cli::failure::Failure, inventory::STARTER, ui::say};

/// Options of `init`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// File to write
    #[arg(value_name = "FILE", default_value = "inventory.yaml")]
    file: PathBuf,
}

/// Runs the command; a file that is there is never overwritten.
pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let path = &arguments.file;
    if path.as_os_str() == "-" {
        return crate::cli::global::print(STARTER);
    }
    let local = |source| Failure::Local { what: format!("writing {}", path.display()), source };
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(local)?;
    file.write_all(STARTER.as_bytes()).map_err(local)?;
    say(&format!("wrote {0}; edit it, then: ocp2 plan {0}", path.display()));
    Ok(())
}

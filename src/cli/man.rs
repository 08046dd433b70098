//! `ocp2 man`: the manual page, in roff.

use crate::cli::{failure::Failure, global::print};

/// Runs the command.
pub(super) fn run(command: clap::Command) -> Result<(), Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command)
        .render(&mut page)
        .map_err(|source| Failure::Local { what: "writing the manual page".into(), source })?;
    print(&String::from_utf8_lossy(&page))
}

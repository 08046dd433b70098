//! The commands, one file each.

pub mod lab;

use std::process::ExitCode;

/// Runs the program: parse, run, exit code.
pub fn main() -> ExitCode {
    ExitCode::SUCCESS
}

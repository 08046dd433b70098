//! Options that every command has.

use std::{
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, ValueEnum};

use crate::{cli::failure::Failure, ui::Color, untrusted};

/// Options that every command has.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Inventory file [default: $OCP2_INVENTORY, else inventory.yaml]
    #[arg(short, long, global = true, value_name = "FILE")]
    pub(super) inventory: Option<PathBuf>,
    /// Format of the result on stdout
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Output,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Color,
    /// Show what the programs on the hosts print
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// Longest that a host may take to answer a question, such as 90s or 5m [default: 2m]
    #[arg(long, global = true, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// Do not ask
    #[arg(short, long, global = true)]
    pub(super) yes: bool,
}

/// Reads a duration such as `90s` or `5m`.
fn duration(text: &str) -> Result<Duration, String> {
    let read: jiff::SignedDuration =
        text.parse().map_err(|_| "a duration is such as 90s or 5m".to_owned())?;
    let read = Duration::try_from(read).ok().filter(|duration| *duration >= Duration::from_secs(1));
    read.ok_or_else(|| "it has to be a second at the least".to_owned())
}

/// Format of a result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For eyes.
    #[default]
    Text,
    /// For programs.
    Json,
}

impl Global {
    /// Returns the inventory's path: named once, or by the environment, or the default.
    pub(super) fn inventory(&self, positional: Option<&Path>) -> Result<PathBuf, Failure> {
        match (positional, &self.inventory) {
            (Some(_), Some(_)) => {
                Err(Failure::Usage("the inventory is named twice: as an argument and with -i".into()))
            }
            (Some(path), None) => Ok(path.to_owned()),
            (None, Some(path)) => Ok(path.clone()),
            (None, None) => {
                let named = std::env::var_os("OCP2_INVENTORY").filter(|value| !value.is_empty());
                Ok(named.map_or_else(|| PathBuf::from("inventory.yaml"), PathBuf::from))
            }
        }
    }

    /// Asks a yes-or-no question; `Ok(true)` at once with `--yes`.
    ///
    /// # Errors
    /// Returns a usage error where nobody can be asked.
    pub(super) fn confirm(&self, question: &str) -> Result<bool, Failure> {
        if self.yes {
            return Ok(true);
        }
        if !std::io::stdin().is_terminal() {
            return Err(Failure::Usage(format!("{question} Nobody can be asked here: say --yes")));
        }
        ask(&format!("{question} [y/N] ")).map(|answer| matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

/// Reads one answer from the terminal.
pub(super) fn ask(prompt: &str) -> Result<String, Failure> {
    let local = |source| Failure::Local { what: "asking on the terminal".into(), source };
    write!(std::io::stderr(), "{}", untrusted::shown(prompt)).map_err(local)?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(local)?;
    Ok(answer)
}

/// Prints a result on stdout; a reader that went away early is not a failure.
///
/// What a host has put into it does nothing to a terminal.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    print_exactly(&untrusted::coloured(text))
}

/// Prints a file as it is: it holds nothing that a host made.
pub(super) fn print_exactly(text: &str) -> Result<(), Failure> {
    let newline = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    match write!(std::io::stdout(), "{text}{newline}").and_then(|()| std::io::stdout().flush()) {
        Err(source) if source.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Failure::Local { what: "writing the result".into(), source })
        }
        _ => Ok(()),
    }
}

/// Prints a result as JSON on stdout.
pub(super) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let source =
        |error: serde_json::Error| Failure::Local { what: "writing the result".into(), source: error.into() };
    print_exactly(&untrusted::json(&serde_json::to_string_pretty(value).map_err(source)?))
}

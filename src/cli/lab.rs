//! `ocp2 lab`: the rehearsal on this one machine.

use std::{ffi::OsString, process::ExitCode};

use clap::{Args, Subcommand};

use crate::lab::{self, Home, LabError, Outcome, Status};

/// Rehearse on this machine: two real hosts and a stand-in release
#[derive(Debug, Args)]
pub struct LabArgs {
    #[command(subcommand)]
    command: LabCommand,
}

#[derive(Debug, Subcommand)]
enum LabCommand {
    /// Make the hosts, their network, a workstation and a release mirror
    Up {
        /// How many hosts to make: bm1, bm2, …
        #[arg(long, default_value_t = 2, value_name = "N")]
        hosts: u8,
        /// Make hosts without packages, and a local repository to install from
        #[arg(long)]
        bare: bool,
    },
    /// Remove it all; what was downloaded or built is kept
    Down,
    /// Show what there is
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Run a command at a place of the lab
    Exec {
        /// workstation, internet, or a host: bm1, bm2, …
        place: String,
        /// The command and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Switch a host off and on again
    Reboot {
        /// The host: bm1, bm2, …
        host: String,
        /// Cut the power instead of shutting down
        #[arg(long)]
        pull_plug: bool,
    },
}

/// Runs `ocp2 lab …`.
///
/// The lab blocks on the machine's own programs, so it works on a thread of its own.
pub async fn run(args: LabArgs) -> Result<ExitCode, LabError> {
    let done = tokio::task::spawn_blocking(move || dispatch(args.command)).await;
    // A panic has been printed by then.
    done.unwrap_or(Ok(ExitCode::FAILURE))
}

#[expect(clippy::print_stdout, reason = "the command's result")]
fn dispatch(command: LabCommand) -> Result<ExitCode, LabError> {
    let home = Home::from_env();
    match command {
        LabCommand::Up { hosts, bare } => match lab::up(&home, hosts, bare, &mut say)? {
            Outcome::Made => say(&format!("the lab is up; its files are in {}", home.state.display())),
            Outcome::AlreadyUp => say("the lab is already up"),
        },
        LabCommand::Down => {
            let there = lab::down(&home, &mut say)?;
            say(if there { "the lab is down" } else { "there is no lab" });
        }
        LabCommand::Status { json } => {
            let status = lab::status(&home)?;
            match (status, json) {
                (Some(status), true) => {
                    println!("{}", serde_json::to_string_pretty(&status).unwrap_or_default())
                }
                (None, true) => println!("null"),
                (Some(status), false) => println!("{}", screen(&status)),
                (None, false) => println!("the lab is down"),
            }
        }
        LabCommand::Exec { place, command } => return Err(lab::exec(&home, &place, &command)),
        LabCommand::Reboot { host, pull_plug } => {
            lab::reboot(&home, &host, pull_plug, &mut say)?;
            say(&format!("{host} is back"));
        }
    }
    Ok(ExitCode::SUCCESS)
}

#[expect(clippy::print_stderr, reason = "progress is for the reader, not for a pipe")]
fn say(line: &str) {
    eprintln!("lab: {line}");
}

fn screen(status: &Status) -> String {
    let mut lines =
        vec![format!("the lab has {}; its mirror is {}", status.record.summary(), status.record.mirror)];
    for place in &status.places {
        let host = status.record.hosts.iter().find(|host| host.name == place.name);
        let address = host.map(|host| host.address.to_string()).unwrap_or_default();
        lines.push(
            format!("  {:<12} {:<3} {address}", place.name, if place.on { "on" } else { "off" })
                .trim_end()
                .into(),
        );
    }
    lines.join("\n")
}

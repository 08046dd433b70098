//! `ocp2 lab`: the rehearsal on this one machine.

use std::ffi::OsString;

use clap::{Args, Subcommand};

use crate::{
    cli::{
        failure::Failure,
        global::{Global, Output, print, print_json},
    },
    lab::{self, Home, Order, Outcome, Status, Wiring},
    ui::say,
};

/// Options of `lab`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the hosts, their network, a workstation and a release mirror
    Up {
        /// How many hosts to make: bm1, bm2, …
        #[arg(long, default_value_t = 2, value_name = "N")]
        hosts: u8,
        /// Make hosts without packages, and a local repository to install from
        #[arg(long)]
        bare: bool,
        /// Give each a second NIC, ens35f0, on a network of their own: 10.20.0.11, …
        #[arg(long)]
        private_nic: bool,
        /// Put the public addresses behind 1:1 NAT: the hosts have 10.30.0.11, …
        #[arg(long)]
        nat: bool,
    },
    /// Remove it all; what was downloaded or built is kept
    Down,
    /// Show what there is
    Status,
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

/// Runs the command. The lab works with the machine's own programs and blocks.
pub(super) fn run(global: &Global, arguments: Arguments) -> Result<(), Failure> {
    let home = Home::from_env();
    let mut progress = |line: &str| say(&format!("lab: {line}"));
    match arguments.command {
        Command::Up { hosts, bare, private_nic, nat } => {
            let order = Order { hosts, bare, wiring: Wiring { private_nic, nat } };
            match lab::up(&home, order, &mut progress)? {
                Outcome::Made => say(&format!("the lab is up; its files are in {}", home.state.display())),
                Outcome::AlreadyUp => say("the lab is already up"),
            }
        }
        Command::Down => {
            let there = lab::down(&home, &mut progress)?;
            say(if there { "the lab is down" } else { "there is no lab" });
        }
        Command::Status => {
            let status = lab::status(&home)?;
            match (global.output, status) {
                (Output::Json, status) => print_json(&status)?,
                (Output::Text, Some(status)) => print(&screen(&status))?,
                (Output::Text, None) => print("the lab is down")?,
            }
        }
        Command::Exec { place, command } => return Err(lab::exec(&home, &place, &command).into()),
        Command::Reboot { host, pull_plug } => {
            lab::reboot(&home, &host, pull_plug, &mut progress)?;
            say(&format!("{host} is back"));
        }
    }
    Ok(())
}

fn screen(status: &Status) -> String {
    let mut lines =
        vec![format!("the lab has {}; its mirror is {}", status.record.summary(), status.record.mirror)];
    for place in &status.places {
        let host = status.record.hosts.iter().find(|host| host.name == place.name);
        let address = host.map(|host| host.address.to_string()).unwrap_or_default();
        let state = if place.on { "on" } else { "off" };
        lines.push(format!("  {:<12} {state:<3} {address}", place.name).trim_end().to_owned());
    }
    lines.join("\n")
}

//! The commands, one file each.

mod completions;
mod down;
mod echo;
mod failure;
mod gather;
mod global;
mod init;
mod kubeconfig;
mod lab;
mod leave;
mod man;
mod plan;
mod power;
mod quorum;
mod render;
mod schema;
mod site;
mod up;
mod vms;

use std::{process::ExitCode, time::Duration};

use clap::{CommandFactory, Parser, Subcommand};

use failure::Failure;
use global::Global;

/// OpenShift on bare-metal Linux servers, as VMs on one stretched L2 network
#[derive(Debug, Parser)]
#[command(name = "ocp2", version, propagate_version = true, disable_help_subcommand = true)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented starter inventory
    Init(init::Arguments),
    /// Show what `up` would change, per phase and host
    Plan(plan::Arguments),
    /// Bring the cluster up; run again, it changes only what differs
    Up(up::Arguments),
    /// Remove exactly what ocp2 made
    Down(down::Arguments),
    /// List, start, stop or restart the VMs
    Vms(vms::Arguments),
    /// Print what is put on hosts and given to the installer, offline
    Render(render::Arguments),
    /// Fetch the kubeconfig of an installed cluster
    Kubeconfig(kubeconfig::Arguments),
    /// Collect logs from all hosts, without the secrets in them
    Gather(gather::Arguments),
    /// Rehearse on this machine: real hosts in network namespaces, a stand-in release
    Lab(lab::Arguments),
    /// Print the JSON Schema of the inventory
    Schema,
    /// Print completions for a shell
    Completions(completions::Arguments),
    /// Print the manual page
    Man,
    /// Print the version
    Version,
}

/// Runs the program: parse, run, exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // clap prints help to stdout and mistakes to stderr; a closed pipe is not worth a word.
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * failure::USAGE);
        }
    };
    let Arguments { global, command } = arguments;
    let outcome = run(&global, command);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(global.color),
    }
}

fn run(global: &Global, command: Command) -> Result<(), Failure> {
    match command {
        Command::Init(arguments) => init::run(&arguments),
        Command::Render(arguments) => render::run(global, &arguments),
        Command::Schema => schema::run(),
        Command::Completions(arguments) => completions::run(&arguments, Arguments::command()),
        Command::Man => man::run(Arguments::command()),
        Command::Version => global::print(&format!("ocp2 {}", env!("CARGO_PKG_VERSION"))),
        Command::Plan(arguments) => wait(plan::run(global, arguments)),
        Command::Up(arguments) => wait(up::run(global, arguments)),
        Command::Down(arguments) => wait(down::run(global, arguments)),
        Command::Vms(arguments) => wait(vms::run(global, arguments)),
        Command::Kubeconfig(arguments) => wait(kubeconfig::run(global, arguments)),
        Command::Gather(arguments) => wait(gather::run(global, arguments)),
        Command::Lab(arguments) => lab::run(global, arguments),
    }
}

/// Runs a command that talks to hosts.
fn wait(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // A few sockets a host; the usual soft limit of 1024 is there for programs that use select().
    // Where it cannot be raised, connecting says so.
    let _ = rlimit::increase_nofile_limit(8192);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|source| Failure::Local { what: "starting the runtime".into(), source })?;
    let outcome = runtime.block_on(command);
    // No thread may still run when the process ends: the C libraries' exit handlers free what it
    // uses. But what hangs (a libvirt call to a host that is gone) must not keep the user for long.
    runtime.shutdown_timeout(Duration::from_secs(2));
    echo::restore();
    outcome
}

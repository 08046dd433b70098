//! `ocp2 render`: what would be on hosts and given to the installer, offline.

use std::{
    collections::BTreeMap,
    io::IsTerminal,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use clap::{Args, ValueEnum};

use crate::{
    bringup::{Phase, domain, ignition, installer_inputs},
    cli::{
        failure::Failure,
        global::{Global, print, print_exactly},
        site::load,
    },
    cluster::{self, Cluster, Resolved},
    inventory::Loaded,
    resource::{Facts, Resource},
    ui::say,
};

/// Options of `render`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// What to print
    #[arg(required = true, value_enum, value_name = "NAME")]
    names: Vec<Name>,
    /// Only for this host (default: every host)
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Write files (mode 0600) into this folder instead
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Something that can be rendered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    InstallConfig,
    AgentConfig,
    Ignition,
    Overlay,
    Sysctl,
    Nftables,
    Dnsmasq,
    Hosts,
    DhcpHosts,
    Haproxy,
    Units,
    Domain,
    Pool,
    Volume,
}

/// One rendered file.
struct Rendered {
    host: Option<String>,
    file: String,
    text: String,
    secret: bool,
}

/// Runs the command.
pub(super) fn run(global: &Global, arguments: &Arguments) -> Result<(), Failure> {
    let loaded = load(&global.inventory(None)?)?;
    // No host was asked: what only hosts can tell is assumed, and said.
    let Resolved { cluster, warnings } = cluster::resolve(&loaded, &BTreeMap::new())?;
    for warning in &warnings {
        say(&format!("note: {warning}"));
    }
    if let Some(host) = &arguments.host
        && !cluster.hosts.iter().any(|known| known.name == *host)
    {
        let known = cluster.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(Failure::Usage(format!("there is no host {host}; there are {known}")));
    }
    let mut all = Vec::new();
    for name in &arguments.names {
        all.extend(rendered(*name, &cluster, &loaded, arguments)?);
    }
    match &arguments.dir {
        Some(folder) => all.iter().try_for_each(|one| write(folder, one)),
        None => show(&all, &cluster),
    }
}

fn rendered(
    name: Name,
    cluster: &Cluster,
    loaded: &Loaded,
    arguments: &Arguments,
) -> Result<Vec<Rendered>, Failure> {
    let alone = |file: &str, text: String, secret| Rendered { host: None, file: file.into(), text, secret };
    match name {
        Name::InstallConfig => {
            let nothing = crate::secret::Secret::new(String::new());
            let secret = loaded.pull_secret.as_ref().unwrap_or(&nothing);
            let text = installer_inputs::install_config(cluster, secret)?.expose().to_owned();
            return Ok(vec![alone("install-config.yaml", text, true)]);
        }
        Name::AgentConfig => {
            return Ok(vec![alone("agent-config.yaml", installer_inputs::agent_config(cluster)?, false)]);
        }
        Name::Ignition if !cluster.is_upi() => {
            return Err(Failure::Usage("only the UPI method (install.method: upi) has ignition".into()));
        }
        _ => {}
    }
    let mut all = Vec::new();
    for (index, host) in cluster.hosts.iter().enumerate() {
        if arguments.host.as_ref().is_some_and(|asked| *asked != host.name) {
            continue;
        }
        let mut push = |file: &str, text: &str| {
            all.push(Rendered {
                host: Some(host.name.clone()),
                file: file.into(),
                text: text.into(),
                secret: false,
            });
        };
        if name == Name::Ignition {
            for node in cluster.machines_on(index) {
                let own = ignition(cluster, node, r#"{"ignition": {"version": "3.2.0"}}"#);
                push(&format!("{}.ign", cluster.domain_name(node)), &own.unwrap_or_default());
            }
            continue;
        }
        if name == Name::Domain {
            for node in cluster.machines_on(index) {
                push(&format!("{}.xml", cluster.domain_name(node)), &domain(cluster, node)?.xml);
            }
            continue;
        }
        for phase in [Phase::Overlay, Phase::Nat, Phase::Names, Phase::Balancer, Phase::Machines] {
            for resource in phase.wanted(cluster, index, &Facts::default())? {
                match resource {
                    Resource::File(file) if is_asked(name, &file.path) => {
                        push(file.path.rsplit('/').next().unwrap_or(&file.path), &file.content);
                    }
                    Resource::Pool(pool) if name == Name::Pool => push("pool.xml", &pool.xml),
                    Resource::Volume(volume) if name == Name::Volume => {
                        push(&format!("{}.xml", volume.name), &volume.xml);
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(all)
}

fn is_asked(name: Name, path: &str) -> bool {
    let ends = match name {
        Name::Overlay => "/overlay.sh",
        Name::Nftables => "/nftables.nft",
        Name::Dnsmasq => "/dnsmasq.conf",
        Name::Hosts => "/hosts",
        Name::DhcpHosts => "/dhcp-hosts",
        Name::Haproxy => "/haproxy.cfg",
        Name::Units => ".service",
        Name::Sysctl => return path.starts_with("/etc/sysctl.d/"),
        Name::InstallConfig
        | Name::AgentConfig
        | Name::Ignition
        | Name::Domain
        | Name::Pool
        | Name::Volume => {
            return false;
        }
    };
    path.ends_with(ends)
}

/// Prints one thing as it is, several each under a line that names it.
fn show(all: &[Rendered], cluster: &Cluster) -> Result<(), Failure> {
    let terminal = std::io::stdout().is_terminal();
    for one in all {
        if all.len() > 1 {
            let place = one.host.as_deref().map(|host| format!("{host}: ")).unwrap_or_default();
            let xml = Path::new(&one.file).extension().is_some_and(|extension| extension == "xml");
            let (open, close) = if xml { ("<!-- ", " -->") } else { ("# ", "") };
            print(&format!("{open}{place}{}{close}", one.file))?;
        }
        if one.secret && terminal {
            say("note: secrets are masked on a terminal; redirect stdout, or use --dir, for the real file");
            print(&installer_inputs::install_config_masked(cluster)?)?;
        } else {
            print_exactly(&one.text)?;
        }
    }
    Ok(())
}

fn write(folder: &Path, one: &Rendered) -> Result<(), Failure> {
    let folder = one.host.as_ref().map_or_else(|| folder.to_owned(), |host| folder.join(host));
    let local = |what: &Path| {
        let what = format!("writing {}", what.display());
        |source| Failure::Local { what, source }
    };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(local(&folder))?;
    let path = folder.join(&one.file);
    let _ = std::fs::remove_file(&path);
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .map_err(local(&path))?;
    std::io::Write::write_all(&mut file, one.text.as_bytes()).map_err(local(&path))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}

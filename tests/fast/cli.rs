//! The command line as its user has it: the program itself, its two streams and its exit code.

use std::{
    fmt::Write as _,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::{
    inventories::{self, SECRET},
    programs::{Outcome, run},
};

const OCP2: &str = env!("CARGO_BIN_EXE_ocp2");

/// A user's folder: a home, and an inventory beside it.
struct Desk {
    home: TempDir,
}

impl Desk {
    fn new() -> Self {
        let home = inventories::home();
        fs::copy(inventories::path("two-hosts"), home.path().join("inventory.yaml")).unwrap();
        Self { home }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.home.path().join(file)
    }

    fn write(&self, file: &str, text: &str) -> &Self {
        fs::write(self.path(file), text).unwrap();
        self
    }

    /// Runs ocp2 in this folder, with nothing of this machine's in its environment.
    fn ocp2(&self, arguments: &[&str]) -> Outcome {
        self.ocp2_with(arguments, &[])
    }

    fn ocp2_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
        let output = assert_cmd::Command::new(OCP2)
            .args(arguments)
            .current_dir(self.home.path())
            .env_clear()
            .env("HOME", self.home.path())
            .env("PATH", "/usr/bin:/bin")
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        Outcome {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs ocp2 on a terminal; what it says on both streams comes out as one.
    fn ocp2_on_a_terminal(&self, arguments: &str, variables: &str) -> String {
        let command = format!(
            "cd {0} && HOME={0} TERM=xterm {variables} {OCP2} {arguments}",
            self.home.path().display()
        );
        run("script", &["-qec", &command, "/dev/null"], "").stdout
    }
}

/// Shows an outcome as one would see it.
fn shown(outcome: &Outcome) -> String {
    let mut text = format!("exit {}\n", outcome.status);
    for (name, stream) in [("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        if !stream.is_empty() {
            write!(text, "--- {name}\n{stream}").unwrap();
        }
    }
    text
}

fn assert_snapshot(name: &str, text: &str) {
    insta::with_settings!({
        prepend_module_to_snapshot => false, snapshot_path => "snapshots/cli", omit_expression => true,
    }, { insta::assert_snapshot!(name, text) });
}

/// Returns every command, subcommands as words after it, and its help.
fn helps() -> Vec<(Vec<String>, String)> {
    let desk = Desk::new();
    let mut all = Vec::new();
    let mut open = vec![Vec::new()];
    while let Some(words) = open.pop() {
        let arguments: Vec<&str> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let outcome = desk.ocp2(&arguments);
        assert_eq!((outcome.status, outcome.stderr.as_str()), (0, ""), "{words:?}");
        let section = outcome.stdout.split_once("Commands:\n").map_or("", |(_, rest)| rest);
        let commands = section.lines().take_while(|line| line.starts_with("  "));
        for command in commands.filter_map(|line| line.split_whitespace().next()) {
            open.push(words.iter().cloned().chain([command.to_owned()]).collect());
        }
        all.push((words, outcome.stdout));
    }
    all
}

#[test]
fn every_command_says_what_it_does() {
    let helps = helps();
    assert!(helps.len() > 15, "{:?}", helps.iter().map(|(words, _)| words).collect::<Vec<_>>());
    for (words, help) in helps {
        let wide: Vec<&str> = help.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "{words:?}: {wide:#?}");
        let first = help.lines().next().unwrap_or_default();
        assert!(!first.is_empty() && !first.ends_with('.') && first.len() <= 90, "{words:?}: {first}");
        assert_snapshot(&format!("help {}", words.join(" ")).trim_end().replace(' ', "-"), &help);
    }
}

#[test]
fn a_command_line_without_sense_is_explained() {
    let desk = Desk::new();
    let without = desk.ocp2(&[]);
    assert_eq!((without.status, without.stdout.as_str()), (2, ""));
    assert!(without.stderr.contains("Usage: ocp2 [OPTIONS] <COMMAND>"), "{}", without.stderr);
    let lines: [&[&str]; 9] = [
        &["--nonsense"],
        &["nonsense"],
        &["plan", "--nonsense"],
        &["plan", "inventory.yaml", "-i", "inventory.yaml"],
        &["up", "--until", "heaven"],
        &["render"],
        &["render", "nonsense"],
        &["render", "overlay", "--host", "bm9"],
        &["vms", "start"],
    ];
    let mut all = String::new();
    for line in lines {
        let outcome = desk.ocp2(line);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (2, ""), "{line:?}: {outcome:#?}");
        writeln!(all, "$ ocp2 {}\n{}", line.join(" "), outcome.stderr.trim_end()).unwrap();
    }
    assert_snapshot("usage", &all);
}

#[test]
fn an_inventory_that_is_not_there_is_no_riddle() {
    let desk = Desk::new();
    for line in [&["plan", "nowhere.yaml"][..], &["render", "overlay", "-i", "nowhere.yaml"]] {
        let outcome = desk.ocp2(line);
        assert_eq!(outcome.status, 3);
        assert_snapshot("inventory-not-there", &shown(&outcome));
    }
}

#[test]
fn the_inventory_is_found_where_it_is_said_to_be() {
    let desk = Desk::new();
    let named = |cluster: &str| {
        fs::read_to_string(desk.path("inventory.yaml"))
            .unwrap()
            .replace("name: ocp", &format!("name: {cluster}"))
    };
    desk.write("by-variable.yaml", &named("variable")).write("by-option.yaml", &named("option"));
    let name = |arguments: &[&str], variable: &str| {
        let outcome = desk.ocp2_with(
            &[&["render", "pool", "--host", "bm1"], arguments].concat(),
            &[("OCP2_INVENTORY", variable)],
        );
        assert_eq!(outcome.status, 0, "{outcome:#?}");
        let (_, rest) = outcome.stdout.split_once("<name>ocp2-").unwrap();
        rest.split_once('<').unwrap().0.to_owned()
    };
    assert_eq!(name(&[], ""), "ocp");
    assert_eq!(name(&[], "by-variable.yaml"), "variable");
    assert_eq!(name(&["-i", "by-option.yaml"], "by-variable.yaml"), "option");
    assert_eq!(name(&["--inventory=by-option.yaml"], ""), "option");
}

/// An inventory with two things wrong, one of them a secret in the wrong place.
fn wrong(desk: &Desk) -> &Desk {
    let text = fs::read_to_string(desk.path("inventory.yaml")).unwrap();
    let text = text.replace("nic: ens34f0\n  - name: bm2", "nick: ens34f0\n  - name: bm2");
    desk.write("wrong.yaml", &text.replace("version: 4.18.30", "version: four"))
}

#[test]
fn a_wrong_inventory_is_shown_with_its_places() {
    let desk = Desk::new();
    let outcome = wrong(&desk).ocp2(&["plan", "wrong.yaml"]);
    assert_eq!(outcome.status, 3);
    // Line and column, and a mark below the place itself.
    for sign in ["wrong.yaml:6:12", "wrong.yaml:12:5", "· ", "──"] {
        assert!(outcome.stderr.contains(sign), "{sign} is not in\n{}", outcome.stderr);
    }
    assert_snapshot("inventory-wrong", &shown(&outcome));
}

#[test]
fn colours_are_for_terminals_and_for_those_who_ask() {
    let desk = Desk::new();
    // The last line and the picture of the place agree.
    let coloured = |text: &str| {
        let [first, last] =
            ["×", "error:"].map(|sign| text.lines().any(|line| line.contains(sign) && line.contains('\x1b')));
        assert_eq!(first, last, "{text:?}");
        first
    };
    let plan = ["plan", "wrong.yaml"];
    wrong(&desk);
    assert!(!coloured(&desk.ocp2(&plan).stderr));
    assert!(coloured(&desk.ocp2(&[&plan[..], &["--color", "always"]].concat()).stderr));
    assert!(coloured(
        &desk.ocp2_with(&[&plan[..], &["--color", "always"]].concat(), &[("NO_COLOR", "1")]).stderr
    ));
    assert!(coloured(&desk.ocp2_on_a_terminal("plan wrong.yaml", "")));
    assert!(!coloured(&desk.ocp2_on_a_terminal("plan wrong.yaml", "NO_COLOR=1")));
    assert!(!coloured(&desk.ocp2_on_a_terminal("plan wrong.yaml --color never", "")));
    // no-color.org: set to nothing it is not set.
    assert!(coloured(&desk.ocp2_on_a_terminal("plan wrong.yaml", "NO_COLOR=")));
}

#[test]
fn install_config_comes_out_as_the_installer_takes_it() {
    let desk = Desk::new();
    let outcome = desk.ocp2(&["render", "install-config"]);
    assert_eq!(outcome.status, 0);
    let config: serde_json::Value = serde_yaml::from_str(&outcome.stdout).unwrap();
    assert_eq!(config["metadata"]["name"], "ocp");
    assert_eq!(config["networking"]["machineNetwork"][0]["cidr"], "12.12.139.0/24");
    let pull_secret: serde_json::Value =
        serde_json::from_str(config["pullSecret"].as_str().unwrap()).unwrap();
    assert_eq!(pull_secret["auths"]["quay.io"]["auth"], SECRET);
    // It is offline: what it took for granted it says, and not on stdout.
    assert!(
        outcome.stderr.contains("note: hosts[0].underlay.mtu: assumed 1500 for bm1"),
        "{}",
        outcome.stderr
    );
    assert!(!outcome.stderr.contains(SECRET));
}

#[test]
fn a_terminal_never_shows_the_pull_secret() {
    let said = Desk::new().ocp2_on_a_terminal("render install-config", "");
    assert!(said.contains("pullSecret: \"•••\""), "{said}");
    assert!(said.contains("note: secrets are masked"), "{said}");
    assert!(!said.contains(SECRET), "{said}");
}

#[test]
fn files_are_written_for_their_owner_only() {
    let desk = Desk::new();
    let all = [
        "install-config",
        "agent-config",
        "overlay",
        "sysctl",
        "nftables",
        "dnsmasq",
        "hosts",
        "dhcp-hosts",
        "haproxy",
        "units",
        "domain",
        "pool",
        "volume",
    ];
    let arguments = [&["render"], &all[..], &["--dir", "out/deep"]].concat();
    // What is there already, and open to all, must not stay so.
    fs::create_dir_all(desk.path("out/deep")).unwrap();
    desk.write("out/deep/install-config.yaml", "old");
    let outcome = desk.ocp2(&arguments);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (0, ""), "{outcome:#?}");
    assert!(!outcome.stderr.contains(SECRET));
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (mut names, mut folders) = (Vec::new(), vec![desk.path("out/deep")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(desk.path("out/deep")).unwrap().display().to_string();
            if path.is_dir() {
                assert_eq!(mode(&path), 0o700, "{name}");
                folders.push(path);
                continue;
            }
            assert_eq!(mode(&path), 0o600, "{name}");
            let text = fs::read_to_string(&path).unwrap();
            assert_eq!(text.contains(SECRET), name == "install-config.yaml", "{name}");
            names.push(name);
        }
    }
    names.sort();
    assert_snapshot("render-dir", &names.join("\n"));
}

#[test]
fn what_is_rendered_for_a_host_is_the_same_every_time() {
    let desk = Desk::new();
    let arguments = [
        "render",
        "--host",
        "bm2",
        "overlay",
        "sysctl",
        "nftables",
        "dnsmasq",
        "hosts",
        "dhcp-hosts",
        "haproxy",
        "units",
    ];
    let (first, second) = (desk.ocp2(&arguments), desk.ocp2(&arguments));
    assert_eq!(first, second);
    assert_snapshot("render-bm2", first.stdout.trim_end());
    let one = desk.ocp2(&["render", "--host", "bm2", "domain"]);
    assert_eq!(one.stdout.matches("<domain ").count(), 3, "{}", one.stdout);
}

#[test]
fn init_writes_a_starter_and_never_over_anything() {
    let desk = Desk::new();
    let made = desk.ocp2(&["init", "new.yaml"]);
    assert_eq!(shown(&made), "exit 0\n--- stderr\nwrote new.yaml; edit it, then: ocp2 plan new.yaml\n");
    let starter = fs::read_to_string(desk.path("new.yaml")).unwrap();
    assert_eq!(desk.ocp2(&["init", "-"]).stdout, starter);
    assert_eq!(desk.ocp2(&["render", "pool", "-i", "new.yaml"]).status, 0);

    desk.write("new.yaml", "mine");
    let refused = desk.ocp2(&["init", "new.yaml"]);
    assert_eq!((refused.status, refused.stdout.as_str()), (1, ""));
    assert!(refused.stderr.contains("new.yaml"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(desk.path("new.yaml")).unwrap(), "mine");
    // Without a name it is the one every command looks for.
    assert_eq!(desk.ocp2(&["init"]).status, 1);
}

#[test]
fn hosts_that_do_not_answer_are_all_named() {
    let desk = Desk::new();
    // A port that was free a moment ago, and where nobody listens now.
    let closed = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (first, second) = (closed(), closed());
    let text = fs::read_to_string(desk.path("inventory.yaml")).unwrap();
    let text = text.replace(
        "root@192.168.0.23",
        &format!("{{address: 127.0.0.1, port: {first}, user: root}}\n    underlay: {{address: 192.0.2.11}}"),
    );
    let text = text.replace(
        "root@192.168.0.24",
        &format!("{{address: 127.0.0.1, port: {second}, user: root}}\n    underlay: {{address: 192.0.2.12}}"),
    );
    desk.write("inventory.yaml", &text);
    for line in
        [&["plan"][..], &["plan", "--check", "-o", "json"], &["up", "--until", "hosts"], &["down", "--yes"]]
    {
        let outcome = desk.ocp2(line);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (4, ""), "{line:?}: {outcome:#?}");
        let said = outcome.stderr.replace(&first.to_string(), "PORT1").replace(&second.to_string(), "PORT2");
        assert!(said.contains("PORT1") && said.contains("PORT2"), "{said}");
        if line == ["plan"] {
            assert_snapshot("unreachable", &said);
        }
    }
    // VMs are listed all the same: what they do is not known.
    let outcome = desk.ocp2(&["vms", "list", "-o", "json"]);
    assert_eq!(outcome.status, 4);
    let vms: Vec<serde_json::Value> = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(vms.len(), 6);
    assert!(vms.iter().all(|vm| vm["state"] == "unknown"
        && vm["memoryMiB"] == 16384
        && vm["ip"].as_str().unwrap().starts_with("12.12.139.1")));
    let fields: Vec<&String> = vms[0].as_object().unwrap().keys().collect();
    let contract =
        ["diskGiB", "host", "ip", "mac", "memoryMiB", "mtu", "name", "role", "state", "uuid", "vcpus"];
    assert!(contract.iter().all(|name| fields.iter().any(|field| field == name)), "{fields:?}");
}

#[test]
fn completions_are_accepted_by_their_shell() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish"] {
        let outcome = desk.ocp2(&["completions", shell]);
        let script = outcome.quiet(shell);
        assert!(script.contains("ocp2") && script.contains("kubeconfig"), "{script}");
    }
    // Only bash is everywhere the tests are.
    let script = desk.ocp2(&["completions", "bash"]).stdout;
    assert_eq!(run("bash", &["-n"], &script).quiet("bash"), "");
    let completed = run(
        "bash",
        &[],
        &format!("{script}\nCOMP_WORDS=(ocp2 re); COMP_CWORD=1; _ocp2 ocp2 re ocp2; echo ${{COMPREPLY[@]}}"),
    );
    assert_eq!(completed.quiet("completing `ocp2 re`"), "render\n");
    assert_eq!(desk.ocp2(&["completions", "tcsh"]).status, 2);
}

#[test]
fn the_manual_and_the_version_are_there() {
    let desk = Desk::new();
    let version = concat!("ocp2 ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(desk.ocp2(&["version"]).quiet("version"), version);
    assert_eq!(desk.ocp2(&["--version"]).quiet("version"), version);
    let page = desk.ocp2(&["man"]);
    assert!(page.quiet("man").contains(".TH ocp2 1"), "{}", page.stdout);
}

#[test]
fn a_reader_that_leaves_early_is_no_failure() {
    let source = format!("{OCP2} schema | head -c 1 > /dev/null; echo ${{PIPESTATUS[0]}}");
    assert_eq!(run("bash", &[], &source).quiet("a closed pipe"), "0\n");
}

#[test]
fn the_schema_accepts_every_inventory_and_refuses_others() {
    let desk = Desk::new();
    let schema: serde_json::Value = serde_json::from_str(desk.ocp2(&["schema"]).quiet("schema")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let problems = |text: &str| -> Vec<String> {
        let inventory: serde_json::Value = serde_yaml::from_str(text).unwrap();
        validator.iter_errors(&inventory).map(|error| error.to_string()).collect()
    };
    let mut texts: Vec<String> =
        inventories::all().iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    texts.push(desk.ocp2(&["init", "-"]).stdout);
    for text in &texts {
        assert_eq!(problems(text), [""; 0], "{text}");
    }
    for (from, to) in
        [("nic:", "nick:"), ("ocp2/v1", "ocp2/v2"), ("  name: ocp\n", ""), ("4.18.30", "[4, 18]")]
    {
        let text = fs::read_to_string(desk.path("inventory.yaml")).unwrap();
        assert_ne!(problems(&text.replace(from, to)), [""; 0], "{from} → {to}");
    }
}

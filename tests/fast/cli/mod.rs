//! The command line as its user has it: the program itself, its two streams and its exit code.

mod inventory;
mod rendering;

use std::{fmt::Write as _, fs, net::TcpListener, path::PathBuf};

use tempfile::TempDir;

use crate::{
    inventories,
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

    /// Puts both hosts of the inventory on ports of this machine.
    fn has_hosts_at(&self, first: u16, second: u16) {
        let mut text = fs::read_to_string(self.path("inventory.yaml")).unwrap();
        for (ssh, port, underlay) in [("0.23", first, "192.0.2.11"), ("0.24", second, "192.0.2.12")] {
            let here = format!("{{address: 127.0.0.1, port: {port}, user: root}}");
            let here = format!("{here}\n    underlay: {{address: {underlay}}}");
            text = text.replace(&format!("root@192.168.{ssh}"), &here);
        }
        self.write("inventory.yaml", &text);
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

/// Returns a port that was free a moment ago, and where nobody listens now.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
        prepend_module_to_snapshot => false, snapshot_path => "../snapshots/cli", omit_expression => true,
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
    let (first, second) = (closed_port(), closed_port());
    desk.has_hosts_at(first, second);
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
fn warnings_about_the_way_to_a_host_reach_the_user_each_once() {
    let desk = Desk::new();
    desk.has_hosts_at(closed_port(), closed_port());
    let outcome = desk.ocp2_with(&["plan"], &[("PATH", "/nowhere"), ("USER", "root")]);
    assert_eq!((outcome.status, outcome.stdout.as_str()), (4, ""), "{outcome:#?}");
    for host in ["bm1", "bm2"] {
        let warning =
            format!("warning: {host}: there is no `ssh` program here, so ~/.ssh/config is not read\n");
        assert_eq!(outcome.stderr.matches(&warning).count(), 1, "{}", outcome.stderr);
    }
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

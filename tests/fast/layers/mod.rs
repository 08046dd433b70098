//! Holds the house to its rules: who may import whom, and what the pure core never touches.
//!
//! The sources are read as text, not compiled: a path is a run of names joined by `::`,
//! wherever it stands. What is only there for unit tests (`#[cfg(test)]`) does not count.

mod words;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use self::words::{paths, without_tests, words};

/// Which rooms a room may import, in reading order; a name that is not here is not a room.
const ARROWS: &[(&str, &[&str])] = &[
    ("address", &[]),
    ("command", LEAVES),
    ("secret", &[]),
    ("untrusted", &[]),
    ("inventory", LEAVES),
    ("cluster", &["inventory", "address", "command", "secret", "untrusted"]),
    ("resource", LEAVES),
    ("render", LEAVES),
    ("bringup", &["cluster", "resource", "render", "address", "command", "secret", "untrusted"]),
    ("engine", &["resource", "host", "command", "secret", "untrusted"]),
    ("host", &["resource", "command", "secret", "untrusted"]),
    (
        "install",
        &["bringup", "cluster", "engine", "host", "render", "resource", "command", "secret", "untrusted"],
    ),
    ("ui", &["engine", "untrusted"]),
    ("lab", LEAVES),
    ("cli", &["*"]),
    ("main", &["cli"]),
    ("lib", &["*"]),
];

const LEAVES: &[&str] = &["address", "command", "secret", "untrusted"];

/// The rooms that decide and touch nothing.
const CORE: &[&str] =
    &["inventory", "cluster", "resource", "render", "bringup", "address", "command", "secret", "untrusted"];

/// What the core never names: the network, other processes, the environment, the clock.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio_util",
    "futures_util",
    "russh",
    "virt",
    "virt_sys",
    "indicatif",
    "jiff",
    "socket2",
    "rpassword",
    "tempfile",
    "std::process",
    "std::env",
    "std::time",
    "std::thread",
    "std::net::TcpStream",
    "std::net::TcpListener",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
];

/// The one file of the core that reads files.
const READS_FILES: &str = "inventory/source.rs";

/// Names that say nothing of what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "manager", "core", "imp", "misc"];

/// One source file, reduced to the paths it names.
struct Source {
    /// Relative to `src`.
    file: String,
    /// Its module path, `["bringup", "place"]`.
    module: Vec<String>,
    paths: Vec<Vec<String>>,
    words: BTreeSet<String>,
}

impl Source {
    fn new(file: &str, text: &str) -> Self {
        let mut module: Vec<String> = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
        if module.len() > 1 && module.last().is_some_and(|name| name == "mod") {
            module.pop();
        }
        let words = without_tests(&words(text));
        Self { file: file.to_owned(), module, paths: paths(&words), words: words.into_iter().collect() }
    }

    /// Returns its room: the folder or file directly below `src`.
    fn room(&self) -> &str {
        &self.module[0]
    }

    /// Returns the rooms it names: `crate::x`, `ocp2::x`, and what `super` leads to.
    fn imports(&self) -> BTreeSet<String> {
        let resolve = |path: &Vec<String>| -> Option<String> {
            match path[0].as_str() {
                "crate" | "ocp2" => path.get(1).cloned(),
                "super" => {
                    let up = path.iter().take_while(|name| *name == "super").count();
                    // From a file's own module, `super` is its parent; above the room it is the crate.
                    (up >= self.module.len()).then(|| path.get(up).cloned()).flatten()
                }
                _ => None,
            }
        };
        self.paths.iter().filter_map(resolve).filter(|room| room != self.room() && room != "*").collect()
    }

    fn names(&self, prefix: &str) -> bool {
        let prefix: Vec<&str> = prefix.split("::").collect();
        self.paths
            .iter()
            .any(|path| path.iter().map(String::as_str).take(prefix.len()).eq(prefix.iter().copied()))
    }
}

/// Returns what is against the rules, one sentence each.
fn offences(sources: &[Source]) -> Vec<String> {
    let mut offences = Vec::new();
    for source in sources {
        let Some((_, allowed)) = ARROWS.iter().find(|(room, _)| *room == source.room()) else {
            offences.push(format!("{}: no room called {} is planned", source.file, source.room()));
            continue;
        };
        for room in source.imports() {
            if !allowed.contains(&"*") && !allowed.contains(&room.as_str()) {
                offences.push(format!("{}: {} must not import {room}", source.file, source.room()));
            }
        }
        if CORE.contains(&source.room()) {
            let named = IMPURE.iter().filter(|name| source.names(name));
            offences.extend(named.map(|name| format!("{}: the core names {name}", source.file)));
            if source.names("std::fs") && source.file != READS_FILES {
                offences.push(format!("{}: only {READS_FILES} reads files", source.file));
            }
        }
        // Of the engine, ui knows the events and nothing else.
        let other_than_events = |path: &&Vec<String>| {
            path[0] == "crate"
                && path.get(1).is_some_and(|room| room == "engine")
                && !path.get(2).is_some_and(|name| matches!(name.as_str(), "Event" | "Sink"))
        };
        if source.room() == "ui"
            && let Some(path) = source.paths.iter().find(other_than_events)
        {
            offences.push(format!("{}: ui reads events only, not {}", source.file, path.join("::")));
        }
        let exits = source.words.contains("ExitCode") || source.names("std::process::exit");
        if exits && !matches!(source.room(), "cli" | "main") {
            offences.push(format!("{}: only cli knows exit codes", source.file));
        }
        let empty = source.module.iter().find(|name| EMPTY_NAMES.contains(&name.as_str()));
        if let Some(name) = empty {
            offences.push(format!("{}: {name} says nothing of what is inside", source.file));
        }
    }
    offences
}

/// Reads all sources below `folder`.
fn read(folder: &Path) -> Vec<Source> {
    let mut folders: Vec<PathBuf> = vec![folder.to_owned()];
    let mut sources = Vec::new();
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let file = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                sources.push(Source::new(&file, &fs::read_to_string(path).unwrap()));
            }
        }
    }
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    sources
}

#[test]
fn the_house_keeps_its_rules() {
    let sources = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.len() > 50, "the sources are elsewhere");
    let offences = offences(&sources);
    assert!(offences.is_empty(), "\n{}\n", offences.join("\n"));
}

/// Returns what is against the rules in one file.
fn offence(file: &str, text: &str) -> String {
    offences(&[Source::new(file, text)]).join("; ")
}

#[test]
fn an_import_against_the_arrows_is_found_however_it_is_written() {
    for text in [
        "use crate::bringup::Place;",
        "use crate::{secret::Secret, bringup::{Place, Phase}};",
        "use crate::{\n    secret, // a comment\n    bringup,\n};",
        "fn f() -> crate::bringup::Place { todo() }",
        "fn f() { g::<crate::bringup::Place>() }",
        "use super::super::bringup;",
        "use super::super::super::bringup as b;",
    ] {
        assert_eq!(offence("host/ask/key.rs", text), expected(text), "{text}");
    }
}

/// `super` twice from `host/ask/key.rs` is still inside of `host`.
fn expected(text: &str) -> &'static str {
    if text == "use super::super::bringup;" { "" } else { "host/ask/key.rs: host must not import bringup" }
}

#[test]
fn what_the_core_never_touches_is_found() {
    let clock = "bringup/image.rs: the core names std::time";
    assert_eq!(offence("bringup/image.rs", "use std::{fmt, time::Duration};"), clock);
    assert_eq!(offence("bringup/image.rs", "fn f() { std::time::Instant::now(); }"), clock);
    assert_eq!(
        offence("render.rs", "async fn f() { tokio::spawn(g()); }"),
        "render.rs: the core names tokio"
    );
    assert_eq!(
        offence("cluster/mod.rs", "use std::fs;"),
        "cluster/mod.rs: only inventory/source.rs reads files"
    );
    assert_eq!(offence("inventory/source.rs", "use std::fs;"), "");
}

#[test]
fn other_rules_are_held() {
    assert_eq!(offence("ui/bars.rs", "use crate::engine::{Event, Sink};"), "");
    assert_eq!(
        offence("ui/bars.rs", "use crate::engine::Fleet;"),
        "ui/bars.rs: ui reads events only, not crate::engine::Fleet"
    );
    assert_eq!(
        offence("engine/error.rs", "use std::process::ExitCode;"),
        "engine/error.rs: only cli knows exit codes"
    );
    assert_eq!(offence("host/util.rs", ""), "host/util.rs: util says nothing of what is inside");
    assert_eq!(offence("network/mod.rs", ""), "network/mod.rs: no room called network is planned");
}

#[test]
fn what_is_only_text_or_only_for_tests_does_not_count() {
    for text in [
        "// use crate::bringup;",
        "/* crate::bringup */",
        "const A: &str = \"crate::bringup\";",
        "const A: &str = r#\"a \"crate::bringup\" b\"#;",
        "const A: char = '\"'; const B: char = '\"';",
        "#[cfg(test)]\nmod tests { use crate::bringup; fn f() { { } } }",
        "#[cfg(test)]\nuse crate::bringup;",
    ] {
        assert_eq!(offence("host/mod.rs", text), "", "{text}");
    }
    let after = "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::bringup;";
    assert_eq!(offence("host/mod.rs", after), "host/mod.rs: host must not import bringup");
}

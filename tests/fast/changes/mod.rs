//! What is wanted and what a host told → what changes: one YAML file a case, in `changes/RESOURCE/`.
//!
//! ```yaml
//! want: {setting: {name: net.ipv4.ip_forward, value: "1"}}
//! seen: {settings: "net.ipv4.ip_forward=0"}   # sections of a probe's answer; `<FILE` is in captured/
//! edited: {"=0": "=2"}                        # the answer, changed; what is not found is an error
//! absent: []                                  # what the host was asked for and does not have
//! changes: ["setting net.ipv4.ip_forward: 2 → 1"]
//! ```
//!
//! `libvirt:` stands for what libvirt told, and `conflict:` for what is refused. A case has
//! to say all that its resource asks of a host; forgotten is not the same as absent.
//! With `whole: true` the changes are kept as a snapshot, their scripts included.

mod libvirt;
mod want;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use ocp2::resource::{Action, Change, Detail, Facts, Questions, Resource, Scope, Setting};
use serde::Deserialize;

use self::{libvirt::Libvirt, want::Want};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    want: Option<Want>,
    #[serde(default)]
    seen: BTreeMap<String, String>,
    libvirt: Option<Libvirt>,
    #[serde(default)]
    edited: BTreeMap<String, String>,
    #[serde(default)]
    absent: BTreeSet<String>,
    changes: Option<Vec<String>>,
    conflict: Option<Refusal>,
    #[serde(default)]
    whole: bool,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Refusal {
    resource: String,
    found: String,
    fix: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fast/changes")
}

/// Returns a text as it is, or what is in the file it names.
fn text(text: &str) -> String {
    let Some(file) = text.strip_prefix('<').filter(|file| !file.contains('>')) else {
        return text.to_owned();
    };
    fs::read_to_string(folder().join("captured").join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Returns the sections of the answer that every host tells and this resource looks at.
fn told_whole(resource: &Resource) -> &'static [&'static str] {
    match resource {
        Resource::Bridge(_) | Resource::Vxlan(_) => &["links"],
        Resource::Peers(_) => &["fdb"],
        Resource::Listener(_) => &["sockets"],
        Resource::KvmProof(_) => &["system"],
        Resource::Pool(_) | Resource::Volume(_) | Resource::Domain(_) => &["libvirt"],
        _ => &[],
    }
}

impl Case {
    fn facts(&mut self, resource: &Resource) -> Facts {
        for section in told_whole(resource) {
            let told = self.seen.contains_key(*section) || (*section == "libvirt" && self.libvirt.is_some());
            assert!(told, "the case does not say what the host tells of its {section}");
        }
        let mut answer: BTreeMap<&str, String> = BTreeMap::new();
        for (section, body) in &self.seen {
            answer.insert(section, text(body));
        }
        let mut libvirt = self.libvirt.take().filter(|libvirt| !libvirt.missing);
        let xmls = libvirt.iter_mut().flat_map(|libvirt| {
            let pools = libvirt.pools.iter_mut().map(|pool| &mut pool.xml);
            pools.chain(libvirt.domains.iter_mut().map(|domain| &mut domain.xml))
        });
        let mut texts: Vec<&mut String> = xmls.collect();
        for xml in &mut texts {
            **xml = text(xml);
        }
        texts.extend(answer.values_mut());
        for (from, to) in &self.edited {
            assert!(texts.iter().any(|text| text.contains(from)), "nothing to edit: {from}");
            for text in &mut texts {
                **text = text.replace(from, to);
            }
        }
        let whole = answer
            .iter()
            .fold(String::new(), |all, (section, body)| format!("{all}@@{section}\n{}\n", body.trim_end()));
        let mut facts = Facts::read(&format!("{whole}@@end\n")).unwrap();
        facts.hypervisor = libvirt.map(Libvirt::seen);
        self.must_say_all(resource, &facts);
        facts
    }

    /// Fails where something that was asked is neither answered nor said to be absent.
    fn must_say_all(&self, resource: &Resource, facts: &Facts) {
        let mut questions = Questions::default();
        resource.ask(&mut questions);
        let entries: BTreeSet<String> = questions.entries.keys().cloned().collect();
        let asked: [(&BTreeSet<String>, Vec<&String>); 8] = [
            (&entries, facts.entries.keys().collect()),
            (&questions.files, facts.files.keys().collect()),
            (&questions.units, facts.units.keys().collect()),
            (&questions.settings, facts.settings.keys().collect()),
            (&questions.booleans, facts.booleans.keys().collect()),
            (&questions.labels, facts.labels.keys().collect()),
            (&questions.packages, facts.packages.keys().collect()),
            (&questions.nft_tables, facts.nft_tables.keys().collect()),
        ];
        let mut absent = self.absent.clone();
        for (names, answered) in asked {
            for name in names {
                let (answered, gone) = (answered.contains(&name), absent.remove(name));
                assert!(answered || gone, "the case does not say what the host tells of {name}");
                assert!(!(answered && gone), "{name} is there and absent");
            }
        }
        assert!(absent.is_empty(), "nobody asks for {absent:?}");
    }
}

/// Returns changes whole: summary, differences, and how they are carried out.
fn whole(changes: &[Change]) -> String {
    let mut all = String::new();
    for change in changes {
        writeln!(all, "{}: {}", change.resource, change.summary).unwrap();
        for detail in &change.details {
            match detail {
                Detail::Field { .. } => writeln!(all, "  {}", detail.in_words()).unwrap(),
                Detail::Diff { text } => writeln!(all, "{text}").unwrap(),
            }
        }
        match &change.action {
            Action::Shell(script) => writeln!(all, "--- script\n{}", script.source()).unwrap(),
            Action::Hypervisor(call) => writeln!(all, "--- libvirt\n{call:?}").unwrap(),
            Action::Manual(advice) => writeln!(all, "--- by hand\n{advice}").unwrap(),
        }
    }
    all
}

/// Demands that all a resource asks is asked again after such a change of it.
fn is_seen_by_a_look_at_ours(resource: &Resource, change: &Change) {
    let mut asked = Questions::default();
    resource.ask(&mut asked);
    let seen = asked.script(Scope::Ours);
    let whole = asked.script(Scope::Whole);
    let nothing = Questions::default().script(Scope::Whole);
    let own = whole.source().lines().filter(|line| !nothing.source().contains(line));
    for line in own {
        assert!(seen.source().contains(line), "after {:?} nobody asks {line:?}", change.resource);
    }
}

/// Checks one case; panics where it does not hold.
fn check(path: &Path) {
    let mut case: Case = serde_yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    let kind = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
    let resource = case.want.take().unwrap().resource();
    let facts = case.facts(&resource);
    match (resource.changes(&facts), &case.changes, &case.conflict) {
        (Ok(changes), Some(expected), None) => {
            for change in changes.iter().filter(|change| change.touches == Scope::Ours) {
                is_seen_by_a_look_at_ours(&resource, change);
            }
            let lines: Vec<String> =
                changes.iter().map(|c| format!("{}: {}", c.resource, c.summary)).collect();
            assert_eq!(&lines, expected);
            if case.whole {
                insta::with_settings!({
                    prepend_module_to_snapshot => false, snapshot_path => "../snapshots/changes", omit_expression => true,
                }, { insta::assert_snapshot!(format!("{kind}-{name}"), whole(&changes)) });
            }
        }
        (Err(found), None, Some(expected)) => {
            let found = Refusal { resource: found.resource, found: found.found, fix: found.fix };
            assert_eq!(&found, expected);
        }
        (outcome, ..) => panic!("{outcome:#?}"),
    }
}

#[test]
fn every_case_holds() {
    let kinds = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let cases = kinds.filter(|path| path.is_dir()).flat_map(|kind| fs::read_dir(kind).unwrap());
    let mut cases: Vec<PathBuf> = cases.map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_some_and(|end| end == "yaml"));
    cases.sort();
    assert!(cases.len() > 60, "the cases are elsewhere");
    let wrong: Vec<_> =
        cases.iter().filter(|path| std::panic::catch_unwind(|| check(path)).is_err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases do not hold: {wrong:#?}", wrong.len(), cases.len());
}

#[test]
#[should_panic(expected = "does not say what the host tells of net.ipv4.ip_forward")]
fn a_case_that_forgets_a_fact_is_refused() {
    let text = "want: {setting: {name: net.ipv4.ip_forward, value: \"1\"}}\nchanges: []\n";
    let mut case: Case = serde_yaml::from_str(text).unwrap();
    let setting = Setting { name: "net.ipv4.ip_forward".into(), value: "1".into(), before: None };
    case.facts(&Resource::Setting(setting));
}

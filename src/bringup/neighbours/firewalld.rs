//! firewalld: a zone for the bridge, and a policy each way.

use serde::Serialize;

use crate::{
    bringup::{Place, neighbours::traffic::Traffic},
    command::{Command, Script},
    render,
    resource::{Change, Entries, Facts, File, Resource, sha256},
};

/// Name of these entries.
const NAME: &str = "firewalld";

/// Longest name firewalld takes for a zone, less what is added for policies.
const LONGEST: usize = 17 - "-out".len();

#[derive(Serialize)]
struct Values<'a> {
    zone: String,
    #[serde(flatten)]
    traffic: &'a Traffic,
}

/// Returns zone and policies as files of ours, and the reload that makes them known.
///
/// firewalld makes new zones and policies at a reload only; they are all there is to reload.
pub(super) fn wanted(place: &Place, traffic: &Traffic) -> Result<Vec<Resource>, render::Error> {
    let values = || Values { zone: zone(place), traffic };
    let [at, inward, outward] = paths(place);
    let mut files = vec![
        File::new(at, render::fill("firewalld-zone.xml.j2", values())?),
        File::new(inward, render::fill("firewalld-in.xml.j2", values())?),
    ];
    if !traffic.outward.is_empty() {
        files.push(File::new(outward, render::fill("firewalld-out.xml.j2", values())?));
    }
    // The digest of the files is part of the source, so that a change of theirs is one of the entries.
    let digests: String = files.iter().map(|file| format!("# {} {}\n", file.path, file.sha256())).collect();
    let entries = Entries {
        firewall: NAME.into(),
        list: list_source(place),
        make: format!("{digests}{RELOAD}\n"),
        kept: place.var("firewalld.loaded"),
    };
    Ok(files.into_iter().map(Resource::File).chain([Resource::Entries(entries)]).collect())
}

/// Returns the change that takes zone and policies out.
pub(super) fn removal(place: &Place, facts: &Facts) -> Option<Change> {
    let paths = paths(place);
    let there = paths.iter().any(|path| facts.files.contains_key(path)) || facts.entries.contains_key(NAME);
    there.then(|| {
        let script = Script::new()
            .line(Command::new("rm").arg("-f").args(&paths))
            .line(format_args!("if systemctl is-active --quiet firewalld.service; then\n{RELOAD}\nfi"));
        Change::shell(format!("entries in {NAME}"), "delete", script)
    })
}

/// Reloads, unless that would lose what others have told the running firewalld alone: SSH may be among it.
///
/// Interfaces are kept over a reload; zones and policies of ours may come and go.
const RELOAD: &str = r#"listing() {
  firewall-cmd "$@" | sed 's/ (.*)$//' |
    awk '/^[^ \t]/ { of = $1; next } NF && $1 != "interfaces:" && of !~ /^ocp2-/ { print of ":", $0 }' | sort
}
for what in --list-all-zones --list-all-policies; do
  lost=$(comm -23 <(listing "$what") <(listing --permanent "$what"))
  if [ -n "$lost" ]; then
    echo "a reload of firewalld, which makes our zone known, would lose what only its runtime has:"
    echo "$lost"
    echo "keep it (firewall-cmd --runtime-to-permanent), or let it go (firewall-cmd --reload)"
    exit 1
  fi
done
firewall-cmd --quiet --reload"#;

/// What it says of a zone or policy that there is not, and where it is too old for policies, as a pattern.
const NOT_THERE: &str =
    "*INVALID_ZONE*|*INVALID_POLICY*|*'Unknown method'*|*'Unknown interface'*|*'No such interface'*";

fn paths(place: &Place) -> [String; 3] {
    let zone = zone(place);
    [
        format!("/etc/firewalld/zones/{zone}.xml"),
        format!("/etc/firewalld/policies/{zone}-in.xml"),
        format!("/etc/firewalld/policies/{zone}-out.xml"),
    ]
}

/// Returns the zone's name: the cluster's, or a digest where that is too long.
fn zone(place: &Place) -> String {
    let name = format!("ocp2-{}", place.cluster());
    if name.len() <= LONGEST { name } else { format!("ocp2-{}", &sha256(place.cluster().as_bytes())[..8]) }
}

/// Returns the source that lists zone and policies as they are at work.
///
/// Asked by the bus, for `firewall-cmd` takes a quarter of a second a time;
/// sorted word by word, for firewalld keeps sets in no order.
fn list_source(place: &Place) -> String {
    let zone = zone(place);
    let ask = |kind: &str, method: &str, name: &str| {
        let bus = "org.fedoraproject.FirewallD1";
        let call = Command::new("busctl").args([
            "call",
            bus,
            "/org/fedoraproject/FirewallD1",
            &format!("{bus}.{kind}"),
            method,
            "s",
            name,
        ]);
        format!(
            "if said=$({call} 2>&1); then printf '%s\\n' \"$said\" | tr ' ' '\\n' | sort\n\
             else case $said in {NOT_THERE}) ;; *) echo \"firewalld: $said\" >&2; exit 1;; esac; fi\n"
        )
    };
    let asked = [
        ask("zone", "getZoneSettings2", &zone),
        ask("policy", "getPolicySettings", &format!("{zone}-in")),
        ask("policy", "getPolicySettings", &format!("{zone}-out")),
    ];
    // Where it is not installed, systemd need not be asked.
    let there = "command -v firewall-cmd >/dev/null && systemctl is-active --quiet firewalld.service";
    format!("if {there}; then\n{}fi\n", asked.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_cluster_name_still_makes_names_firewalld_takes() {
        assert_eq!(zone(&Place::named("ocp")), "ocp2-ocp");
        let long = zone(&Place::named("a-cluster-with-a-long-name"));
        assert!(long.len() <= LONGEST && long.starts_with("ocp2-"), "{long}");
    }
}

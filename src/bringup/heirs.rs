//! Another cluster on the same host: it inherits what this one changed first and both need.
//!
//! Who changed a setting, a unit or a package first keeps what was there before. Taken down first,
//! it must not put that back under the other: it hands the record over, and the last one puts it back.

use crate::{
    bringup::Place,
    command::{Script, quote},
    resource::{Change, Facts},
};

/// Where the settings files of all clusters are, as a pattern.
pub(super) const PATTERN: &str = "/etc/sysctl.d/ocp2-*.conf";

/// Returns the other clusters that are on the host.
pub(super) fn heirs(place: &Place, facts: &Facts) -> Vec<Place> {
    let name = |path: &String| {
        let name = path.strip_prefix("/etc/sysctl.d/ocp2-")?.strip_suffix(".conf")?;
        (name != place.cluster()).then(|| Place::named(name))
    };
    facts.listing.keys().filter_map(name).collect()
}

/// Returns how it is called that a record is dealt with.
pub(super) fn summary(heirs: &[Place]) -> String {
    if heirs.is_empty() {
        return "put back".to_owned();
    }
    let names: Vec<&str> = heirs.iter().map(Place::cluster).collect();
    format!("put back, or leave to cluster {}", names.join(" or "))
}

/// Wraps source that puts a setting back: a cluster that wants the same setting gets the record instead.
///
/// `name` is the setting's as in sysctl.d, `file` the record's.
pub(super) fn setting(place: &Place, heirs: &[Place], name: &str, file: &str, put_back: &str) -> Script {
    let kept = quote(&place.var(&format!("before/settings/{file}")));
    let mut script = Script::new().line("left=");
    for heir in heirs {
        let folder = heir.var("before/settings");
        let (folder, theirs) = (quote(&folder), quote(&format!("{folder}/{file}")));
        script = script.line(format_args!(
            "if [ -z \"$left\" ] && grep -qsF {} {}; then install -d -m 755 {folder}; [ -e {theirs} ] || cp -p {kept} {theirs}; left=yes; fi",
            quote(&format!("{name} = ")),
            quote(&heir.settings_file())
        ));
    }
    script.line(format_args!("[ -n \"$left\" ] || {{ {put_back}; }}")).line(format_args!("rm -f {kept}"))
}

/// Returns source that leaves the record of a unit to another cluster: all of them need the same units.
pub(super) fn unit(place: &Place, heir: &Place, unit: &str) -> Script {
    let (kept, folder) = (quote(&place.var(&format!("before/units/{unit}"))), heir.var("before/units"));
    let theirs = quote(&format!("{folder}/{unit}"));
    Script::new()
        .line(format_args!("install -d -m 755 {}", quote(&folder)))
        .line(format_args!("[ -e {theirs} ] || cp -p {kept} {theirs}"))
        .line(format_args!("rm -f {kept}"))
}

/// Returns the change that leaves the list of installed packages to another cluster, which needs them.
pub(super) fn packages(place: &Place, heir: &Place) -> Change {
    let record = heir.var("before/packages");
    let (kept, record) = (quote(&place.var("before/packages")), quote(&record));
    let script = Script::new()
        .line(format_args!("install -d -m 755 {}", quote(&heir.var("before"))))
        .line(format_args!("cat {kept} >> {record}"))
        .line(format_args!("rm -f {kept}"));
    Change::shell("packages".into(), &format!("leave to cluster {}", heir.cluster()), script)
}

//! What is installed and taken away, by the real apt and dpkg, of packages made for the test.

use ocp2::resource::{Facts, Manager, Package};

use crate::{programs::Machine, wanted::source};

const RECORD: &str = "/var/lib/ocp2/ocp/before/packages";

/// A folder that is the only source of packages, and `package NAME DEPENDS POSTINST`, which puts one there.
///
/// The machine's own packages are still installed; its caches and logs are left alone.
const APT: &str = r#"
for dir in /var/cache /var/log; do mount -t tmpfs tmpfs $dir; done
mkdir -p /run/debs /var/cache/apt/archives/partial /var/log/apt
rm -rf /etc/apt/sources.list /etc/apt/sources.list.d/* /var/lib/apt/lists/*
echo 'deb [trusted=yes] file:/run/debs ./' > /etc/apt/sources.list
package() {
    rm -rf /run/made; mkdir -p /run/made/DEBIAN
    printf 'Package: %s\nVersion: 1\nArchitecture: all\nMaintainer: T <t@example.com>\nDescription: test\n' "$1" > /run/made/DEBIAN/control
    [ -z "${2-}" ] || echo "Depends: $2" >> /run/made/DEBIAN/control
    if [ -n "${3-}" ]; then printf '#!/bin/sh\n%s\n' "$3" > /run/made/DEBIAN/postinst; chmod 755 /run/made/DEBIAN/postinst; fi
    dpkg-deb -b /run/made "/run/debs/$1.deb" >/dev/null
    { cat /run/made/DEBIAN/control; printf 'Filename: ./%s.deb\nSize: %s\nSHA256: %s\n\n' "$1" "$(stat -c %s "/run/debs/$1.deb")" \
        "$(sha256sum < "/run/debs/$1.deb" | cut -c 1-64)"; } >> /run/debs/Packages
}
there() { dpkg-query -W -f '${Package} ${db:Status-Status}\n' 'ocp2-test-*' 2>/dev/null | sed -n 's/ installed$//p' | xargs; }
"#;

fn package(names: &[&str]) -> Package {
    Package {
        manager: Manager::Apt,
        names: names.iter().map(|&name| name.to_owned()).collect(),
        quiet: vec!["ocp2-test.service".into()],
        record: RECORD.into(),
    }
}

/// Returns the source that installs, without its chatter.
fn install(names: &[&str]) -> String {
    let changes = package(names).changes(&Facts::default());
    format!("{{ {} }} >/dev/null", source(&changes[0]))
}

fn remove() -> String {
    format!("{{ {} }} >/dev/null", source(&Package::removal(Manager::Apt, RECORD, "remove")))
}

#[test]
fn what_was_installed_is_removed_and_nothing_else() {
    let done = Machine::new()
        .line(APT)
        .line("package ocp2-test-library; package ocp2-test-kept; package ocp2-test-ours 'ocp2-test-library, ocp2-test-kept'")
        // The user's: one that nothing needs any more, and later one that needs what came with ours.
        .line("package ocp2-test-orphan; package ocp2-test-theirs ocp2-test-kept")
        .step("users", "apt-get update -q; apt-get install -y -q ocp2-test-orphan; apt-mark auto ocp2-test-orphan; there")
        .step("up", &install(&["ocp2-test-ours"]))
        .step("record", &format!("there; xargs < {RECORD}; ls {RECORD}*"))
        .step("later", "apt-get install -y -q ocp2-test-theirs >/dev/null 2>&1")
        .step("down", &remove())
        .step("left", "there")
        .step("again", &remove())
        .run();
    assert_eq!(done.outcome("users").status, 0, "{:#?}", done.outcome("users"));
    assert_eq!(done.outcome("up").status, 0, "{:#?}", done.outcome("up"));
    assert_eq!(
        done.outcome("record").quiet("record"),
        format!(
            "ocp2-test-kept ocp2-test-library ocp2-test-orphan ocp2-test-ours\n\
             ocp2-test-kept ocp2-test-library ocp2-test-ours\n{RECORD}\n"
        )
    );
    assert_eq!(done.outcome("later").status, 0);
    assert_eq!(done.outcome("down").status, 0, "{:#?}", done.outcome("down"));
    assert_eq!(done.outcome("left").quiet("there"), "ocp2-test-kept ocp2-test-orphan ocp2-test-theirs\n");
    assert_eq!(done.outcome("again").status, 0, "{:#?}", done.outcome("again"));
}

#[test]
fn an_installation_that_was_cut_off_inside_dpkg_is_carried_on() {
    // The first time it is configured, the host loses its power: all that installs is killed at once.
    let cut = "[ -e /run/cut ] || { touch /run/cut; kill -KILL $(cat /run/installing) $PPID; sleep 1; }";
    let install = install(&["ocp2-test-ours"]);
    let done = Machine::new()
        .line(APT)
        .line("systemctl() { echo \"$*\" >> /run/systemctl; [ \"$1\" != cat ] || [ -e /run/cut ]; }")
        .line(&format!("package ocp2-test-library '' '{cut}'; package ocp2-test-ours ocp2-test-library"))
        .line("apt-get update -q >/dev/null")
        .step(
            "first",
            &format!(
                "{} || echo cut off",
                install.replacen("{ (", "{ ( echo $BASHPID > /run/installing;", 1)
            ),
        )
        .step("between", &format!("there; ls {RECORD}*; ls /var/lib/dpkg/updates | head -n 1 | wc -l"))
        .step("second", &install)
        .step("after", &format!("there; xargs < {RECORD}; ls {RECORD}*; grep -c '^mask' /run/systemctl"))
        .run();
    assert_eq!(done.outcome("first").stdout, "cut off\n");
    assert_eq!(
        done.outcome("between").quiet("between"),
        format!("\n{RECORD}.quiet\n{RECORD}.were\n1\n"),
        "the test cuts nothing off"
    );
    let second = done.outcome("second");
    assert_eq!(second.status, 0, "{second:#?}");
    assert_eq!(
        done.outcome("after").quiet("after"),
        format!("ocp2-test-library ocp2-test-ours\nocp2-test-library ocp2-test-ours\n{RECORD}\n2\n")
    );
}

//! A change that cuts the way in is undone by the host itself, and the run says so.
//!
//! What ocp2 does is right in itself, so the host is made one on which it is not.

use std::time::{Duration, Instant};

use crate::{
    footprint::{footprint, same},
    interruption::UnderWay,
    stage::{Stage, eventually, stage},
};

/// A keeper of its own that closes SSH inside of any table called like ocp2's.
const KEEPER: &str = r#"systemd-run --quiet --collect --unit=keeper bash -c '
  while sleep 0.01; do
    nft list chain inet ocp2_ocp keeper >/dev/null 2>&1 && continue
    nft list table inet ocp2_ocp >/dev/null 2>&1 || continue
    nft "add chain inet ocp2_ocp keeper { type filter hook input priority 0; }; add rule inet ocp2_ocp keeper tcp dport 22 drop"
  done'"#;

/// A keeper that closes SSH while the reverse-path filter of the NIC is loose.
const FILTER: &str = r#"systemd-run --quiet --collect --unit=keeper bash -c '
  while sleep 0.01; do
    read -r mode < /proc/sys/net/ipv4/conf/ens34f0/rp_filter
    if [ "$mode" != 2 ]; then nft delete table inet keeper 2>/dev/null; continue; fi
    nft list table inet keeper >/dev/null 2>&1 && continue
    nft "add table inet keeper; add chain inet keeper in { type filter hook input priority 0; }; add rule inet keeper in tcp dport 22 drop"
  done'"#;

/// A keeper that cuts the connection over which a change was just confirmed, before the answer is sent.
const CUTTER: &str = r#"systemd-run --quiet --collect --unit=keeper bash -c '
  while :; do
    newest=$(ss -Htnp state established sport = 22 | grep -o "pid=[0-9]*" | cut -d= -f2 | sort -n | tail -n1)
    [ ! -e /run/ocp2-ocp.probation ] || { kill -KILL $newest; exit; }
  done'"#;

/// Makes every login take more than ten seconds: sshd asks twice about a key, at the offer and at the login.
const SLOW: &str = "printf '#!/bin/sh\nsleep 6; cat /root/.ssh/authorized_keys\n' > /usr/local/sbin/slow && chmod 755 /usr/local/sbin/slow && \
    cp -p /etc/ssh/sshd_config /etc/ssh/sshd_config.before && \
    sed -i '1i AuthorizedKeysFile none\\nAuthorizedKeysCommand /usr/local/sbin/slow\\nAuthorizedKeysCommandUser root' /etc/ssh/sshd_config && \
    sshd -t && systemctl reload ssh";

const QUICK: &str = "mv -f /etc/ssh/sshd_config.before /etc/ssh/sshd_config && rm /usr/local/sbin/slow && systemctl reload ssh";

#[test]
fn a_confirmation_whose_answer_is_lost_is_asked_for_again() {
    let stage = stage();
    let inventory = stage.inventory("guard.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    let before = footprint(&stage, false);
    stage.at("bm1", CUTTER).succeeds();
    let up = stage.ocp2(&["up", "--until", "overlay", &inventory]);
    stage.at("bm1", "systemctl stop keeper 2>/dev/null || true").succeeds();
    up.succeeds().says("bm1: the connection was lost").says("the host undoes what was changed by itself");
    // And it was not undone.
    let again = stage.ocp2(&["up", "--until", "overlay", "-o", "json", &inventory]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
    stage.at("bm1", "! ls -d /var/lib/ocp2/.guard.ocp /etc/systemd/system/ocp2-ocp-guard.service").succeeds();
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    same(&before, &footprint(&stage, false), "after all");
}

#[test]
fn a_login_that_takes_its_time_is_waited_for() {
    let stage = stage();
    let inventory = stage.inventory("guard.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    stage.at("bm1", SLOW).succeeds();
    let begin = Instant::now();
    let look = stage.ocp2(&["plan", &inventory]);
    let login = begin.elapsed();
    let up = stage.ocp2(&["up", "--until", "overlay", &inventory]);
    stage.at("bm1", QUICK).succeeds();
    look.succeeds();
    assert!(login > Duration::from_secs(10), "a login took {login:?}");
    let up = up.succeeds();
    assert!(!up.stderr.contains("undo"), "{}", up.stderr);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}

#[test]
fn a_host_that_loses_its_power_before_the_confirmation_comes_back_without_the_changes() {
    let stage = stage();
    let inventory = stage.inventory("guard.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    let before = footprint(&stage, false);
    let run = UnderWay::of(&stage, &["up", "--until", "overlay", &inventory], "bm1 [4/");
    // The steps go on there, and nobody confirms them.
    run.hold();
    let armed = stage.at("bm1", "ls /var/lib/ocp2/.guard.ocp/undo");
    stage.power_cycle("bm1");
    let undone = eventually(Duration::from_secs(60), || {
        stage.at(
            "bm1",
            "grep -qx 0 /proc/sys/net/ipv4/conf/ens34f0/rp_filter && grep -q undone /run/ocp2-ocp.probation",
        )
    });
    let left = stage.at(
        "bm1",
        "! ls -d /etc/sysctl.d/ocp2-ocp.conf /var/lib/ocp2/.guard.ocp /etc/systemd/system/ocp2-ocp-guard.service",
    );
    run.resume();
    let end = run.end();
    armed.succeeds();
    undone.succeeds();
    left.succeeds();
    end.ends(5).says("bm1: undone by the host itself");
    stage.ocp2(&["up", "--until", "balancer", &inventory]).succeeds();
    let again = stage.ocp2(&["up", "--until", "balancer", "-o", "json", &inventory]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    same(&before, &footprint(&stage, false), "after all");
}

#[test]
fn a_table_that_closes_ssh_is_undone_by_the_host() {
    cut_and_undone(
        "nat",
        KEEPER,
        "systemctl stop keeper",
        "nftables table inet ocp2_ocp: load",
        "! nft list table inet ocp2_ocp 2>&1 && ! test -e /etc/ocp2/ocp/nftables.nft",
    );
}

#[test]
fn a_setting_that_closes_ssh_is_undone_by_the_host() {
    cut_and_undone(
        "overlay",
        FILTER,
        "systemctl stop keeper; nft delete table inet keeper 2>/dev/null || true",
        "setting net.ipv4.conf.ens34f0.rp_filter: 0 → 2",
        "grep -qx 0 /proc/sys/net/ipv4/conf/ens34f0/rp_filter && ! test -e /etc/sysctl.d/ocp2-ocp.conf",
    );
}

/// Lets `up` run into `trap` on bm1, looks at what is left, and carries on after `mend`.
fn cut_and_undone(phase: &str, trap: &str, mend: &str, change: &str, undone: &str) {
    let stage = stage();
    let inventory = stage.inventory("guard.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    let before = footprint(&stage, false);
    stage.at("bm1", trap).succeeds();
    let begin = Instant::now();
    let up = stage.ocp2(&["up", "--until", phase, &inventory]);
    let took = begin.elapsed();
    let left = stage.at("bm1", undone);
    let open = answers(&stage);
    stage.at("bm1", mend).succeeds();
    // Whatever came of it: what is asked for is an error that says what was undone and why.
    up.ends(5).says("bm1: undone by the host itself").says(change).says("hint: something on the host");
    left.succeeds();
    assert!(open, "bm1 does not answer");
    assert!(took < Duration::from_secs(100), "it took {took:?}");

    stage.ocp2(&["up", "--until", "balancer", &inventory]).succeeds();
    let again = stage.ocp2(&["up", "--until", "balancer", "-o", "json", &inventory]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    same(&before, &footprint(&stage, false), "after all");
}

/// Tells whether the SSH port of bm1 lets one in.
fn answers(stage: &Stage) -> bool {
    stage
        .at("workstation", "timeout 5 bash -c 'read -r line </dev/tcp/192.0.2.11/22; echo $line'")
        .stdout
        .contains("SSH")
}

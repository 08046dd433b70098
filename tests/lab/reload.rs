//! A new configuration that HAProxy cannot bind: refused, said, and shown until it is mended.

use crate::stage::stage;

/// The address that is to become public on bm1: there, and its port 443 taken by a program that does not
/// listen yet, which nobody sees beforehand.
const TAKEN: &str = "ip address add 198.51.100.9/32 dev lo
    systemd-run -q --collect --unit=in-the-way python3 -c '
import socket, time
taken = socket.socket(); taken.bind((\"198.51.100.9\", 443)); time.sleep(600)'
    sleep 1";

#[test]
fn a_reload_that_haproxy_refuses_is_told_and_not_forgotten() {
    let stage = stage();
    let before = stage.beside("reload", 9, &[]);
    let scope = ["--until", "balancer"];
    let run = |verb: &[&str], inventory: &str| stage.ocp2(&[verb, &scope, &[inventory]].concat());
    run(&["up"], &before).succeeds();
    stage.at("bm1", TAKEN).succeeds();
    let after = before.replace("reload.yaml", "reload-public.yaml");
    let text = std::fs::read_to_string(&before).unwrap();
    std::fs::write(&after, text.replacen("public: none", "public: 198.51.100.9", 1)).unwrap();
    let pid = "systemctl show -p MainPID ocp2-reload-balancer; systemctl is-active ocp2-reload-balancer";
    let old = stage.at("bm1", pid).succeeds();
    run(&["up"], &after)
        .ends(5)
        .says("bm1")
        .says("cannot bind socket")
        .says("HAProxy did not take the new configuration and goes on with the old one");
    assert_eq!(stage.at("bm1", pid).succeeds().stdout, old.stdout);
    stage.at("bm1", "ss -Hltn 'sport = 6443' | grep -q 192.168.207.1:6443").succeeds();
    let plan = run(&["plan", "--check"], &after).ends(8);
    plan.shows("unit ocp2-reload-balancer.service").shows("loaded an older configuration");
    stage.at("bm1", "systemctl stop in-the-way").succeeds();
    run(&["up"], &after).succeeds();
    stage.at("bm1", "ss -Hltn 'sport = 443' | grep -q 198.51.100.9:443").succeeds();
    assert_eq!(stage.at("bm1", pid).succeeds().stdout, old.stdout);
    stage.at("bm1", "ip address del 198.51.100.9/32 dev lo").succeeds();
    stage.ocp2(&["down", "--yes", &after]).succeeds();
}

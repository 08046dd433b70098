//! What is undone: by the guard, and by `down`.

use ocp2::{
    bringup::{self, Removal},
    resource::{Change, Facts, Scope},
};

use super::needs_only_a_kernel;
use crate::{
    inventories,
    wanted::{Wanted, on_a_host_of_each, source},
};

#[test]
fn what_could_cut_the_way_in_can_be_undone() {
    let cluster = inventories::cluster(&inventories::path("two-hosts"));
    let wanted = Wanted::new(&cluster, 0);
    let probe = bringup::questions(&cluster, 0).unwrap().script(Scope::Whole);
    let here = |answer: &str| Facts::read(answer).unwrap();
    let changes = |facts: &Facts| -> Vec<Change> {
        let resources = wanted.resources.iter().filter(|resource| needs_only_a_kernel(resource));
        resources.flat_map(|resource| resource.changes(facts).unwrap()).collect()
    };
    // A fresh host, and one whose rules and settings were changed by hand.
    let fresh = || wanted.machine();
    let used = || {
        let drift =
            "nft flush chain inet ocp2_ocp forward; nft add set inet ocp2_ocp mine '{ type ipv4_addr; }'
                     echo 0 > /proc/sys/net/ipv4/ip_forward; echo '# mine' >> /etc/ocp2/ocp/nftables.nft";
        fresh().step("changes", &wanted.source(needs_only_a_kernel)).step("drift", drift)
    };
    for machine in [&fresh as &dyn Fn() -> _, &used] {
        let before = here(&machine().step("before", probe.source()).run().outcome("before").stdout);
        let made = changes(&before);
        let undos: Vec<&Change> = made.iter().rev().filter(|change| change.undo.is_some()).collect();
        let named = |name: &str| undos.iter().any(|change| change.resource.contains(name));
        assert!(named("nftables table") && named("ip_forward") && named("nftables.nft"), "{undos:#?}");
        let undo: String = undos
            .iter()
            .flat_map(|change| &change.undo)
            .map(|undo| format!("( {} )\n", undo.source()))
            .collect();
        let done = machine()
            .step("made", &made.iter().map(source).collect::<String>())
            .step("undone", &undo)
            .step("after", probe.source())
            .run();
        assert_eq!(done.outcome("made").status, 0, "{:#?}", done.outcome("made"));
        assert_eq!(done.outcome("undone").quiet("the undoing"), "");
        let after = here(&done.outcome("after").stdout);
        assert_eq!(before.nft_tables, after.nft_tables);
        for change in undos {
            let again = changes(&after);
            let same = again.iter().find(|again| again.resource == change.resource);
            let same = same.unwrap_or_else(|| panic!("{} was not undone", change.resource));
            assert_eq!((&same.summary, &same.details), (&change.summary, &change.details));
        }
    }
}

#[test]
fn taking_down_leaves_nothing() {
    on_a_host_of_each(|wanted| {
        let cluster = &wanted.cluster;
        let probe = bringup::questions(cluster, wanted.host).unwrap().script(Scope::Whole);
        // What this machine wrote is in its upper layers.
        let all = "ip -br link | sed 's/ .*//'; nft list ruleset; find /mnt/upper /run -path '*ocp2*'; \
                   cd /proc/sys/net/ipv4; head -n1 ip_forward conf/*/rp_filter";
        let up = || {
            // A link of somebody else's, with another mark, is none of ours.
            wanted
                .machine()
                .line("ip link add name br-other type bridge; ip link set dev br-other alias ocp2:other")
                .step("before", all)
                .step("up", &wanted.source(needs_only_a_kernel))
                .step("found", probe.source())
        };
        let removal =
            |answer: &str| bringup::removal(cluster, &Facts::read(answer).unwrap(), Removal::default());
        let removed = removal(&up().run().outcome("found").stdout);
        let script: String = removed.iter().map(source).collect();
        let done = up().step("down", &script).step("after", all).step("gone", probe.source()).run();
        assert_eq!(done.outcome("down").status, 0, "{:#?}", done.outcome("down"));
        assert_eq!(done.outcome("before").quiet("before"), done.outcome("after").quiet("after"));
        assert!(removal(&done.outcome("gone").stdout).is_empty(), "{removed:#?}");
    });
}

#[test]
fn forwarding_stays_on_for_a_docker_that_came_later() {
    let wanted = Wanted::new(&inventories::cluster(&inventories::path("two-hosts")), 0);
    let probe = bringup::questions(&wanted.cluster, 0).unwrap().script(Scope::Whole);
    let up = || wanted.machine().step("up", &wanted.source(needs_only_a_kernel));
    let found = up().step("found", probe.source()).run();
    let found = Facts::read(&found.outcome("found").stdout).unwrap();
    let removed = bringup::removal(&wanted.cluster, &found, Removal::default());
    let script: String = removed.iter().map(source).collect();
    let forwarding_with = |running: &str| {
        let done = up()
            .line(&format!("echo {running} >/run/active"))
            .step("down", &script)
            .step("after", "cat /proc/sys/net/ipv4/ip_forward")
            .run();
        done.outcome("after").quiet("forwarding").trim().to_owned()
    };
    assert_eq!(forwarding_with("docker.service"), "1");
    assert_eq!(forwarding_with("other.service"), "0");
}

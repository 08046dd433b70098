//! What to do about a validation of the Assisted Service that fails.

/// Validations by the service's own names, and the fix. Where it is the hosts' networking, ocp2 made
/// it: `plan` then shows what has changed since.
const ADVICE: &[(&str, &str)] = &[
    ("connected", "it has stopped reporting: look at its console and whether the VM still runs"),
    ("has-inventory", "it has not told its hardware yet; its console says why"),
    (
        "has-min-cpu-cores",
        "give it more `vcpus` in the inventory (the installer's minimum: 4 for a master, 2 for a worker)",
    ),
    (
        "has-cpu-cores-for-role",
        "give it more `vcpus` in the inventory (the installer's minimum: 4 for a master, 2 for a worker)",
    ),
    (
        "has-min-memory",
        "give it more `memory` in the inventory (the installer's minimum: 16GiB for a master, 8GiB for a worker)",
    ),
    (
        "has-memory-for-role",
        "give it more `memory` in the inventory (the installer's minimum: 16GiB for a master, 8GiB for a worker)",
    ),
    (
        "has-min-valid-disks",
        "its disk must be empty and at least 100 GB: see `disk` in the inventory and `virsh domblklist` on its host",
    ),
    (
        "sufficient-installation-disk-speed",
        "etcd needs writes within 10 ms: move machines.pool to faster disks",
    ),
    ("hostname-unique", "two nodes have the same name: give each item a `name` of its own"),
    (
        "hostname-valid",
        "it does not know its name: its MAC must be the inventory's, or its PTR record is missing (`ocp2 plan`)",
    ),
    (
        "belongs-to-machine-cidr",
        "it has no address of network.machineNetwork: its MAC must be the inventory's (`virsh domiflist`)",
    ),
    (
        "belongs-to-majority-group",
        "nodes do not reach each other: `ocp2 plan` shows what is not as wanted on the bridge, the tunnel and the peers; UDP of vxlan.port must pass between the hosts",
    ),
    (
        "mtu-valid",
        "full-size packets get lost between hosts: the underlay carries less than its NICs say; set network.mtu lower, to the path's MTU minus 100",
    ),
    ("ntp-synced", "it reaches no time server: set network.ntp, or let the hosts' network pass UDP 123"),
    (
        "time-synced-between-host-and-service",
        "its clock differs from the rendezvous node's: set network.ntp to servers that all nodes reach, and the hosts' clocks right",
    ),
    (
        "container-images-available",
        "it cannot pull the release's images: pull secret, proxy, mirror and the way out (network.nat) have to fit",
    ),
    (
        "sufficient-network-latency-requirement-for-role",
        "masters need 100 ms to each other at the most: the hosts are too far apart or their line is full",
    ),
    (
        "sufficient-packet-loss-requirement-for-role",
        "masters must lose no packet between each other: look at the hosts' NICs and the line between them",
    ),
    (
        "has-default-route",
        "it has no default route: its gateway is its host's address on the bridge (`ocp2 plan`)",
    ),
    ("api-domain-name-resolved-correctly", DNS),
    ("api-int-domain-name-resolved-correctly", DNS),
    ("apps-domain-name-resolved-correctly", DNS),
    (
        "release-domain-name-resolved-correctly",
        "it cannot resolve the registry's name: network.forwarders must be servers that its host reaches",
    ),
    (
        "dns-wildcard-not-configured",
        "a wildcard answers below the cluster's own domain: only *.apps may have one; look at your search domains and network.forwarders",
    ),
    (
        "ntp-server-configured",
        "the hosts' clocks are more than four minutes apart, and the VMs take theirs from them: set network.ntp to servers that all nodes reach, and the hosts' clocks right",
    ),
    (
        "media-connected",
        "it cannot read the image that it has booted: look whether the file is still in machines.pool, and at its host's disk",
    ),
    (
        "ignition-downloadable",
        "it cannot fetch its ignition from the rendezvous node: port 22624 between nodes must be open",
    ),
    (
        "compatible-agent",
        "it has booted an image of another release: `ocp2 down` and `ocp2 up` give all nodes the same",
    ),
    (
        "non-overlapping-subnets",
        "network.machineNetwork, clusterNetwork or serviceNetwork is in use on the node already: choose other networks",
    ),
    (
        "no-ip-collisions-in-network",
        "another machine has its address: choose another network.machineNetwork, or give the item another `ip`",
    ),
    ("pull-secret-set", "the pull secret is missing or refused: see cluster.pullSecretFile"),
];

const DNS: &str = "it must ask its own host's dnsmasq: look at its resolv.conf, `systemctl status ocp2-*-dns` on its host, and `ocp2 plan`";

/// Returns the fix for a validation, or where to look for it.
#[must_use]
pub fn advice(validation: &str) -> &'static str {
    let known = ADVICE.iter().find(|(name, _)| *name == validation);
    known.map_or("the message is the service's own; the node's console says more", |(_, fix)| fix)
}

//! What an openshift-install of release 4.22 refuses in its two inputs, and what
//! it takes although the install then fails or waits for ever.

use std::{
    collections::{BTreeSet, HashSet},
    net::{IpAddr, Ipv4Addr},
};

use ipnet::Ipv4Net;
use ocp2::address::Mac;
use serde_json::Value;

/// Returns every rule the two files break.
pub fn broken_rules(install: &str, agent: &str) -> Vec<String> {
    let mut rules = Rules::default();
    match (serde_yaml::from_str(install), serde_yaml::from_str(agent)) {
        (Ok(install), Ok(agent)) => {
            rules.install_config(&install);
            rules.agent_config(&agent, &install);
        }
        (install, agent) => rules.broken.push(format!("YAML: {:?} {:?}", install.err(), agent.err())),
    }
    rules.broken
}

#[derive(Default)]
struct Rules {
    broken: Vec<String>,
}

impl Rules {
    fn hold(&mut self, holds: bool, rule: &str) {
        if !holds {
            self.broken.push(rule.to_owned());
        }
    }

    fn keys(&mut self, value: &Value, known: &[&str], place: &str) {
        let keys: Vec<&String> = value.as_object().map(|map| map.keys().collect()).unwrap_or_default();
        for key in keys {
            self.hold(known.contains(&key.as_str()), &format!("{place}: unknown key {key}"));
        }
    }

    fn install_config(&mut self, config: &Value) {
        self.keys(
            config,
            &[
                "apiVersion",
                "baseDomain",
                "metadata",
                "controlPlane",
                "compute",
                "networking",
                "platform",
                "publish",
                "fips",
                "capabilities",
                "proxy",
                "imageDigestSources",
                "additionalTrustBundle",
                "additionalTrustBundlePolicy",
                "pullSecret",
                "sshKey",
            ],
            "install-config",
        );
        self.hold(config["apiVersion"] == "v1", "apiVersion v1");
        let name = config["metadata"]["name"].as_str().unwrap_or_default();
        self.hold(label(name) && name.len() <= 54, "metadata.name: a DNS label of at most 54 characters");
        self.hold(domain(config["baseDomain"].as_str().unwrap_or_default()), "baseDomain: a DNS domain");
        self.hold(config["controlPlane"]["name"] == "master", "controlPlane.name master");
        self.hold(config["compute"][0]["name"] == "worker", "compute[0].name worker");
        let (masters, workers) = replicas(config);
        self.hold(matches!(masters, 1 | 3 | 4 | 5), "controlPlane.replicas 1, 3, 4 or 5");
        self.hold(masters != 1 || workers == 0, "no workers beside a single master");
        let publish = &config["publish"];
        self.hold(publish.is_null() || publish == "External", "publish External, without a cloud");
        let pools = [&config["controlPlane"], &config["compute"][0]];
        for pool in pools {
            self.keys(pool, &["name", "replicas", "architecture"], "pool");
            let architecture = &pool["architecture"];
            self.hold(architecture.is_null() || architecture == "amd64", "architecture of the release");
        }
        self.hold(pools[0]["architecture"] == pools[1]["architecture"], "one architecture");
        self.capabilities(&config["capabilities"]);
        self.hold(config["platform"] == serde_json::json!({"none": {}}), "platform none and no other");
        self.networking(&config["networking"], masters + workers);

        let secret: Value =
            serde_json::from_str(config["pullSecret"].as_str().unwrap_or_default()).unwrap_or_default();
        self.hold(
            secret["auths"].as_object().is_some_and(|auths| !auths.is_empty()),
            "pullSecret: auths required",
        );
        let keys = config["sshKey"].as_str().unwrap_or_default();
        let fips = config["fips"] == true;
        let key = |line: &str| {
            let kind = line.split(' ').next().unwrap_or_default();
            (kind.starts_with("ssh-") || kind.starts_with("ecdsa-")) && (!fips || kind != "ssh-ed25519")
        };
        self.hold(!keys.is_empty() && keys.lines().all(key), "sshKey: every line a key fit for the node");
        if let Some(bundle) = config["additionalTrustBundle"].as_str() {
            let outside = bundle.split("-----END CERTIFICATE-----").any(|part| {
                !part.trim().is_empty() && !part.trim().starts_with("-----BEGIN CERTIFICATE-----")
            });
            self.hold(!outside, "additionalTrustBundle: certificates only");
        }
        let policy = &config["additionalTrustBundlePolicy"];
        self.hold(
            policy.is_null() || policy == "Proxyonly" || policy == "Always",
            "additionalTrustBundlePolicy",
        );
        for source in list(&config["imageDigestSources"]) {
            self.keys(source, &["source", "mirrors"], "imageDigestSources");
            for name in list(&source["mirrors"]).iter().chain([&source["source"]]) {
                let name = name.as_str().unwrap_or_default();
                let tagged =
                    name.rsplit('/').next().is_some_and(|last| last.contains(':') || last.contains('@'));
                self.hold(
                    !name.is_empty() && !name.contains("://") && !tagged,
                    "imageDigestSources: bare repositories",
                );
            }
        }
        let proxy = &config["proxy"];
        self.keys(proxy, &["httpProxy", "httpsProxy", "noProxy"], "proxy");
        self.hold(
            proxy["httpProxy"].as_str().is_none_or(|url| url.starts_with("http://")),
            "httpProxy scheme http",
        );
        self.hold(
            proxy["noProxy"].as_str().is_none_or(|text| !text.contains([' ', '*'])),
            "noProxy without spaces and wildcards",
        );
    }

    fn capabilities(&mut self, given: &Value) {
        self.keys(given, &["baselineCapabilitySet", "additionalEnabledCapabilities"], "capabilities");
        if given.is_null() {
            return;
        }
        let set = given["baselineCapabilitySet"].as_str().unwrap_or_default();
        let number = set.strip_prefix("v4.").and_then(|number| number.parse::<u32>().ok());
        let known =
            matches!(set, "None" | "vCurrent") || number.is_some_and(|number| (11..=18).contains(&number));
        self.hold(known, "a set of capabilities there is");
        let added: Vec<&str> =
            list(&given["additionalEnabledCapabilities"]).iter().filter_map(Value::as_str).collect();
        let has = |name: &str, since: u32| {
            set == "vCurrent" || number.is_some_and(|number| number >= since) || added.contains(&name)
        };
        self.hold(has("Ingress", 16), "the Ingress capability is required");
        self.hold(
            !has("marketplace", 11) || has("OperatorLifecycleManager", 15),
            "marketplace requires OperatorLifecycleManager",
        );
    }

    fn networking(&mut self, networking: &Value, nodes: u64) {
        self.keys(
            networking,
            &["networkType", "machineNetwork", "clusterNetwork", "serviceNetwork"],
            "networking",
        );
        self.hold(networking["networkType"] == "OVNKubernetes", "networkType OVNKubernetes");
        let net = |value: &Value| value.as_str().and_then(|text| text.parse::<Ipv4Net>().ok());
        let cluster = &networking["clusterNetwork"][0];
        let nets = [
            net(&networking["machineNetwork"][0]["cidr"]),
            net(&cluster["cidr"]),
            net(&networking["serviceNetwork"][0]),
        ];
        let [Some(machine), Some(pods), Some(service)] = nets else {
            return self.hold(false, "three networks");
        };
        for one in ["machineNetwork", "clusterNetwork", "serviceNetwork"] {
            self.hold(list(&networking[one]).len() == 1, "one network of each kind");
        }
        let mut taken: Vec<Ipv4Net> = ["100.64.0.0/16", "100.88.0.0/16", "169.254.0.0/17"]
            .iter()
            .map(|net| net.parse().unwrap())
            .collect();
        for net in [machine, pods, service] {
            self.hold(net.addr() == net.network(), "no host bits");
            let apart =
                taken.iter().all(|other| !other.contains(&net.network()) && !net.contains(&other.network()));
            self.hold(apart, "networks must not overlap");
            taken.push(net);
        }
        self.hold(service.prefix_len() >= 12, "serviceNetwork /12 or smaller");
        let host_prefix = cluster["hostPrefix"].as_u64().unwrap_or_default();
        let prefix = u64::from(pods.prefix_len());
        self.hold((prefix..=25).contains(&host_prefix), "hostPrefix between the CIDR's prefix and 25");
        self.hold((prefix..host_prefix).fold(1, |room, _| room * 2) >= nodes, "room for all nodes' pods");
    }

    fn agent_config(&mut self, config: &Value, install: &Value) {
        self.keys(
            config,
            &["apiVersion", "kind", "metadata", "rendezvousIP", "additionalNTPSources", "hosts"],
            "agent-config",
        );
        self.hold(
            config["apiVersion"] == "v1beta1" && config["kind"] == "AgentConfig",
            "v1beta1 AgentConfig",
        );
        self.hold(config["metadata"]["name"] == install["metadata"]["name"], "the same name in both files");
        for source in list(&config["additionalNTPSources"]) {
            let text = source.as_str().unwrap_or_default();
            self.hold(text.parse::<IpAddr>().is_ok() || domain(text), "NTP sources: address or domain");
        }
        let hosts = list(&config["hosts"]);
        let of = |role: &str| hosts.iter().filter(|host| host["role"] == role).count() as u64;
        self.hold(
            (of("master"), of("worker")) == replicas(install),
            "as many hosts of each role as replicas",
        );
        self.hold(of("master") + of("worker") == hosts.len() as u64, "role master or worker");

        let machine: Ipv4Net =
            install["networking"]["machineNetwork"][0]["cidr"].as_str().unwrap_or_default().parse().unwrap();
        let rendezvous = config["rendezvousIP"].as_str().unwrap_or_default();
        let inside = |text: &str| text.parse::<Ipv4Addr>().is_ok_and(|ip| usable(machine, ip));
        self.hold(inside(rendezvous), "rendezvousIP inside machineNetwork");

        let suffix = format!(
            ".{}.{}",
            install["metadata"]["name"].as_str().unwrap_or_default(),
            install["baseDomain"].as_str().unwrap_or_default()
        );
        let (mut names, mut macs, mut ips) = (HashSet::new(), HashSet::new(), Vec::new());
        let mut mtus = BTreeSet::new();
        for host in hosts {
            self.keys(host, &["hostname", "role", "interfaces", "rootDeviceHints", "networkConfig"], "host");
            let hostname = host["hostname"].as_str().unwrap_or_default();
            self.hold(
                domain(hostname) && hostname.len() <= 63,
                "hostname: a DNS name of at most 63 characters",
            );
            self.hold(hostname.ends_with(&suffix), "hostname inside the cluster's domain");
            self.hold(names.insert(hostname), "hostnames unique");
            self.keys(&host["rootDeviceHints"], &["deviceName"], "rootDeviceHints");
            let device = host["rootDeviceHints"]["deviceName"].as_str().unwrap_or_default();
            self.hold(
                device.strip_prefix("/dev/").is_some_and(|name| !name.contains('/')),
                "deviceName /dev/X",
            );
            let interfaces = list(&host["interfaces"]);
            self.hold(interfaces.len() == 1, "one interface");
            for interface in interfaces {
                self.keys(interface, &["name", "macAddress"], "interface");
                let mac = interface["macAddress"].as_str().unwrap_or_default();
                self.hold(mac.parse::<Mac>().is_ok_and(|mac| !mac.is_multicast()), "unicast MAC");
                self.hold(macs.insert(mac.to_ascii_lowercase()), "MACs unique in any letter case");
            }
            if !host["networkConfig"].is_null() {
                let (ip, mtu) = self.network_config(host, machine);
                self.hold(ips.iter().all(|(other, _)| *other != ip), "addresses unique");
                ips.push((ip, host["role"] == "master"));
                mtus.insert(mtu);
            }
        }
        if !ips.is_empty() {
            self.hold(ips.len() == hosts.len(), "static addresses for all or none");
            self.hold(ips.iter().any(|(ip, master)| ip == rendezvous && *master), "rendezvousIP on a master");
            self.hold(mtus.len() == 1, "one MTU for all");
        }
    }

    /// Checks one host's nmstate; returns its address and MTU.
    fn network_config(&mut self, host: &Value, machine: Ipv4Net) -> (String, u64) {
        let config = &host["networkConfig"];
        self.keys(config, &["interfaces", "dns-resolver", "routes"], "networkConfig");
        let interface = &config["interfaces"][0];
        self.keys(
            interface,
            &["name", "type", "state", "mac-address", "mtu", "ipv4"],
            "networkConfig interface",
        );
        self.hold(interface["name"] == host["interfaces"][0]["name"], "the same interface name twice");
        self.hold(interface["mac-address"] == host["interfaces"][0]["macAddress"], "the same MAC twice");
        self.hold(interface["type"] == "ethernet" && interface["state"] == "up", "an ethernet that is up");
        self.hold(interface["ipv4"]["enabled"] == true && interface["ipv4"]["dhcp"] == false, "static IPv4");
        let address = &interface["ipv4"]["address"][0];
        let ip = address["ip"].as_str().unwrap_or_default();
        let inside = |text: &str| text.parse::<Ipv4Addr>().is_ok_and(|ip| usable(machine, ip));
        self.hold(inside(ip), "address inside machineNetwork");
        self.hold(
            address["prefix-length"] == u64::from(machine.prefix_len()),
            "machineNetwork's prefix length",
        );
        let dns = config["dns-resolver"]["config"]["server"][0].as_str().unwrap_or_default();
        self.hold(inside(dns) && dns != ip, "a DNS server inside the overlay");
        let route = &config["routes"]["config"][0];
        let gateway = route["next-hop-address"].as_str().unwrap_or_default();
        self.hold(route["destination"] == "0.0.0.0/0" && inside(gateway) && gateway != ip, "a default route");
        self.hold(route["next-hop-interface"] == interface["name"], "the route leaves by the interface");
        let mtu = interface["mtu"].as_u64().unwrap_or_default();
        self.hold(mtu >= 1280, "an MTU of at least 1280");
        (ip.to_owned(), mtu)
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn replicas(install: &Value) -> (u64, u64) {
    let count = |value: &Value| value["replicas"].as_u64().unwrap_or_default();
    (count(&install["controlPlane"]), count(&install["compute"][0]))
}

fn usable(net: Ipv4Net, ip: Ipv4Addr) -> bool {
    net.contains(&ip) && ip != net.network() && ip != net.broadcast()
}

fn label(name: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    !name.is_empty()
        && name.len() <= 63
        && name.bytes().all(fits)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

fn domain(name: &str) -> bool {
    name.split('.').all(label)
}

//! Which address of the machine network goes to whom.

use std::{collections::HashSet, net::Ipv4Addr};

use ipnet::Ipv4Net;

/// First address of the masters: `.10`, unless that many hosts stand before it.
const FIRST_NODE: u32 = 10;

/// The addresses of hosts and nodes; `None` for whom the network has no room.
#[derive(Debug)]
pub(super) struct Plan {
    pub hosts: Vec<Option<Ipv4Addr>>,
    pub nodes: Vec<Option<Ipv4Addr>>,
    /// From the far end, so that more nodes do not move it.
    pub bootstrap: Option<Ipv4Addr>,
}

/// Plans the addresses: those asked for, then `.1`, `.2`, … for hosts and `.10`, `.11`, … for nodes.
///
/// Everyone has a place by its number, so that one address asked for, or one
/// more node at the end, moves nobody else. Whose place is taken gets one from
/// the far end of the network.
pub(super) fn plan(net: Ipv4Net, hosts: &[Option<Ipv4Addr>], nodes: &[Option<Ipv4Addr>]) -> Plan {
    let mut plan = Planner::new(net, hosts.iter().chain(nodes).flatten().copied());
    let host_count = u32::try_from(hosts.len()).unwrap_or(u32::MAX);
    let first_node = FIRST_NODE.max(host_count.saturating_add(1));
    let places = |first: u32| (0..).map(move |index: u32| first.saturating_add(index));

    // Whoever can stands at its place before anybody is moved.
    let mut planned_hosts: Vec<_> = plan.stand(hosts, places(1));
    let mut planned_nodes: Vec<_> = plan.stand(nodes, places(first_node));
    plan.keep_for_later_nodes(first_node.saturating_add(u32::try_from(nodes.len()).unwrap_or(u32::MAX)));
    for missing in planned_hosts.iter_mut().chain(&mut planned_nodes).filter(|address| address.is_none()) {
        *missing = plan.last_free();
    }
    let bootstrap = plan.last_free();
    Plan { hosts: planned_hosts, nodes: planned_nodes, bootstrap }
}

struct Planner {
    net: Ipv4Net,
    taken: HashSet<Ipv4Addr>,
    /// Lowest offset a moved one may have.
    floor: u32,
}

impl Planner {
    fn new(net: Ipv4Net, asked: impl Iterator<Item = Ipv4Addr>) -> Self {
        Self { net: net.trunc(), taken: asked.collect(), floor: 1 }
    }

    fn stand(
        &mut self,
        asked: &[Option<Ipv4Addr>],
        places: impl Iterator<Item = u32>,
    ) -> Vec<Option<Ipv4Addr>> {
        asked.iter().zip(places).map(|(asked, place)| asked.or_else(|| self.take(place))).collect()
    }

    fn keep_for_later_nodes(&mut self, floor: u32) {
        self.floor = floor;
    }

    fn last_free(&mut self) -> Option<Ipv4Addr> {
        let size = 1_u64 << (32 - self.net.prefix_len());
        let last = u32::try_from(size.saturating_sub(2)).unwrap_or(u32::MAX);
        (self.floor..=last).rev().find_map(|place| self.take(place))
    }

    /// Takes the address at that offset, if it is a host's address and free.
    fn take(&mut self, offset: u32) -> Option<Ipv4Addr> {
        let address = Ipv4Addr::from_bits(self.net.network().to_bits().checked_add(offset)?);
        let usable = self.net.contains(&address) && address != self.net.broadcast();
        (usable && self.taken.insert(address)).then_some(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(net: &str, hosts: &[Option<&str>], nodes: &[Option<&str>]) -> (Vec<String>, Vec<String>) {
        let parse = |list: &[Option<&str>]| -> Vec<_> {
            list.iter().map(|address| address.map(|address| address.parse().unwrap())).collect()
        };
        let plan = plan(net.parse().unwrap(), &parse(hosts), &parse(nodes));
        let show = |list: Vec<Option<Ipv4Addr>>| {
            list.into_iter().map(|address| address.map_or("-".to_owned(), |a| a.to_string())).collect()
        };
        (show(plan.hosts), show(plan.nodes))
    }

    #[test]
    fn everyone_has_a_place_by_number() {
        let (hosts, nodes) = planned("10.9.0.0/24", &[None; 2], &[None; 3]);
        assert_eq!(hosts, ["10.9.0.1", "10.9.0.2"]);
        assert_eq!(nodes, ["10.9.0.10", "10.9.0.11", "10.9.0.12"]);
    }

    #[test]
    fn an_address_asked_for_moves_only_whom_it_meets() {
        let (hosts, nodes) =
            planned("10.9.0.0/24", &[None, Some("10.9.0.10")], &[None, None, Some("10.9.0.1")]);
        assert_eq!(hosts, ["10.9.0.254", "10.9.0.10"]);
        assert_eq!(nodes, ["10.9.0.253", "10.9.0.11", "10.9.0.1"]);
    }

    #[test]
    fn the_bootstrap_takes_the_last_address_that_is_left() {
        let bootstrap = |net: &str, nodes: usize| {
            plan(net.parse().unwrap(), &[None], &vec![None; nodes]).bootstrap.map(|a| a.to_string())
        };
        assert_eq!(bootstrap("10.9.0.0/24", 3).as_deref(), Some("10.9.0.254"));
        assert_eq!(bootstrap("10.9.0.0/24", 9), bootstrap("10.9.0.0/24", 3));
        assert_eq!(bootstrap("10.9.0.0/28", 4).as_deref(), Some("10.9.0.14"));
        assert_eq!(bootstrap("10.9.0.0/28", 5), None);
    }

    #[test]
    fn a_small_network_runs_out() {
        let (_, nodes) = planned("10.9.0.0/28", &[None], &[None; 6]);
        assert_eq!(nodes, ["10.9.0.10", "10.9.0.11", "10.9.0.12", "10.9.0.13", "10.9.0.14", "-"]);
    }
}

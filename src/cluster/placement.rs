//! Which host runs which VM.

use super::Role;

/// A VM that wants a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub role: Role,
    pub memory_mib: u64,
    /// The host the inventory names for it, or that it is on already.
    pub host: Option<usize>,
}

/// Returns the host of every VM.
///
/// Placed ones count first. Each other one goes, in order, to the host with the
/// fewest of its role, then the least memory given away, then the first: the
/// roles spread evenly and so does the load, and one more VM at the end moves
/// none of the others.
pub(super) fn place(wishes: &[Wish], hosts: usize) -> Vec<usize> {
    let mut load = vec![Load::default(); hosts];
    for wish in wishes {
        if let Some(host) = wish.host {
            load[host].take(wish);
        }
    }
    let place_one = |wish: &Wish| {
        wish.host.unwrap_or_else(|| {
            let best = (0..hosts).min_by_key(|&host| (load[host].of(wish.role), load[host].memory_mib));
            let best = best.unwrap_or_default();
            load[best].take(wish);
            best
        })
    };
    wishes.iter().map(place_one).collect()
}

#[derive(Debug, Clone, Copy, Default)]
struct Load {
    masters: usize,
    workers: usize,
    memory_mib: u64,
}

impl Load {
    fn of(&self, role: Role) -> usize {
        match role {
            Role::Master => self.masters,
            Role::Worker => self.workers,
        }
    }

    fn take(&mut self, wish: &Wish) {
        match wish.role {
            Role::Master => self.masters += 1,
            Role::Worker => self.workers += 1,
        }
        self.memory_mib = self.memory_mib.saturating_add(wish.memory_mib);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(masters: usize, workers: usize) -> Vec<Wish> {
        let wish = |role| Wish { role, memory_mib: 16384, host: None };
        let mut wishes = vec![wish(Role::Master); masters];
        wishes.extend(vec![wish(Role::Worker); workers]);
        wishes
    }

    #[test]
    fn three_and_three_on_two_hosts_cross_over() {
        assert_eq!(place(&wishes(3, 3), 2), [0, 1, 0, 1, 0, 1]);
    }

    #[test]
    fn three_and_three_on_three_hosts_pair_up() {
        assert_eq!(place(&wishes(3, 3), 3), [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn a_named_host_is_honoured_and_counted() {
        let mut wishes = wishes(3, 0);
        wishes[2].host = Some(0);
        assert_eq!(place(&wishes, 2), [1, 0, 0]);
    }
}

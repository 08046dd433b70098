//! What keeps an installation from its end: noticed, watched, and told once it stays.

use std::collections::BTreeMap;

use crate::cluster::{Cluster, Node};

/// Something that keeps an installation from its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What makes it the same trouble the next time it is seen.
    pub key: String,
    /// The sentence: who, and what is wrong.
    pub what: String,
    /// What its user can do.
    pub fix: String,
    /// How long it may last before it is worth a word, seconds.
    pub patience: u64,
}

impl Trouble {
    /// Says where a node's console can be read.
    #[must_use]
    pub fn console(cluster: &Cluster, node: &Node) -> String {
        format!(
            "its console is on {}: /var/log/libvirt/qemu/{}-console.log",
            cluster.hosts[node.host].name,
            cluster.domain_name(node)
        )
    }
}

/// What there is to say after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It has lasted for longer than it should.
    Lasts(Trouble),
    /// What was complained about is over.
    Over(Trouble),
}

/// The troubles of one source, and since when they are seen.
#[derive(Debug, Clone, Default)]
pub struct Watchlist {
    seen: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    trouble: Trouble,
    since: u64,
    told: bool,
}

impl Watchlist {
    /// Takes the troubles of one look at second `now`; returns what is worth a word now, each once.
    pub fn look(&mut self, now: u64, troubles: Vec<Trouble>) -> Vec<Word> {
        let mut before = std::mem::take(&mut self.seen);
        let mut words = Vec::new();
        for trouble in troubles {
            // Two of one key in one look are one: the first is told, and the second does not begin anew.
            if self.seen.contains_key(&trouble.key) {
                continue;
            }
            let (since, told) =
                before.remove(&trouble.key).map_or((now, false), |entry| (entry.since, entry.told));
            let lasts = now.saturating_sub(since) >= trouble.patience;
            if lasts && !told {
                words.push(Word::Lasts(trouble.clone()));
            }
            self.seen.insert(trouble.key.clone(), Entry { trouble, since, told: told || lasts });
        }
        words.extend(before.into_values().filter(|entry| entry.told).map(|entry| Word::Over(entry.trouble)));
        words
    }

    /// Returns everything that was wrong at the last look, however short it has been so.
    #[must_use]
    pub fn current(&self) -> Vec<Trouble> {
        self.seen.values().map(|entry| entry.trouble.clone()).collect()
    }
}

//! How often a run has to wait for a far host. Counted in lockstep by `tests/bench/delay.py`, never timed.

use std::{path::PathBuf, time::Duration};

use crate::{
    proxy::Proxy,
    stage::{Stage, eventually, stage},
};

/// What a look at a host takes: its name, the key exchange, the service, the key's offer, the login,
/// a channel, the command, its script (sshd gives room for it only then), and goodbye.
const LOOK: u64 = 9;

/// What each phase takes beyond a look, where everything of it is still to be done: the lock, the
/// changes, the proof over a fresh connection where they could cut the way in, and a look afterwards.
/// Three more than were counted, for answers may come in pieces; a look more takes six.
const PHASES: [(&str, u64); 4] = [("overlay", 26), ("nat", 23), ("names", 13), ("balancer", 13)];

/// The lab's hosts behind counting proxies.
struct Far<'a> {
    stage: &'a Stage,
    _proxy: Proxy,
    counts: PathBuf,
    inventory: String,
}

impl<'a> Far<'a> {
    fn new(stage: &'a Stage) -> Self {
        let hosts = ["11", "12"];
        let counts = stage.folder.join("round-trips");
        let replace = Proxy::replacements(stage, &hosts);
        let replace: Vec<(&str, &str)> = replace.iter().map(|(from, to)| (&**from, &**to)).collect();
        let inventory = stage.inventory("far.yaml", &replace);
        let proxy = Proxy::start(stage, &["--count", &counts.display().to_string()], &hosts);
        Self { stage, _proxy: proxy, counts, inventory }
    }

    /// Runs ocp2 and returns the round trips of the host that took most, over all its connections.
    fn count(&self, arguments: &[&str]) -> u64 {
        let _ = std::fs::remove_file(&self.counts);
        let mut all = arguments.to_vec();
        all.push(&self.inventory);
        self.stage.ocp2(&all).succeeds();
        // The proxy writes before it hangs up, which is a moment after the run's end.
        let ended = "ss -Htn state established state close-wait | grep -q 127.1.1.";
        let told = eventually(Duration::from_secs(10), || {
            self.stage.at("workstation", &format!("! {ended} && cat {}", self.counts.display()))
        });
        let of = |host: &str| -> u64 {
            let lines =
                told.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            lines.filter(|line| line["target"] == host).map(|line| line["roundTrips"].as_u64().unwrap()).sum()
        };
        of("192.0.2.11").max(of("192.0.2.12"))
    }
}

#[test]
fn a_look_and_each_phase_take_the_round_trips_they_need() {
    let stage = stage();
    let far = Far::new(&stage);
    stage.ocp2(&["down", "--yes", &far.inventory]).succeeds();
    let look = far.count(&["plan"]);
    for (phase, most) in PHASES {
        let taken = far.count(&["up", "--yes", "--until", phase]) - look;
        assert!(taken <= most, "{phase} took {taken} round trips beyond a look");
    }
    let nothing = far.count(&["up", "--yes", "--until", "balancer"]);
    assert!(
        look <= LOOK && nothing <= LOOK,
        "a look took {look} round trips, a run without changes {nothing}"
    );
}

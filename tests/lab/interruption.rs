//! A run that is cut off anywhere, however: the same command carries on, nothing twice and nothing lost.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use crate::{
    footprint::{footprint, same},
    stage::{Run, Stage, eventually, stage},
};

/// Returns at how many moments of a run it is killed: a few, or as many as `OCP2_KILLS` says (`make test-full PART=kills`: 30).
fn kills() -> u32 {
    std::env::var("OCP2_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(6)
}

/// What a cut-off run is measured by.
struct Undisturbed {
    /// The hosts without anything of ocp2's.
    clean: Vec<String>,
    /// The hosts after a run that nobody disturbed.
    done: Vec<String>,
    /// How long that run took.
    took: Duration,
}

static UNDISTURBED: OnceLock<Undisturbed> = OnceLock::new();

/// Takes everything down; returns the inventory, and what an undisturbed run of this lab is like.
fn undisturbed(stage: &Stage) -> (String, &'static Undisturbed) {
    let inventory = stage.inventory("interruption.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    let undisturbed = UNDISTURBED.get_or_init(|| Undisturbed::run(stage, &inventory));
    (inventory, undisturbed)
}

impl Undisturbed {
    fn run(stage: &Stage, inventory: &str) -> Self {
        let clean = footprint(stage, false);
        let begin = Instant::now();
        up(stage, inventory).succeeds();
        let took = begin.elapsed();
        let done = footprint(stage, true);
        stage.ocp2(&["down", "--yes", inventory]).succeeds();
        Self { clean, done, took }
    }

    /// Lets the same command carry on and demands the end of an undisturbed run.
    fn carries_on(&self, stage: &Stage, inventory: &str, when: &str) {
        let run = up(stage, inventory);
        assert_eq!(run.status, 0, "{when}: {}", run.stderr);
        let again = stage.ocp2(&["up", "--until", "balancer", "-o", "json", inventory]).succeeds().json();
        assert_eq!(again["changed"], 0, "{when}: {again}");
        same(&self.done, &footprint(stage, true), when);
    }

    /// Demands that `down` leaves nothing.
    fn ends(&self, stage: &Stage, inventory: &str) {
        stage.ocp2(&["down", "--yes", inventory]).succeeds();
        same(&self.clean, &footprint(stage, false), "after down");
    }
}

fn up(stage: &Stage, inventory: &str) -> Run {
    stage.ocp2(&["up", "--until", "balancer", inventory])
}

/// A run under way, up to a line that it says.
pub struct UnderWay {
    pub child: Child,
    said: String,
    lines: BufReader<std::process::ChildStderr>,
}

impl UnderWay {
    pub fn until(stage: &Stage, inventory: &str, text: &str) -> Self {
        Self::of(stage, &["up", "--until", "balancer", inventory], text)
    }

    pub fn of(stage: &Stage, arguments: &[&str], text: &str) -> Self {
        let mut child = stage.start(arguments);
        let lines = BufReader::new(child.stderr.take().unwrap());
        let mut this = Self { child, said: String::new(), lines };
        this.goes_on_until(text);
        this
    }

    /// Goes on to a later line.
    pub fn goes_on_until(&mut self, text: &str) {
        while !self.said.contains(text) {
            assert_ne!(self.lines.read_line(&mut self.said).unwrap(), 0, "{}", self.said);
        }
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.signal("-INT");
    }

    /// Lets it do nothing more, so that what is done meanwhile happens at this moment of it.
    pub fn hold(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success(), "kill {name} {pid}");
    }

    pub fn end(mut self) -> Run {
        self.lines.read_to_string(&mut self.said).unwrap();
        let status = self.child.wait().unwrap().code().unwrap_or(-1);
        Run { status, stdout: String::new(), stderr: self.said }
    }
}

/// Plugs the cable of a place in or out, at the internet's end.
fn cable(stage: &Stage, place: &str, plugged: bool) {
    let to = if plugged { "up" } else { "down" };
    stage.at("internet", &format!("ip link set to-{place} {to}")).succeeds();
}

#[test]
fn a_killed_run_is_carried_on_wherever_it_was() {
    let stage = stage();
    let (inventory, undisturbed) = undisturbed(&stage);
    let (mut killed, kills) = (0, kills());
    for kill in 0..kills {
        let moment = undisturbed.took * (2 * kill + 1) / (2 * kills);
        let mut child = stage.start(&["up", "--until", "balancer", &inventory]);
        thread::sleep(moment);
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
        let when = format!("killed after {moment:?} of {:?}", undisturbed.took);
        let run = up(&stage, &inventory);
        assert_eq!(run.status, 0, "{when}: {}", run.stderr);
        let (plan, done) = thread::scope(|scope| {
            let done = scope.spawn(|| footprint(&stage, true));
            let plan = stage.ocp2(&["plan", "--check", "-o", "json", &inventory]).json();
            (plan, done.join().unwrap())
        });
        let differs = |change: &&serde_json::Value| change["phase"].as_str().is_some_and(before_machines);
        let changes = plan["changes"].as_array().unwrap();
        assert!(changes.iter().any(|change| change["phase"] == "machines"), "{when}: {plan:#}");
        let left: Vec<_> = changes.iter().filter(differs).collect();
        assert!(left.is_empty(), "{when}: {left:#?}");
        same(&undisturbed.done, &done, &when);
        stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    }
    // A run may be quicker than the one the moments are taken from.
    assert!(killed >= kills / 2, "only {killed} runs were still at work when they were killed");
    undisturbed.ends(&stage, &inventory);
}

fn before_machines(phase: &str) -> bool {
    ["hosts", "overlay", "nat", "names", "balancer"].contains(&phase)
}

#[test]
fn a_run_that_is_killed_among_the_vms_makes_none_of_them_twice() {
    let stage = stage();
    let inventory = stage.inventory("interruption.yaml", &[]);
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
    let up = ["up", "--until", "machines", &inventory];
    // Each of them further on than the one before.
    for step in ["pool ocp2-ocp: define", "volume ocp-worker1.img: create", "domain ocp-master2: define"] {
        let mut run = UnderWay::of(&stage, &up, step);
        run.child.kill().unwrap();
        assert_eq!(run.child.wait().unwrap().code(), None, "{step}: it was not at work any more");
    }
    stage.ocp2(&up).succeeds();
    let again = stage.ocp2(&["up", "--until", "machines", "-o", "json", &inventory]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
    let vms = stage.ocp2(&["vms", "list", "-o", "json", &inventory]).succeeds().json();
    for host in ["bm1", "bm2"] {
        let wanted = vms.as_array().unwrap().iter().filter(|vm| vm["host"] == host);
        let mut wanted: Vec<String> = wanted.map(|vm| vm["uuid"].as_str().unwrap().to_owned()).collect();
        wanted.sort();
        let there = stage.at(host, "virsh list --uuid | grep . | sort").succeeds().stdout;
        assert_eq!(there.lines().collect::<Vec<_>>(), wanted);
        let disks = stage.at(host, "ls /var/lib/libvirt/images/ocp/*.img | wc -l").succeeds().stdout;
        assert_eq!(disks.trim(), "3");
    }
    stage.ocp2(&["down", "--yes", &inventory]).succeeds();
}

/// Holds a run once it says `text` and disturbs it, which lets it go on; it ends as it is to, and the next
/// one carries on.
fn disturbed(text: &str, disturb: impl Fn(&Stage, &UnderWay), ends: impl Fn(Run), when: &str) {
    let stage = stage();
    let (inventory, undisturbed) = undisturbed(&stage);
    let run = UnderWay::until(&stage, &inventory, text);
    run.hold();
    disturb(&stage, &run);
    ends(run.end());
    undisturbed.carries_on(&stage, &inventory, when);
    undisturbed.ends(&stage, &inventory);
}

#[test]
fn a_network_that_is_gone_for_20_s_is_sat_out() {
    let gone = |stage: &Stage, run: &UnderWay| {
        cable(stage, "bm2", false);
        run.resume();
        thread::sleep(Duration::from_secs(20));
        cable(stage, "bm2", true);
    };
    disturbed("bm2 [4/", gone, |run| drop(run.succeeds()), "after the network was gone");
}

#[test]
fn a_connection_that_is_cut_is_named_and_the_next_run_carries_on() {
    let sessions = "ss -Htnp state established sport = 22 | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u";
    let cut = |stage: &Stage, run: &UnderWay| {
        stage.at("bm1", &format!("kill -9 $({sessions})")).succeeds();
        run.resume();
    };
    let named = |run: Run| drop(run.ends(4).says("bm1: the connection was lost"));
    disturbed("names  ", cut, named, "after the connection was cut");
}

#[test]
fn a_host_that_loses_its_power_is_carried_on_with() {
    let unplugged = |stage: &Stage, run: &UnderWay| {
        stage.power_cycle("bm2");
        run.resume();
    };
    disturbed("names  ", unplugged, |run| drop(run.ends(4).says("bm2: ")), "after the power cut");
}

#[test]
fn a_full_disk_is_named_and_once_there_is_room_the_run_carries_on() {
    let stage = stage();
    let (inventory, undisturbed) = undisturbed(&stage);
    for (folder, named) in [("/etc/ocp2", "/etc/ocp2/ocp/"), ("/var/lib/ocp2", "/var/lib/ocp2/")] {
        stage
            .at("bm1", &format!("mkdir {folder} && mount -t tmpfs -o size=64k none {folder} && ! dd if=/dev/zero of={folder}/filler 2>/dev/null"))
            .succeeds();
        let full = up(&stage, &inventory);
        stage.at("bm1", &format!("rm {folder}/filler")).succeeds();
        full.ends(5).says("No space left on device").says(named).says("hint: mend the cause");
        let run = up(&stage, &inventory);
        assert_eq!(run.status, 0, "{folder}: {}", run.stderr);
        same(&undisturbed.done, &footprint(&stage, true), folder);
        stage.ocp2(&["down", "--yes", &inventory]).succeeds();
        stage.at("bm1", &format!("umount {folder} && rmdir {folder}")).succeeds();
    }
    undisturbed.ends(&stage, &inventory);
}

#[test]
fn the_first_ctrl_c_waits_for_the_step_in_hand_and_the_second_does_not() {
    let stage = stage();
    let (inventory, undisturbed) = undisturbed(&stage);
    let mut run = UnderWay::until(&stage, &inventory, "bm2 [4/");
    // The step in hand does not end while nothing comes back from its host.
    cable(&stage, "bm2", false);
    run.interrupt();
    run.goes_on_until("stopping after the step in hand; Ctrl-C again stops at once");
    thread::sleep(Duration::from_secs(1));
    assert!(run.child.try_wait().unwrap().is_none(), "the step in hand was not waited for");
    run.interrupt();
    let end = run.end();
    cable(&stage, "bm2", true);
    end.ends(130).says("stopped at once; the same command carries on");
    // bm2 hears of the end, and frees the lock, once it hears anything again.
    eventually(Duration::from_secs(60), || up(&stage, &inventory));
    undisturbed.carries_on(&stage, &inventory, "after the second Ctrl-C");
    undisturbed.ends(&stage, &inventory);
}

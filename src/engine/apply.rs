//! Carrying out the changes of one host.

use std::{mem, pin::pin, sync::Mutex};

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::{
    command::{Command, Script},
    engine::{
        Error, Event, Sink,
        guard::{Guard, Probation, Proof, SILENCE},
        lock,
    },
    host::{self, Hypervisor, Session},
    resource::{Action, Change},
};

/// Marks the beginning of a step in a script's output.
const STEP: &str = "@@step ";

/// Of what a step prints, this much is kept for the error that may come, bytes.
const MOST_OUTPUT: usize = 16 << 10;

/// How many domains are seen to at once: a start takes a third of a second of a core's time, and far
/// away as much of waiting.
const DOMAINS: usize = 4;

/// What is needed to carry out changes on one host.
pub(super) struct Applier<'a> {
    pub(super) cluster: &'a str,
    pub(super) session: &'a Session,
    pub(super) hypervisor: &'a mut Option<Hypervisor>,
    pub(super) sink: &'a Sink,
}

/// Neighbouring changes that are carried out alike, and which of all the host's changes they are.
#[derive(Clone, Copy)]
struct Stretch<'a> {
    changes: &'a [Change],
    /// How many come before them.
    first: usize,
    /// How many there are of all.
    of: usize,
}

impl Stretch<'_> {
    /// Returns those that `is_alike` holds for, from the first on.
    fn alike(self, is_alike: impl Fn(&Change) -> bool) -> Self {
        let count = self.changes.iter().take_while(|change| is_alike(change)).count();
        self.part(0, count)
    }

    fn part(self, from: usize, to: usize) -> Self {
        Self { changes: &self.changes[from..to], first: self.first + from, of: self.of }
    }
}

impl Applier<'_> {
    /// Carries out changes in order: neighbouring shell changes are one script. `record` writes down what they
    /// make, before the first of them.
    ///
    /// # Errors
    /// Stops at the first failure and returns it.
    pub(super) async fn apply(&mut self, changes: &[Change], mut record: Script) -> Result<(), Error> {
        let all = Stretch { changes, first: 0, of: changes.len() };
        let mut at = 0;
        while at < changes.len() {
            let rest = all.part(at, changes.len());
            let done = match &changes[at].action {
                Action::Shell(_) => {
                    let scripts = rest.alike(|change| matches!(change.action, Action::Shell(_)));
                    self.guarded(scripts, mem::take(&mut record)).await?;
                    scripts
                }
                Action::Hypervisor(_) => {
                    let calls = rest.alike(|change| matches!(change.action, Action::Hypervisor(_)));
                    self.write_down(&mem::take(&mut record)).await?;
                    self.calls(calls).await?;
                    calls
                }
                Action::Manual(advice) => {
                    let text = format!("{}: {}: {advice}", self.session.name(), title(&changes[at]));
                    (self.sink)(Event::Note { text });
                    rest.part(0, 1)
                }
            };
            at += done.changes.len();
        }
        Ok(())
    }

    /// Runs a script that writes down what is made, where no change is a script that it could be part of.
    async fn write_down(&self, record: &Script) -> Result<(), Error> {
        if record.source().is_empty() {
            return Ok(());
        }
        let script = lock::marking(self.cluster).line("set -eu -o pipefail").line(record.source());
        let (host, step) = (self.session.name().to_owned(), "writing down what is made".to_owned());
        let output = self.session.run(&script, |_| {}).await?;
        let (status, output) = (output.status, output.stderr);
        if status == 0 { Ok(()) } else { Err(Error::Step { host, step, status, output }) }
    }

    /// Makes calls to libvirt in order, but those of several domains at once: they do not know each other.
    async fn calls(&mut self, calls: Stretch<'_>) -> Result<(), Error> {
        // A daemon that was restarted or removed since has left us with a dead connection.
        if self.hypervisor.as_ref().is_none_or(Hypervisor::is_closed) {
            *self.hypervisor = Some(self.session.hypervisor().await?);
        }
        let Some(hypervisor) = &self.hypervisor else { return Ok(()) };
        let mut at = 0;
        let mut chains: Vec<Stretch<'_>> = Vec::new();
        for chain in calls.changes.chunk_by(|one, next| one.resource == next.resource) {
            chains.push(calls.part(at, at + chain.len()));
            at += chain.len();
        }
        let is_domain = |chain: &Stretch<'_>| chain.changes[0].resource.starts_with("domain ");
        for alike in chains.chunk_by(|one, next| is_domain(one) && is_domain(next)) {
            for some in alike.chunks(DOMAINS) {
                let made = join_all(some.iter().map(|&chain| self.chain(hypervisor, chain)));
                made.await.into_iter().collect::<Result<(), _>>()?;
            }
        }
        Ok(())
    }

    async fn chain(&self, hypervisor: &Hypervisor, chain: Stretch<'_>) -> Result<(), Error> {
        for (index, change) in chain.changes.iter().enumerate() {
            self.tell(chain, index);
            if let Action::Hypervisor(call) = &change.action {
                hypervisor.call(call).await?;
            }
        }
        Ok(())
    }

    /// Carries out shell changes; those that could cut the way in, and what is between them, on probation.
    async fn guarded(&self, all: Stretch<'_>, record: Script) -> Result<(), Error> {
        let risky = |change: &Change| change.undo.is_some();
        let count = all.changes.len();
        let begin = all.changes.iter().position(risky).unwrap_or(count);
        let end = all.changes.iter().rposition(risky).map_or(begin, |last| last + 1);
        let (early, late) = if begin == 0 { (Script::new(), record) } else { (record, Script::new()) };
        self.shell(all.part(0, begin), early).await?;
        self.probation(all.part(begin, end), late).await?;
        self.shell(all.part(end, count), Script::new()).await
    }

    async fn probation(&self, risky: Stretch<'_>, record: Script) -> Result<(), Error> {
        let changes = risky.changes;
        if changes.is_empty() {
            return Ok(());
        }
        let probation = Probation::new(self.cluster, self.session);
        // Armed first: what fails then is told by its own words, as any step is.
        let before = probation.arm(changes).line(record.source());
        let mut steps = pin!(self.shell(risky, before));
        // Steps that cut the way in never tell their end.
        let mut told = timeout(SILENCE, &mut steps).await.ok();
        loop {
            let proof = probation.prove(|error| {
                let text = format!("{error}; the host undoes what was changed by itself");
                (self.sink)(Event::Waiting { text });
            });
            let host = self.session.name().to_owned();
            let undone = || changes.iter().filter(|change| change.undo.is_some()).map(title).collect();
            let lost = |reason: &str| {
                let (host, reason) = (host.clone(), reason.to_owned());
                Err(host::Error::ConnectionLost { host, reason }.into())
            };
            let again = match Box::pin(proof).await {
                Proof::Undone { reason, output } => {
                    let reason = reason.map(Box::new);
                    return Err(Error::Undone { host, undone: undone(), output, source: reason });
                }
                Proof::Closed(source) => {
                    return Err(Error::CutOff { host, changes: undone(), source: Box::new(source) });
                }
                Proof::Open => false,
                Proof::NeverArmed => true,
            };
            match told {
                Some(Ok(())) if again => {
                    // Another run's probation was the last one, or none since the host was switched on.
                    self.session.run(&Script::new(), |_| {}).await?;
                    return lost("the host has started anew since the changes");
                }
                Some(outcome) => return outcome,
                None => told = timeout(SILENCE, &mut steps).await.ok(),
            }
            match told {
                None => return lost("it is silent, though a new one comes about"),
                Some(outcome) if !again => return outcome,
                // They had not begun when we asked.
                Some(outcome) => told = Some(outcome),
            }
        }
    }

    async fn shell(&self, scripts: Stretch<'_>, before: Script) -> Result<(), Error> {
        let changes = scripts.changes;
        if changes.is_empty() {
            return Ok(());
        }
        let mut script = lock::marking(self.cluster).line("set -eu -o pipefail").line(before.source());
        for (index, change) in changes.iter().enumerate() {
            if let Action::Shell(source) = &change.action {
                // Each step in a subshell of its own: its variables and traps end with it.
                script = script
                    .line(format_args!("echo '{STEP}{index}'"))
                    .line("( exec 2>&1")
                    .line(source.source().trim_end())
                    .line(")");
            }
        }
        let progress = Mutex::new((0_usize, String::new()));
        let output = {
            let host = self.session.name().to_owned();
            let line = |line: &str| {
                let Ok(mut progress) = progress.lock() else { return };
                if let Some(index) = line.strip_prefix(STEP).and_then(|index| index.parse::<usize>().ok()) {
                    *progress = (index, String::new());
                    self.tell(scripts, index);
                } else {
                    progress.1.push_str(line);
                    progress.1.push('\n');
                    // The reason is at the end.
                    if progress.1.len() > 2 * MOST_OUTPUT {
                        let from = progress.1.len() - MOST_OUTPUT;
                        let cut = progress.1[..].char_indices().map(|(at, _)| at).find(|at| *at >= from);
                        progress.1.drain(..cut.unwrap_or(0));
                    }
                    (self.sink)(Event::Output { host: host.clone(), line: line.to_owned() });
                }
            };
            self.session.run(&script, line).await?
        };
        if output.status == 0 {
            return Ok(());
        }
        let (index, printed) = progress.lock().map(|p| p.clone()).unwrap_or_default();
        Err(Error::Step {
            host: self.session.name().to_owned(),
            step: changes.get(index).map(title).unwrap_or_default(),
            status: output.status,
            output: format!("{printed}{}", output.stderr),
        })
    }

    /// Says which step is at work; an index that there is none of came from the host.
    fn tell(&self, stretch: Stretch<'_>, index: usize) {
        let Some(change) = stretch.changes.get(index) else { return };
        let (host, index) = (self.session.name().to_owned(), stretch.first + index + 1);
        (self.sink)(Event::Step { host, index, of: stretch.of, text: title(change) });
    }
}

pub(super) fn title(change: &Change) -> String {
    format!("{}: {}", change.resource, change.summary)
}

/// Returns source that removes what the lock leaves in /run.
pub(super) fn traces(cluster: &str) -> Script {
    let left = ["work", "programs", "mark"].map(|kind| lock::path(cluster, kind));
    Guard::of(cluster).forget().line(Command::new("rm").arg("-f").args(left))
}

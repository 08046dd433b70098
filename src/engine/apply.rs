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

impl Applier<'_> {
    /// Carries out changes in order: neighbouring shell changes are one script. `record` writes down what they
    /// make, before the first of them.
    ///
    /// # Errors
    /// Stops at the first failure and returns it.
    pub(super) async fn apply(&mut self, changes: &[Change], mut record: Script) -> Result<(), Error> {
        let of = changes.len();
        let mut at = 0;
        while at < of {
            match &changes[at].action {
                Action::Shell(_) => {
                    let is_shell = |change: &&Change| matches!(change.action, Action::Shell(_));
                    let count = changes[at..].iter().take_while(is_shell).count();
                    self.guarded(&changes[at..at + count], at, of, mem::take(&mut record)).await?;
                    at += count;
                }
                Action::Hypervisor(_) => {
                    let is_call = |change: &&Change| matches!(change.action, Action::Hypervisor(_));
                    let count = changes[at..].iter().take_while(is_call).count();
                    self.write_down(&mem::take(&mut record)).await?;
                    self.calls(&changes[at..at + count], at, of).await?;
                    at += count;
                }
                Action::Manual(advice) => {
                    let text = format!("{}: {}: {advice}", self.session.name(), title(&changes[at]));
                    (self.sink)(Event::Note { text });
                    at += 1;
                }
            }
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
    async fn calls(&mut self, changes: &[Change], first: usize, of: usize) -> Result<(), Error> {
        // A daemon that was restarted or removed since has left us with a dead connection.
        if self.hypervisor.as_ref().is_none_or(Hypervisor::is_closed) {
            *self.hypervisor = Some(self.session.hypervisor().await?);
        }
        let Some(hypervisor) = &self.hypervisor else { return Ok(()) };
        let mut at = first;
        let mut chains: Vec<(usize, &[Change])> = Vec::new();
        for chain in changes.chunk_by(|one, next| one.resource == next.resource) {
            chains.push((at, chain));
            at += chain.len();
        }
        let is_domain = |(_, chain): &(usize, &[Change])| chain[0].resource.starts_with("domain ");
        for alike in chains.chunk_by(|one, next| is_domain(one) && is_domain(next)) {
            for some in alike.chunks(DOMAINS) {
                let made = join_all(some.iter().map(|&(at, chain)| self.chain(hypervisor, chain, at, of)));
                made.await.into_iter().collect::<Result<(), _>>()?;
            }
        }
        Ok(())
    }

    async fn chain(
        &self,
        hypervisor: &Hypervisor,
        chain: &[Change],
        first: usize,
        of: usize,
    ) -> Result<(), Error> {
        for (index, change) in chain.iter().enumerate() {
            self.tell(first + index, of, change);
            if let Action::Hypervisor(call) = &change.action {
                hypervisor.call(call).await?;
            }
        }
        Ok(())
    }

    /// Carries out shell changes; those that could cut the way in, and what is between them, on probation.
    async fn guarded(
        &self,
        changes: &[Change],
        first: usize,
        of: usize,
        record: Script,
    ) -> Result<(), Error> {
        let risky = |change: &Change| change.undo.is_some();
        let begin = changes.iter().position(risky).unwrap_or(changes.len());
        let end = changes.iter().rposition(risky).map_or(begin, |last| last + 1);
        let (early, late) = if begin == 0 { (Script::new(), record) } else { (record, Script::new()) };
        self.shell(&changes[..begin], first, of, early).await?;
        self.probation(&changes[begin..end], first + begin, of, late).await?;
        self.shell(&changes[end..], first + end, of, Script::new()).await
    }

    async fn probation(
        &self,
        changes: &[Change],
        first: usize,
        of: usize,
        record: Script,
    ) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let probation = Probation::new(self.cluster, self.session);
        // Armed first: what fails then is told by its own words, as any step is.
        let before = probation.arm(changes).line(record.source());
        let mut steps = pin!(self.shell(changes, first, of, before));
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

    async fn shell(&self, changes: &[Change], first: usize, of: usize, before: Script) -> Result<(), Error> {
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
                    if let Some(change) = changes.get(index) {
                        self.tell(first + index, of, change);
                    }
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

    fn tell(&self, index: usize, of: usize, change: &Change) {
        let host = self.session.name().to_owned();
        (self.sink)(Event::Step { host, index: index + 1, of, text: title(change) });
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

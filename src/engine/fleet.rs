//! All hosts of a cluster, with what was last seen on each.

use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    command::quote,
    engine::{
        Error, Event, HostPlan, Sink,
        apply::{Applier, title, traces},
        guard::Guard,
        lock::{self, Holder, Lock},
        plan::plan,
        token::token,
    },
    host::{Hypervisor, Keyring, Session, Target},
    resource::{Change, Facts, Questions, Resource, Scope, writing_down},
};

/// How often what differs is applied: a tunnel that had to be made anew has lost its peers and
/// settings, which only the look after the first round shows.
const ROUNDS: usize = 2;

/// How old a look may be that is acted upon, where no other run was at work since; the user may have
/// been asked in between, and taken a while.
const FRESH_SECONDS: i64 = 5;

/// One host of a [`Fleet`].
pub struct Member {
    /// Its session.
    pub session: Session,
    /// What was last seen there.
    pub facts: Facts,
    /// The workstation's clock when all of it was asked, seconds since the epoch.
    pub asked: i64,
    questions: Questions,
    hypervisor: Option<Hypervisor>,
    /// What changed since it was asked.
    stale: Option<Scope>,
}

/// All hosts of a cluster, connected.
pub struct Fleet {
    cluster: String,
    members: Vec<Member>,
    sink: Sink,
    lock: Option<Lock>,
    interrupted: CancellationToken,
}

impl Fleet {
    /// Connects to all hosts at once and asks each its questions.
    ///
    /// # Errors
    /// Returns the failures of all hosts that failed.
    pub async fn connect(
        cluster: &str,
        hosts: Vec<(Target, Questions)>,
        keyring: &Keyring,
        sink: Sink,
        interrupted: CancellationToken,
    ) -> Result<Self, Error> {
        let (fleet, lost) = Self::reach(cluster, hosts, keyring, sink, interrupted).await;
        lost.map_or(Ok(fleet), Err)
    }

    /// Connects to the hosts that can be reached; the failures of the others are returned beside them.
    pub async fn reach(
        cluster: &str,
        hosts: Vec<(Target, Questions)>,
        keyring: &Keyring,
        sink: Sink,
        interrupted: CancellationToken,
    ) -> (Self, Option<Error>) {
        let tasks: Vec<_> = hosts
            .into_iter()
            .map(|(target, mut questions)| {
                questions.listings.extend(
                    [Guard::of(cluster).armed(), lock::path(cluster, "lock")].map(|path| quote(&path)),
                );
                questions.files.insert(lock::path(cluster, "mark"));
                tokio::spawn(join(target, questions, keyring.clone(), Arc::clone(&sink)))
            })
            .collect();
        let (mut members, mut errors) = (Vec::new(), Vec::new());
        let handles: Vec<_> = tasks.iter().map(JoinHandle::abort_handle).collect();
        let joined = interrupted.run_until_cancelled(join_all(tasks)).await;
        if joined.is_none() {
            // Nothing has been changed yet: no host is waited for.
            handles.iter().for_each(AbortHandle::abort);
            errors.push(Error::Interrupted);
        }
        for task in joined.unwrap_or_default() {
            match task {
                Ok(Ok(member)) => members.push(member),
                Ok(Err(error)) => errors.push(error),
                // A task of ours ends otherwise only by a panic, which is to be seen as one.
                Err(join) => std::panic::resume_unwind(join.into_panic()),
            }
        }
        let fleet = Self { cluster: cluster.to_owned(), members, sink, lock: None, interrupted };
        (fleet, Error::collect(errors))
    }

    /// Returns the hosts, in inventory order.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Returns where events go.
    #[must_use]
    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Fails once the user has pressed Ctrl-C, or the lock that was taken is lost.
    ///
    /// # Errors
    /// Returns [`Error::Interrupted`], or why the lock is lost.
    pub fn check_interrupted(&self) -> Result<(), Error> {
        if self.interrupted.is_cancelled() {
            return Err(Error::Interrupted);
        }
        self.lock.as_ref().map_or(Ok(()), Lock::check)
    }

    /// Waits until [`Fleet::check_interrupted`] fails, beside waits that are long.
    pub async fn interrupted(&self) -> Error {
        let lost = async {
            match &self.lock {
                Some(lock) => lock.lost().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.interrupted.cancelled() => Error::Interrupted,
            error = lost => error,
        }
    }

    /// Asks again the hosts on which something changed since they were asked; Ctrl-C ends it at once,
    /// for it changes nothing.
    ///
    /// # Errors
    /// Returns the failures of all hosts that failed, and [`Error::Interrupted`].
    pub async fn refresh(&mut self) -> Result<(), Error> {
        let stale = self.members.iter_mut().filter(|member| member.stale.is_some());
        let asked = join_all(stale.map(Member::refresh));
        self.interrupted.run_until_cancelled(asked).await.map_or(Err(Error::Interrupted), settle)
    }

    /// Marks all hosts as changed: the next look at them asks again.
    pub fn touch(&mut self) {
        for member in &mut self.members {
            member.stale = Some(Scope::Whole);
        }
    }

    /// Takes the lock on all hosts, unless it is held already, and looks again where what was
    /// seen before may be another run's half-way state, or is old.
    ///
    /// # Errors
    /// Returns [`Error::Locked`] where another run is at work.
    pub async fn lock(&mut self) -> Result<(), Error> {
        if self.lock.is_none() {
            let sessions = self.members.iter().map(|member| &member.session);
            let (lock, marks) = Lock::take(&self.cluster, &holder(), sessions).await?;
            self.lock = Some(lock);
            let mark = lock::path(&self.cluster, "mark");
            let half_way = [lock::path(&self.cluster, "lock"), Guard::of(&self.cluster).armed()];
            let now = jiff::Timestamp::now().as_second();
            for (member, last) in self.members.iter_mut().zip(marks) {
                let facts = &member.facts;
                let alone = facts.text(&mark).unwrap_or_default().trim_end() == last
                    && !half_way.iter().any(|path| facts.listing.contains_key(path));
                if !alone || now - member.asked > FRESH_SECONDS {
                    member.stale = Some(Scope::Whole);
                }
            }
            self.refresh().await?;
        }
        Ok(())
    }

    /// Computes what leads from the facts to `wanted`, one list per host.
    ///
    /// # Errors
    /// Returns the conflicts of all hosts.
    pub fn plan(&self, wanted: &[Vec<Resource>]) -> Result<Vec<HostPlan>, Error> {
        let plans =
            self.members.iter().zip(wanted).map(|(m, wanted)| plan(m.session.name(), wanted, &m.facts));
        let (plans, errors): (Vec<_>, Vec<_>) = plans.partition(Result::is_ok);
        match Error::collect(errors.into_iter().filter_map(Result::err).collect()) {
            Some(error) => Err(error),
            None => Ok(plans.into_iter().filter_map(Result::ok).collect()),
        }
    }

    /// Makes every host as wanted: applies what differs, looks again, and fails if something still does
    /// after a second round.
    ///
    /// Returns how many changes were carried out.
    ///
    /// # Errors
    /// Returns the failures of all hosts that failed; the others are done.
    pub async fn converge(&mut self, wanted: &[Vec<Resource>]) -> Result<usize, Error> {
        self.refresh().await?;
        // What an earlier run left on probation would be undone after this one said that all is well.
        let armed = Guard::of(&self.cluster).armed();
        let pending = self.members.iter().any(|member| member.facts.listing.contains_key(&armed));
        if !pending && self.plan(wanted)?.iter().all(|plan| plan.changes.is_empty()) {
            return Ok(0);
        }
        self.lock().await?;
        let mut changed = 0;
        for round in 0..ROUNDS {
            let plans = self.plan(wanted)?.into_iter();
            let plans = plans.map(|plan| plan.changes.into_iter().filter(|c| round == 0 || !c.is_manual()));
            let todo: Vec<Vec<Change>> = plans.map(Iterator::collect).collect();
            if todo.iter().all(Vec::is_empty) {
                break;
            }
            changed += todo.iter().flatten().filter(|change| !change.is_manual()).count();
            self.apply(todo).await?;
            self.refresh().await?;
        }
        let mut errors = Vec::new();
        for plan in self.plan(wanted)? {
            let remaining: Vec<String> = plan.changes.iter().filter(|c| !c.is_manual()).map(title).collect();
            if !remaining.is_empty() {
                errors.push(Error::Differs { host: plan.host, remaining });
            }
        }
        Error::collect(errors).map_or(Ok(changed), Err)
    }

    /// Carries out one list of changes per host, all hosts at once.
    ///
    /// # Errors
    /// Returns the failures of all hosts that failed.
    pub async fn apply(&mut self, changes: Vec<Vec<Change>>) -> Result<(), Error> {
        self.check_interrupted()?;
        let (cluster, sink) = (&self.cluster, &self.sink);
        let applying = self.members.iter_mut().zip(changes).filter(|(_, changes)| !changes.is_empty());
        let outcomes = join_all(applying.map(|(member, changes)| async move {
            member.stale = member.stale.max(changes.iter().map(|change| change.touches).max());
            let host = member.session.name().to_owned();
            sink(Event::Applying { host, changes: changes.len() });
            let record = writing_down(cluster, &changes, &member.facts);
            let Member { session, hypervisor, .. } = member;
            Applier { cluster, session, hypervisor, sink }.apply(&changes, record).await
        }))
        .await;
        settle(outcomes)
    }

    /// Says goodbye to all hosts.
    pub async fn close(self) {
        let hypervisors = self.members.into_iter().filter_map(|member| member.hypervisor);
        join_all(hypervisors.map(Hypervisor::close)).await;
    }

    /// Frees the lock and removes its traces from all hosts: the last act of taking a cluster down.
    ///
    /// # Errors
    /// Returns the failures of all hosts that failed.
    pub async fn leave(&mut self) -> Result<(), Error> {
        let script = traces(&self.cluster);
        let outcomes = join_all(self.members.iter().map(|member| async {
            member.session.run(&script, |_| {}).await.map(drop).map_err(Error::from)
        }))
        .await;
        self.lock = None;
        settle(outcomes)
    }
}

impl Member {
    /// Asks the host again what may have changed, in one script.
    async fn refresh(&mut self) -> Result<(), Error> {
        let scope = self.stale.unwrap_or(Scope::Whole);
        let mut now = jiff::Timestamp::now().as_second();
        Box::pin(self.look(scope)).await?;
        // Somebody may have written while we looked; what stays unknown is a finding.
        if !self.facts.unknown.is_empty() {
            now = jiff::Timestamp::now().as_second();
            Box::pin(self.look(scope)).await?;
        }
        if scope == Scope::Whole {
            self.asked = now;
        }
        self.stale = None;
        Ok(())
    }

    /// Asks the host once.
    async fn look(&mut self, scope: Scope) -> Result<(), Error> {
        let (host, mark) = (self.session.name(), format!("{}-", token()));
        let script = self.questions.marked(scope, &mark);
        let output = self.session.ask(&script).await?.checked(host, "the probe")?;
        let told = self.facts.renew(&output.text(), &mark);
        told.map_err(|source| Error::Facts { host: host.to_owned(), source })
    }
}

/// Connects to one host and asks it its questions.
async fn join(target: Target, questions: Questions, keyring: Keyring, sink: Sink) -> Result<Member, Error> {
    let session = Session::connect(&target, &keyring).await?;
    sink(Event::Connected { host: target.name.clone() });
    let facts = Facts::default();
    let mut member =
        Member { session, facts, asked: 0, questions, hypervisor: None, stale: Some(Scope::Whole) };
    member.refresh().await?;
    Ok(member)
}

fn settle(outcomes: Vec<Result<(), Error>>) -> Result<(), Error> {
    Error::collect(outcomes.into_iter().filter_map(Result::err).collect()).map_or(Ok(()), Err)
}

/// Returns who takes the lock: its name is one line.
fn holder() -> Holder {
    let name = format!("{} on {}", user(), workstation());
    Holder { name: name.replace(char::is_control, " "), token: token() }
}

fn user() -> String {
    std::env::var("USER").unwrap_or_else(|_| "somebody".into())
}

fn workstation() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "a workstation".into(), |name| name.trim().to_owned())
}

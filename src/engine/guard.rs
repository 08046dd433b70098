//! Changes that could cut the way in: the host undoes them by itself unless it hears from us again.
//!
//! A timer is armed on the host before the first such change. What stops it
//! comes over a fresh connection, which proves that the host still lets one in;
//! so does the lock of a later run, should this one end in between.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::{
    command::{Command, Script, quote},
    engine::lock,
    host::{self, Session},
    resource::Change,
    secret::Secret,
};

/// Seconds after which the host undoes what nobody confirmed.
const UNDO_SECONDS: u32 = 30;

/// How long one fresh connection may take; the host may drop what it is sent.
const ANSWER: Duration = Duration::from_secs(8);

/// How long we try: the undo's seconds, those it may wait for a step to end, and a try's.
const PATIENCE: Duration = Duration::from_secs(75);

/// Time between tries where the host answers at once.
const PAUSE: Duration = Duration::from_secs(1);

/// How far the host got, as [`confirmation`] says by its status.
const CONFIRMED: i32 = 0;
const UNDONE: i32 = 3;

/// What became of the way in.
pub(super) enum Proof {
    /// It is open, and the host keeps the changes.
    Open,
    /// The host has undone the changes.
    Undone {
        /// Why a fresh connection did not come about in time, where one was tried.
        reason: Option<host::Error>,
        /// What the undoing printed.
        output: String,
    },
    /// It stays closed.
    Closed(host::Error),
}

/// Returns the file that says that something is armed, and how it is undone.
pub(super) fn armed(cluster: &str) -> String {
    lock::path(cluster, "undo")
}

/// Returns source that arms the undoing of `changes`, last one first.
pub(super) fn arm(cluster: &str, changes: &[Change]) -> Script {
    let (armed, new) = (armed(cluster), lock::path(cluster, "undo.ocp2-new"));
    let unit = unit(cluster);
    Script::new()
        .line(format_args!("systemctl stop --quiet {unit}.timer 2>/dev/null || true"))
        .line(format_args!("rm -f {} {}", quote(&armed), quote(&new)))
        .feed(
            &Secret::new(undoing(cluster, changes).source().to_owned()),
            &Command::new("install").args(["-m", "600", "/dev/stdin", &new]),
        )
        .line(Command::new("mv").args([&new, &armed]))
        .line(
            Command::new("systemd-run")
                .args(["--quiet", "--collect", "--timer-property=AccuracySec=100ms"])
                .arg(format_args!("--unit={unit}"))
                .arg(format_args!("--description=ocp2 undoes what could have cut the way in ({cluster})"))
                .arg(format_args!("--on-active={UNDO_SECONDS}"))
                .args(["/bin/bash", "-c"])
                .arg(trigger(cluster)),
        )
}

/// Returns what the timer runs: who renames the file has the say, so that it is undone or confirmed, never both.
fn trigger(cluster: &str) -> String {
    let (armed, begun) = (quote(&armed(cluster)), quote(&lock::path(cluster, "undoing")));
    let work = quote(&lock::path(cluster, "work"));
    // A step that prints to a dead connection may never end; undone it is all the same.
    format!(
        "exec 8>>{work}; flock -w 10 8; mv -f {armed} {begun} 2>/dev/null || exit 0; exec /bin/bash {begun}"
    )
}

fn undoing(cluster: &str, changes: &[Change]) -> Script {
    let (begun, done) = (quote(&lock::path(cluster, "undoing")), quote(&lock::path(cluster, "undone")));
    let script = Script::new()
        .line("export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C")
        .line(format_args!("exec >>{begun}.output 2>&1"));
    let undos = changes.iter().rev().filter_map(|change| change.undo.as_ref());
    undos
        .fold(script, |script, undo| {
            script.line("( set -eu -o pipefail").line(undo.source().trim_end()).line(")")
        })
        .line(format_args!("mv -f {begun}.output {done}"))
        .line(format_args!("rm -f {begun}"))
}

/// Returns source that keeps what was changed, unless the host has begun to undo it.
fn confirmation(cluster: &str) -> Script {
    let (begun, done) = (quote(&lock::path(cluster, "undoing")), quote(&lock::path(cluster, "undone")));
    Script::new()
        .line(format_args!("exec 8>>{}; flock -w 5 8 || exit 1", quote(&lock::path(cluster, "work"))))
        .line(format_args!("if [ -e {} ]; then", quote(&armed(cluster))))
        .line(disarm(cluster).source().trim_end())
        .line(format_args!("  exit {CONFIRMED}"))
        .line("fi")
        .line(format_args!("[ ! -e {begun} ] || exit 1"))
        .line(format_args!("[ ! -e {done} ] || {{ cat {done}; rm -f {done}; }}"))
        .line(format_args!("exit {UNDONE}"))
}

/// Returns source that calls the undoing off; it is to run with nobody else at work.
pub(super) fn disarm(cluster: &str) -> Script {
    Script::new()
        .line(format_args!("rm -f {}", quote(&armed(cluster))))
        .line(format_args!("systemctl stop --quiet {}.timer 2>/dev/null || true", unit(cluster)))
}

/// Proves over fresh connections that the host can still be reached, or waits until it has undone what was changed.
///
/// `waiting` is called once, when the first try has failed.
pub(super) async fn prove(cluster: &str, session: &Session, mut waiting: impl FnMut(&host::Error)) -> Proof {
    let script = confirmation(cluster);
    let begin = Instant::now();
    let mut reason = None;
    loop {
        let tried = timeout(ANSWER, async {
            let fresh = session.reconnect().await?;
            // What it proves is no matter of the lock.
            fresh.unbind();
            let output = fresh.run(&script, |_| {}).await?;
            fresh.close().await;
            Ok(output)
        })
        .await
        .unwrap_or_else(|_| {
            let host = session.name().to_owned();
            Err(host::Error::ConnectionLost {
                host,
                reason: format!("a new one was not there within {} s", ANSWER.as_secs()),
            })
        });
        match tried {
            Ok(output) if output.status == CONFIRMED => return Proof::Open,
            Ok(output) if output.status == UNDONE => {
                return Proof::Undone { reason, output: output.text().into_owned() };
            }
            Ok(_) => {}
            Err(error) if begin.elapsed() > PATIENCE => return Proof::Closed(error),
            Err(error) => {
                if reason.is_none() {
                    waiting(&error);
                }
                reason = Some(error);
            }
        }
        sleep(PAUSE).await;
    }
}

fn unit(cluster: &str) -> String {
    format!("ocp2-{cluster}-undo")
}

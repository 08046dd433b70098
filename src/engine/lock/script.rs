//! What the lock is on a host: the source of the process that holds it, and of what needs it.

use crate::{
    command::{Script, quote},
    engine::{
        guard::Guard,
        lock::{Holder, path},
    },
    host::{Fence, REFUSAL, REFUSED},
};

/// Seconds without a heartbeat after which a host frees the lock by itself: a line that is cut for 20 s may be
/// back in TCP's eyes only after 31, and 40 s are what our end of the connection bears.
pub(super) const EXPIRY_SECONDS: u32 = 40;

/// Seconds the process of a run that was killed may take to end.
const LEAVING_SECONDS: u32 = 2;

/// Seconds that a step of such a run is waited for.
const STEP_SECONDS: u32 = 20;

/// Returns the source of the process that holds the lock on a host.
///
/// It confirms what such a run left on probation (see [`Guard`]).
/// The file is removed at the end; whoever locked a removed file sees that the
/// name leads elsewhere now, and tries again.
pub(super) fn holding(cluster: &str, holder: &Holder) -> Script {
    let (lock, work) = (quote(&path(cluster, "lock")), quote(&path(cluster, "work")));
    let (guard, mark) = (Guard::of(cluster), quote(&path(cluster, "mark")));
    Script::new()
        .line("while :; do")
        .line(format_args!("  exec 9>>{lock}"))
        // The process of a run that was killed ends a moment after it.
        .line(format_args!("  if ! flock -w {LEAVING_SECONDS} 9; then"))
        // Whoever has just taken it may not have written yet who it is.
        .line(format_args!("    for i in 1 2 3 4 5 6 7 8 9; do [ -s {lock} ] && break; sleep 0.1; done"))
        .line(format_args!("    echo \"held $(head -n1 {lock})\"; exit 0"))
        .line("  fi")
        .line(format_args!(
            "  [ \"$(stat -Lc %i /proc/self/fd/9)\" = \"$(stat -c %i {lock} 2>/dev/null)\" ] && break"
        ))
        .line("done")
        .line(format_args!("exec 8>>{work}"))
        .line(format_args!(
            "if ! flock -w {STEP_SECONDS} 8; then echo 'a step of an earlier run has not ended yet'; exit 0; fi"
        ))
        .line(dismissal(cluster).source().trim_end())
        // That we are here proves that the host lets us in.
        .line(format_args!("if [ -e {} ]; then", quote(&guard.armed())))
        .line(guard.call_off().source().trim_end())
        .line("fi")
        .line(format_args!("trap 'rm -f {lock}' EXIT"))
        // With nobody at work: who begins after this finds the new token.
        .line(format_args!(
            "printf '%s\\n%s\\n' {}\", since $(date '+%F %T %Z')\" {} >{lock}",
            quote(&holder.name),
            quote(&holder.token)
        ))
        .line("exec 8>&-")
        // Each run leaves a mark: a look at the host that saw the last one is a look of today.
        .line(format_args!("echo \"locked $(cat {mark} 2>/dev/null)\"; echo \"$EPOCHREALTIME.$$\" >{mark}"))
        .line(format_args!("while read -r -t {EXPIRY_SECONDS} _; do echo heard; done"))
}

/// Returns source that ends the programs of an earlier run: whoever has what they hold open is one.
///
/// Where its machine sleeps they would wait for it for hours, and do then what they are told.
fn dismissal(cluster: &str) -> Script {
    let programs = quote(&path(cluster, "programs"));
    Script::new()
        .line(format_args!("exec 6>>{programs}"))
        .line("if ! flock -n 6; then")
        .line("  for process in /proc/[0-9]*; do")
        .line(format_args!(
            "    [ ! \"$process/fd/7\" -ef {programs} ] || kill \"${{process#/proc/}}\" 2>/dev/null"
        ))
        .line("  done")
        .line(format_args!(
            "  flock -w {LEAVING_SECONDS} 6 || {{ echo 'a program of an earlier run does not end'; exit 0; }}"
        ))
        .line("fi")
        .line("exec 6>&-")
}

/// Returns what goes before everything that the run with this token does on a host.
///
/// A script that has begun is let finish: nobody takes the lock before, even if the connection is lost.
pub(super) fn fence(cluster: &str, token: &str) -> Fence {
    let (work, programs) = (quote(&path(cluster, "work")), quote(&path(cluster, "programs")));
    let lock = quote(&path(cluster, "lock"));
    let refuse = Script::new()
        .line("ocp2_holder= ocp2_token=")
        .line(format_args!("{{ read -r ocp2_holder; read -r ocp2_token; }} 2>/dev/null <{lock}"))
        .line(format_args!(
            "[ \"$ocp2_token\" = {} ] || {{ echo \"{REFUSAL}$ocp2_holder\" >&2; exit {REFUSED}; }}",
            quote(token)
        ));
    let holding = |descriptor: u8, file: &str| {
        let script = Script::new().line(format_args!("exec {descriptor}>>{file}; flock -s {descriptor}"));
        script.line(refuse.source().trim_end())
    };
    Fence { script: holding(8, &work), program: holding(7, &programs) }
}

/// Returns source that leaves a mark at the end of a step, as a run does, for who has looked in the middle of it.
pub(in crate::engine) fn marking(cluster: &str) -> Script {
    let mark = quote(&path(cluster, "mark"));
    Script::new().line(format_args!("trap 'echo \"$EPOCHREALTIME.$$\" >{mark}' EXIT"))
}

#[cfg(test)]
mod tests;

//! The lock's scripts, by bash, in a folder of their own.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::*;

/// A host's `/run`.
struct Run(TempDir);

/// A process of a run.
struct Process {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), token: format!("token-of-{name}") }
}

impl Run {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.0.path().join(format!("ocp2-c.{kind}"))
    }

    /// Starts a script as a host's bash does, with what it talks about in this folder.
    fn start(&self, source: &str) -> Child {
        let here = format!("{}/ocp2-", self.0.path().display());
        let mut bash = Command::new("bash");
        bash.arg("-c").arg(source.replace("/run/ocp2-", &here));
        bash.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn take(&self, name: &str) -> Process {
        let mut child = self.start(holding("c", &holder(name)).source());
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Process { child, lines }
    }

    /// Lets the run of that name carry out a script.
    fn script(&self, name: &str, source: &str) -> Output {
        let fence = fence("c", &holder(name).token);
        self.start(fence.script.line(source).source()).wait_with_output().unwrap()
    }

    /// Starts a program of the run of that name.
    fn program(&self, name: &str, source: &str) -> Child {
        self.start(fence("c", &holder(name).token).program.line(source).source())
    }
}

impl Process {
    fn says(&mut self, text: &str) {
        let line = self.lines.next().map(Result::unwrap);
        assert!(line.as_deref().is_some_and(|line| line.starts_with(text)), "{line:?} is not {text:?}");
    }

    fn beats(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        self.says("heard");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

fn refused(output: &Output) -> String {
    assert_eq!(
        (output.status.code(), output.stdout.as_slice()),
        (Some(REFUSED), b"".as_slice()),
        "{output:?}"
    );
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn appears(path: &Path) {
    let begin = Instant::now();
    while !path.exists() {
        assert!(begin.elapsed() < Duration::from_secs(10), "{} does not appear", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_sign_of_life_is_answered_and_a_second_run_is_told_who_holds_the_lock() {
    let run = Run::new();
    let mut ann = run.take("ann");
    ann.says("locked ");
    ann.beats();
    run.take("ben").says("held ann, since 20");
    ann.beats();
    drop(ann);
    assert!(!run.file("lock").exists());
}

#[test]
fn a_script_is_carried_out_only_with_its_own_runs_token_in_the_lock() {
    let run = Run::new();
    assert_eq!(refused(&run.script("ann", "echo done")), format!("{REFUSAL}\n"), "nobody has the lock");
    let mut ann = run.take("ann");
    ann.says("locked ");
    let done = run.script("ann", "set -eu; echo done; exit 7");
    assert_eq!((done.status.code(), done.stdout.as_slice()), (Some(7), b"done\n".as_slice()));
    // Its machine sleeps, the host gives up on it, and another run comes.
    drop(ann);
    let mut ben = run.take("ben");
    ben.says("locked ");
    let said = refused(&run.script("ann", "echo done"));
    assert!(said.starts_with(&format!("{REFUSAL}ben, since 20")), "{said}");
    assert_eq!(run.program("ann", "echo done").wait_with_output().unwrap().status.code(), Some(REFUSED));
    // Ann's own next run is another run, too.
    drop(ben);
    let again = Holder { token: "another".to_owned(), ..holder("ann") };
    let mut child = run.start(holding("c", &again).source());
    appears(&run.file("lock"));
    drop(child.stdin.take());
    child.wait().unwrap();
    refused(&run.script("ann", "echo done"));
}

#[test]
fn a_script_that_has_begun_is_let_finish_before_another_run_begins() {
    let run = Run::new();
    let mut ann = run.take("ann");
    ann.says("locked ");
    let (begun, done) = (run.file("begun"), run.file("done"));
    let source = format!("touch {}; sleep 1; touch {}", begun.display(), done.display());
    let step = run.start(fence("c", &holder("ann").token).script.line(source).source());
    appears(&begun);
    // The lock's process is gone, its step is not.
    drop(ann);
    let mut ben = run.take("ben");
    ben.says("locked ");
    assert!(done.exists(), "ben began within ann's step");
    assert!(step.wait_with_output().unwrap().status.success());
}

#[test]
fn a_script_that_waits_while_another_run_takes_over_is_refused() {
    let run = Run::new();
    let mut ann = run.take("ann");
    ann.says("locked ");
    // Somebody has the host to himself, as the guard and whoever takes over do for a moment.
    let source = format!("exec 8>>{}; flock 8; echo alone; read -r _", path("c", "work"));
    let mut alone = run.start(&source);
    let mut said = String::new();
    BufReader::new(alone.stdout.take().unwrap()).read_line(&mut said).unwrap();
    let late = run.start(fence("c", &holder("ann").token).script.line("echo done").source());
    drop(ann);
    std::fs::write(run.file("lock"), "ben, since now\ntoken-of-ben\n").unwrap();
    drop(alone.stdin.take());
    alone.wait().unwrap();
    assert_eq!(refused(&late.wait_with_output().unwrap()), format!("{REFUSAL}ben, since now\n"));
}

#[test]
fn the_programs_of_a_run_end_when_another_one_takes_over_and_nobody_elses_do() {
    let run = Run::new();
    let mut ann = run.take("ann");
    ann.says("locked ");
    let here = run.0.path().display();
    // As a way to libvirt does, it waits for what it is told; its own children do so, too.
    let mut program = run.program("ann", &format!("touch {here}/up; cat >{here}/told; touch {here}/went-on"));
    let bystander = format!("exec 7>>{here}/other; touch {here}/by; read -r _");
    let mut bystander = run.start(&bystander);
    appears(&run.0.path().join("up"));
    appears(&run.0.path().join("by"));
    drop(ann);
    let mut stdin = program.stdin.take().unwrap();
    let mut ben = run.take("ben");
    ben.says("locked ");
    assert!(!program.wait().unwrap().success());
    assert!(!run.0.path().join("went-on").exists());
    assert!(stdin.write_all(b"delete it").is_err(), "somebody still listens");
    assert!(bystander.try_wait().unwrap().is_none(), "a process of somebody else's was ended");
    drop(bystander.stdin.take());
    bystander.wait().unwrap();
}

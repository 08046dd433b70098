//! What a script may rely on.

use std::{fs, os::unix::fs::symlink, time::Duration};

use ocp2::{
    command::{Command, Script},
    host::Error,
    secret::Secret,
};

use crate::{connect, run, sshd::Sshd};

#[tokio::test]
async fn a_script_runs_as_root_and_says_how_it_ended() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let mut lines = Vec::new();
    let script = Script::new().line("id -u; echo two >&2; printf three; exit 7");
    let output = session.run(&script, |line| lines.push(line.to_owned())).await.unwrap();
    assert_eq!((output.status, output.text().as_ref(), output.stderr.as_str()), (7, "0\nthree", "two\n"));
    assert_eq!(lines, ["0", "three"]);
    let error = output.checked("bm1", "testing").unwrap_err();
    assert_eq!(error.to_string(), "bm1: testing failed with status 7: two");
}

#[tokio::test]
async fn a_scripts_surroundings_are_the_same_everywhere() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let source =
        "pwd; umask; echo $LC_ALL; readlink /proc/self/fd/0; case :$PATH: in *:/usr/sbin:*) echo sbin; esac";
    assert_eq!(run(&session, source).await.unwrap().text(), "/\n0022\nC\n/dev/null\nsbin\n");
    // A command that reads stdin does not eat the script.
    assert_eq!(run(&session, "cat\necho still here").await.unwrap().text(), "still here\n");
    assert_eq!(run(&session, "").await.unwrap().status, 0);
    assert_eq!(run(&session, "# only a comment").await.unwrap().status, 0);
    assert_eq!(run(&session, "set -eu -o pipefail\nfalse\necho no").await.unwrap().text(), "");
    assert_eq!(run(&session, "kill -KILL $$").await.unwrap().status, 137);
    assert_eq!(run(&session, "cat <<'END'\n$x `y` \\z\nEND").await.unwrap().text(), "$x `y` \\z\n");
}

#[tokio::test]
async fn large_scripts_and_large_outputs_pass() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let filler = ": 0123456789012345678901234567890123456789\n".repeat(100_000);
    let output = run(&session, &format!("{filler}echo done")).await.unwrap();
    assert_eq!(output.text(), "done\n", "{}", output.stderr);
    let output = run(&session, "head -c 12000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' x >&2")
        .await
        .unwrap();
    // Of errors a megabyte is kept.
    assert_eq!((output.stdout.len(), output.stderr.len()), (12_000_000, 1 << 20));
}

#[tokio::test]
async fn secrets_are_in_no_argument_error_or_log() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let secret = Secret::new(String::from("hunter2-hunter2-hunter2"));
    // Looks for the secret, written so that the search is not its own finding.
    let search = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n' | grep -c '[h]unter2-h' || true";
    let script = Script::new().feed(&secret, &Command::new("wc").arg("-c")).line(search).line("exit 3");
    let output = session.run(&script, |_| ()).await.unwrap();
    assert_eq!(output.text(), "23\n0\n");
    let encoded = data_encoding::BASE64.encode(secret.expose().as_bytes());
    let said = format!("{:?} {:?} {}", output, script, sshd.log());
    assert!(!said.contains("hunter2") && !said.contains(&encoded));
}

#[tokio::test]
async fn noise_of_a_login_shell_is_not_the_scripts() {
    let sshd = Sshd::with(
        "HostKey @DIR@/host_ed25519\nForceCommand printf 'Welcome!\\nno newline'; exec sh -c \"$SSH_ORIGINAL_COMMAND\"",
    );
    let session = connect(&sshd.target()).await.unwrap();
    assert_eq!(run(&session, "echo mine").await.unwrap().text(), "mine\n");
    let mut process = session.spawn(&Script::new().line("read -r x; echo \"$x\"")).await.unwrap();
    process.write(b"and this\n").await.unwrap();
    assert_eq!(process.line().await.as_deref(), Some("and this"));
}

#[tokio::test]
async fn a_shell_that_runs_nothing_is_told_apart() {
    let sshd =
        Sshd::with("HostKey @DIR@/host_ed25519\nForceCommand echo This account is not available.; exit 1");
    let session = connect(&sshd.target()).await.unwrap();
    let error = run(&session, "echo mine").await.unwrap_err();
    assert!(
        matches!(&error, Error::LoginRefused { reason, .. } if reason.contains("not available")),
        "{error}"
    );
}

/// Puts programs of our own in front of the host's.
fn pretend(sshd: &Sshd, programs: &[(&str, &str)]) {
    fs::create_dir(sshd.path("bin")).unwrap();
    for (name, source) in programs {
        let path = sshd.path("bin").join(name);
        if let Some(target) = source.strip_prefix('=') {
            symlink(target, &path).unwrap();
        } else {
            {
                fs::write(&path, format!("#!/bin/sh\n{source}\n")).unwrap();
                assert!(
                    std::process::Command::new("chmod").arg("755").arg(&path).status().unwrap().success()
                );
            }
        }
    }
}

#[tokio::test]
async fn sudo_makes_root_or_says_why_not() {
    let sshd = Sshd::with("SetEnv PATH=@DIR@/bin:/usr/bin:/bin SHLVL=2\nHostKey @DIR@/host_ed25519");
    let session = connect(&sshd.target()).await.unwrap();
    // Stands in for a user who is not root: the real sudo is proved in the lab.
    pretend(&sshd, &[("id", "echo 1000"), ("sudo", "echo 'sudo: a password is required' >&2; exit 1")]);
    let error = run(&session, "echo not reached").await.unwrap_err();
    let Error::SudoRefused { reason, .. } = &error else { panic!("{error}") };
    assert_eq!(reason, "sudo: a password is required");
    assert!(error.hint().unwrap().contains("NOPASSWD"));
    fs::write(
        sshd.path("bin/sudo"),
        "#!/bin/sh\n[ \"$1 $2 $3\" = '-n -H --' ] || exit 9\nshift 3\necho lecture >&2\nexec \"$@\"\n",
    )
    .unwrap();
    // A script of its own that fails is no refusal, whatever it says.
    let output = run(&session, "echo mine; echo sudo: a password is required >&2; exit 1").await.unwrap();
    assert_eq!((output.status, output.text().as_ref()), (1, "mine\n"));
}

#[tokio::test]
async fn a_host_without_bash_is_told_apart() {
    let sshd = Sshd::with("SetEnv PATH=@DIR@/bin SHLVL=2\nHostKey @DIR@/host_ed25519");
    pretend(&sshd, &[("sh", "=/bin/sh"), ("id", "=/usr/bin/id"), ("sudo", "=/usr/bin/sudo")]);
    let session = connect(&sshd.target()).await.unwrap();
    let error = run(&session, "echo not reached").await.unwrap_err();
    assert!(matches!(error, Error::NoBash { .. } | Error::SudoRefused { .. }), "{error}");
}

#[tokio::test]
async fn a_child_that_keeps_the_pipe_does_not_keep_us() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let start = std::time::Instant::now();
    let output = run(&session, "sleep 40 & echo $!").await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(20));
    let pid: u32 = output.text().trim().parse().unwrap();
    run(&session, &format!("kill {pid}")).await.unwrap();
}

#[tokio::test]
async fn a_process_is_talked_to_and_ends_with_its_stdin() {
    let sshd = Sshd::start();
    let session = connect(&sshd.target()).await.unwrap();
    let script =
        Script::new().line("echo ready; while read -r x; do echo \"got $x\"; done; echo over >&2; exit 5");
    let mut process = session.spawn(&script).await.unwrap();
    assert_eq!(process.line().await.as_deref(), Some("ready"));
    for number in 0..3 {
        process.write(format!("{number}\n").as_bytes()).await.unwrap();
        assert_eq!(process.line().await, Some(format!("got {number}")));
    }
    process.close_stdin().await.unwrap();
    assert_eq!(process.line().await, None);
    assert_eq!(process.wait().await.unwrap(), (5, String::from("over\n")));

    // Dropped, it is gone.
    let folder = sshd.path("gone");
    let script = Script::new().line(format_args!("echo up; cat; touch {}", folder.display()));
    let mut process = session.spawn(&script).await.unwrap();
    assert_eq!(process.line().await.as_deref(), Some("up"));
    drop(process);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    while !folder.exists() {
        assert!(std::time::Instant::now() < deadline, "the process lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

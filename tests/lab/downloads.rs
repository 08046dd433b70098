//! Getting the installer: whatever the mirror and the way to it do.

use std::{fs, process::Command};

use crate::stage::{Run, Stage, run, stage};

/// What the first host has of the installer, and what it makes with it.
const INSTALLER: &str = "/var/lib/ocp2/fetch/installer";

/// An inventory of a cluster of one host beside the lab's own, with other text in the place of some.
fn inventory(stage: &Stage, name: &str, replace: &[(&str, &str)]) -> String {
    let whole = stage.inventory("whole.yaml", &[]);
    let text = fs::read_to_string(whole).unwrap();
    let (hosts, rest) = (text.find("  - name: bm2").unwrap(), text.find("# Six VMs").unwrap());
    let mut text = format!("{}\n{}", &text[..hosts], &text[rest..])
        .replace("name: ocp\n", "name: fetch\n")
        .replace(
            "\nnodes:",
            "\nnetwork: {machineNetwork: 192.168.203.0/24, bridge: br-fetch, vxlan: {device: vxlan9, vni: 90}}\nnodes:",
        )
        .replace("    nic: ens34f0\n", "    nic: ens34f0\n    public: none\n");
    for (from, to) in replace {
        assert!(text.contains(from), "{from:?}");
        text = text.replace(from, to);
    }
    let path = stage.folder.join(name);
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn up(stage: &Stage, inventory: &str) -> Run {
    stage.ocp2(&["up", "-v", "--until", "image", inventory])
}

/// Takes the installer away, and the image with it.
fn take_away(stage: &Stage) {
    stage.at("bm1", &format!("rm -rf {INSTALLER} /var/lib/ocp2/fetch/image.json")).succeeds();
}

#[test]
fn the_installer_comes_from_wherever_it_is_said_to_be() {
    let stage = stage();
    stage.mirror_plays("");
    a_channel_is_looked_up_once_and_a_cut_download_is_carried_on(&stage);
    another_content_than_the_mirror_names_is_refused(&stage);
    a_proxy_is_honoured_and_its_password_is_seen_nowhere(&stage);
    a_program_of_the_workstations_is_sent(&stage);
    a_release_image_gives_its_own(&stage);
    let last = inventory(&stage, "fetch.yaml", &[]);
    stage.ocp2(&["down", "--yes", &last]).succeeds();
    stage.at("bm1", "! ls -d /var/lib/ocp2/fetch /etc/ocp2/fetch 2>/dev/null").succeeds();
}

fn a_channel_is_looked_up_once_and_a_cut_download_is_carried_on(stage: &Stage) {
    let channel = inventory(stage, "channel.yaml", &[("version: 4.18.30", "version: stable-4.18")]);
    let archive = "openshift-install-linux-4.18.30.tar.gz";
    stage.ocp2(&["plan", &channel]).succeeds().shows("release: look up stable-4.18 on the mirror, once");
    stage.mirror_plays(&format!("cut 5000 {archive}\ncut 3000 {archive}\n"));
    let mark = stage.asked_of("mirror", 0).len();
    up(stage, &channel).succeeds().says("stable-4.18 is 4.18.30 now").says("cut off after 5000 bytes");
    let log = stage.asked_of("mirror", mark);
    for range in ["whole", "bytes=5000-", "bytes=8000-"] {
        let there = log.lines().any(|line| line.contains(archive) && line.ends_with(range));
        assert!(there, "{range} was not asked for:\n{log}");
    }
    stage.ocp2(&["plan", &channel]).succeeds();
    // What the channel stands for by now is not asked again, whatever else is made anew.
    stage.mirror_plays("garble release.txt\n");
    let mark = stage.asked_of("mirror", 0).len();
    take_away(stage);
    up(stage, &channel).succeeds();
    assert!(!stage.asked_of("mirror", mark).contains("release.txt"));
    let plan = stage.ocp2(&["plan", "-o", "json", &channel]).succeeds().json();
    let image = plan["changes"].as_array().unwrap().iter().any(|change| change["phase"] == "image");
    assert!(!image, "{plan}");
    stage.ocp2(&["plan", &channel]).shows("OpenShift 4.18.30, which stable-4.18 was when it was looked up");
    // The release itself is what the image was made of.
    let exact = inventory(stage, "fetch.yaml", &[]);
    let again = stage.ocp2(&["up", "--until", "image", "-o", "json", &exact]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
}

fn another_content_than_the_mirror_names_is_refused(stage: &Stage) {
    let exact = inventory(stage, "fetch.yaml", &[]);
    let url = "http://mirror.lab.test/pub/openshift-v4/x86_64/clients/ocp/4.18.30/openshift-install-linux-4.18.30.tar.gz";
    take_away(stage);
    stage.mirror_plays("garble openshift-install-linux\n");
    up(stage, &exact).ends(5).says(&format!("the checksum of {url} is wrong"));
    stage.at("bm1", &format!("! ls {INSTALLER}/bin/*.tar.gz* {INSTALLER}/bin/openshift-install")).succeeds();
    stage.mirror_plays("");
    // What the checksums are proved by, changed on its way; and a key that has signed nothing.
    let sums = "http://mirror.lab.test/pub/openshift-v4/x86_64/clients/ocp/4.18.30/sha256sum.txt";
    stage.mirror_plays("garble sha256sum.txt.gpg\n");
    up(stage, &exact).ends(5).says(&format!("the signature of {sums} is not right"));
    stage.mirror_plays("");
    let key = format!("  mirrorKeyFile: {}/mirror-key.asc", stage.lab());
    let vendors = inventory(stage, "vendors-key.yaml", &[(&key, "")]);
    up(stage, &vendors).ends(5).says(&format!("the signature of {sums} is not right"));
    stage
        .at("bm1", &format!("! ls {INSTALLER}/bin/sha256sum.txt {INSTALLER}/bin/openshift-install"))
        .succeeds();
    // Plain HTTP has to be asked for.
    let plain = inventory(stage, "plain.yaml", &[("  allowHttp: true", "  allowHttp: false")]);
    up(stage, &plain).ends(3).says("is plain HTTP");
    let nowhere = inventory(stage, "nowhere.yaml", &[("version: 4.18.30", "version: 4.18.99")]);
    up(stage, &nowhere).ends(5).says("/4.18.99/sha256sum.txt cannot be downloaded");
    up(stage, &exact).succeeds();
}

fn a_proxy_is_honoured_and_its_password_is_seen_nowhere(stage: &Stage) {
    let with = |password: &str, name: &str| {
        let proxy = format!(
            "install:\n  proxy: {{httpProxy: \"http://lab:{password}@gateway.lab.test:3128\", noProxy: .example.com}}\n"
        );
        inventory(stage, name, &[("install:\n", &proxy)])
    };
    take_away(stage);
    let wrong = up(stage, &with("hunter2", "wrong-password.yaml")).ends(5).says("cannot be downloaded");
    assert!(!wrong.stderr.contains("hunter2"), "{}", wrong.stderr);
    let mark = stage.asked_of("mirror", 0).len();
    // Everything that runs meanwhile is seen by anybody on the host.
    let watch = "while [ ! -e /tmp/enough ]; do ps -eo args; done >/tmp/seen; rm /tmp/enough";
    let right = std::thread::scope(|scope| {
        let watching = scope.spawn(|| stage.at("bm1", watch));
        let right = up(stage, &with("s3cret", "proxy.yaml"));
        stage.at("bm1", "touch /tmp/enough").succeeds();
        watching.join().unwrap().succeeds();
        right
    });
    let right = right.succeeds();
    assert!(!format!("{}{}", right.stdout, right.stderr).contains("s3cret"), "{}", right.stderr);
    stage.at("bm1", "grep -q curl /tmp/seen").succeeds();
    let seen = "grep -rl s3cret /tmp/seen /var/log /run/systemd 2>/dev/null; journalctl --no-pager | grep s3cret; \
                find / -xdev -type f -newer /etc/hostname -perm /077 -exec grep -l s3cret {} + 2>/dev/null; rm /tmp/seen";
    assert_eq!(stage.at("bm1", seen).stdout, "");
    // The installer's own download takes the same way as ours; nothing comes from the host itself.
    let log = stage.asked_of("mirror", mark);
    for file in ["openshift-install-linux-4.18.30.tar.gz", "live.x86_64.iso"] {
        assert!(log.contains(file), "{file} was not asked for:\n{log}");
    }
    assert!(!log.contains("192.0.2.11 "), "the host has gone there without the proxy:\n{log}");
    stage.at("bm1", &format!("! ls {INSTALLER}/environment")).succeeds();
}

/// Unpacks the stand-in's archive on the workstation.
fn unpacked(stage: &Stage) -> String {
    let archive = stage.on_mirror("clients/ocp/4.18.30/openshift-install-linux.tar.gz").display().to_string();
    let folder = stage.folder.display().to_string();
    run(Command::new("tar").args(["-xzf", &archive, "-C", &folder, "openshift-install"]), "").succeeds();
    format!("{folder}/openshift-install")
}

fn a_program_of_the_workstations_is_sent(stage: &Stage) {
    let program = format!("install:\n  installer: {}\n", unpacked(stage));
    let nowhere = ("http://mirror.lab.test", "http://nowhere.lab.test");
    let own = [("install:\n", program.as_str()), nowhere];
    take_away(stage);
    let another = [&own[..], &[("version: 4.18.30", "version: 4.18.29")]].concat();
    up(stage, &inventory(stage, "other-installer.yaml", &another))
        .ends(5)
        .says("cluster.version is 4.18.29, but this openshift-install is of 4.18.30");
    let given = inventory(stage, "installer.yaml", &own);
    up(stage, &given).succeeds();
    let again = stage.ocp2(&["up", "--until", "image", "-o", "json", &given]).succeeds().json();
    assert_eq!(again["changed"], 0, "{again}");
}

fn a_release_image_gives_its_own(stage: &Stage) {
    let release = format!(
        "install:\n  release: mirror.lab.test/openshift/release:4.18.30-x86_64\n  \
         additionalTrustBundleFile: {}/internet/authority.pem\n",
        stage.lab()
    );
    take_away(stage);
    // No login for that registry is no way in.
    up(stage, &inventory(stage, "no-login.yaml", &[("install:\n", &release)]))
        .ends(5)
        .says("unauthorized: authentication required")
        .says("mirror.lab.test/openshift/release:4.18.30-x86_64: no installer could be extracted");
    let own = format!("{}/pull-secret.json", stage.lab());
    let login = [("install:\n", release.as_str()), (&own, &stage.login_for_the_registry())];
    // A registry whose authority nobody knows is no registry.
    let bundle = release.lines().last().unwrap();
    let stranger = release.replace(&format!("{bundle}\n"), "");
    up(stage, &inventory(stage, "no-authority.yaml", &[("install:\n", stranger.as_str()), login[1]]))
        .ends(5)
        .says("x509: certificate signed by unknown authority");
    let with = inventory(stage, "release.yaml", &login);
    let run = up(stage, &with).succeeds();
    assert!(!run.stderr.contains("bGFiOnJlZ2lzdHJ5cGFzcw"), "{}", run.stderr);
    stage.at("bm1", &format!("! ls {INSTALLER}/pull-secret.json")).succeeds();
}

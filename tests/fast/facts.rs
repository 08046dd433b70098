//! A probe's answer, whole or damaged, and words on their way to a shell.

use std::{
    fs,
    time::{Duration, Instant},
};

use ocp2::{
    command::{Command, Script, quote},
    resource::{Facts, FactsError, File, Questions, Scope, hypervisor::DomainState},
    secret::Secret,
};
use proptest::prelude::*;

use crate::programs::run;

/// Returns what a host told, most of it captured from one.
fn answer() -> String {
    let captured = |file: &str| {
        fs::read_to_string(format!("{}/tests/fast/changes/captured/{file}", env!("CARGO_MANIFEST_DIR")))
            .unwrap()
    };
    format!(
        "@@system\nid=debian\nmanager=apt-get\nkernel=6.1.0-40-amd64\narchitecture=x86_64\ncpus=8\nmemory=65842416\n\
         now=1795322707\nsystemd=252\nresolver=9.9.9.9\nresolver=127.0.0.1\nresolver=2620:fe::fe\noverlay=yes\n\
         space=102400000 51200000 /var/lib/libvirt/my images\n\
         @@links\n{}@@routes\n[{{\"dst\":\"default\",\"gateway\":\"192.168.0.1\",\"dev\":\"ens34f0\",\"flags\":[]}}]\n\
         @@fdb\n{}@@sockets\ntcp LISTEN 0 128 [::]:22 [::]:* users:((\"sshd\",pid=49,fd=4))\n\
         @@settings\nnet.ipv4.ip_forward=1\n@@files\nstat 644 root:root /etc/a file\nstat 600 root:root /etc/b\n\
         size 2 /etc/a file\ntexts YQo=\nsum 87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7  /etc/b\n\
         @@listing\n4096 /etc/ocp2/ocp\n2 /etc/a file\n\
         @@units\nId=a.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\n\
         Id=b.service\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n\
         @@packages\nhaproxy installed 2.6.12-1\n@@nft\n{}@@libvirt\n{}@@end\n",
        captured("links.json"),
        captured("fdb.json"),
        captured("table.txt"),
        captured("libvirt.txt"),
    )
}

#[test]
fn what_was_not_asked_again_stays_as_it_was() {
    let mut facts = Facts::read(&answer()).unwrap();
    facts.renew("@@settings\nnet.ipv4.ip_forward=0\n@@files\n@@units\n@@end\n", "").unwrap();
    assert_eq!(facts.settings["net.ipv4.ip_forward"], "0");
    assert!(facts.files.is_empty() && facts.units.is_empty());
    assert_eq!((facts.system.cpus, facts.links.len(), facts.packages.len()), (8, 4, 1));
    assert!(facts.hypervisor.is_some());
}

#[test]
fn an_answer_is_read_whole() {
    let facts = Facts::read(&answer()).unwrap();
    let system = &facts.system;
    assert_eq!((system.memory_mib, system.cpus, system.now), (64299, 8, 1_795_322_707));
    assert_eq!(system.systemd, Some(252));
    let told =
        |version: &str| Facts::read(&format!("@@system\nsystemd={version}\n@@end\n")).unwrap().system.systemd;
    assert_eq!([told("239"), told("256~rc3"), told("")], [Some(239), Some(256), Some(0)]);
    assert_eq!(system.space["/var/lib/libvirt/my images"], (100_000, 50_000));
    // A resolver on the host's own loopback answers nobody else.
    assert_eq!(
        system.resolvers.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["9.9.9.9", "2620:fe::fe"]
    );
    assert_eq!(
        facts.links.iter().map(|link| link.name.as_str()).collect::<Vec<_>>(),
        ["lo", "ens34f0", "br-vm", "vxlan0"]
    );
    assert_eq!(facts.routes[0].dev, "ens34f0");
    assert_eq!(facts.text("/etc/a file"), Some("a\n"));
    // Of what must not leave the host there is a digest and no text.
    assert_eq!(facts.text("/etc/b"), None);
    assert_eq!(facts.files["/etc/b"].sha256.len(), 64);
    assert_eq!(facts.listing["/etc/a file"], 2);
    assert!(facts.units["a.service"].is_active() && !facts.units["b.service"].is_active());
    assert!(facts.nft_tables["ocp2_ocp"].contains("masquerade"));
    let libvirt = facts.hypervisor.unwrap();
    let domains: Vec<_> = libvirt
        .domains
        .iter()
        .map(|domain| (domain.name.as_str(), domain.state, domain.autostart, domain.cluster()))
        .collect();
    let ours = || Some("ocp".to_owned());
    assert_eq!(
        domains,
        [
            ("ocp-master0", DomainState::Running, true, ours()),
            ("ocp-master2", DomainState::Paused, true, ours()),
            ("ocp-worker1", DomainState::Off, false, ours()),
            ("someone's & own", DomainState::Off, false, None),
        ]
    );
    let pools = libvirt.pools.iter().map(|pool| (pool.name.as_str(), pool.active, pool.autostart));
    assert_eq!(pools.collect::<Vec<_>>(), [("a b", false, false), ("ocp2-ocp", true, true)]);
    let disk = &libvirt.volumes[1];
    assert_eq!((disk.name.as_str(), disk.capacity), ("ocp-master0.img", 1 << 30));
    assert_eq!(disk.path, "/var/lib/libvirt/images/ocp/ocp-master0.img");
    assert_eq!(libvirt.volumes.len(), 4, "a volume with an odd name is not ours");
    assert_eq!(facts.packages["haproxy"].version, "2.6.12-1");
}

#[test]
fn a_cut_off_answer_is_never_taken_for_a_whole_one() {
    let answer = answer();
    for end in 0..answer.trim_end().len() {
        let Some(cut) = answer.get(..end) else { continue };
        assert!(
            matches!(Facts::read(cut), Err(FactsError::Cut { .. })),
            "{end}: {:?}",
            &cut[end.saturating_sub(60)..]
        );
    }
}

#[test]
fn what_is_no_json_is_unknown_and_what_was_known_stays() {
    let damaged = answer().replace("[{\"ifindex\":1", "[{ifindex:1");
    let facts = Facts::read(&damaged).unwrap();
    assert_eq!(facts.unknown.keys().copied().collect::<Vec<_>>(), ["links"], "{:?}", facts.unknown);
    let mut known = Facts::read(&answer()).unwrap();
    known.renew("@@links\n[{ifname:\n@@end\n", "").unwrap();
    assert!(known.unknown.contains_key("links") && known.links.len() == 4);
    known.renew(&answer(), "").unwrap();
    assert!(known.unknown.is_empty());
}

#[test]
fn what_is_not_ours_never_fails_the_probe() {
    let own = Facts::read(&answer()).unwrap();
    // As iproute2 tells of tunnels without an end, and what no version of it has told yet.
    let foreign = r#"@@links
[{"ifname":"sit0","mtu":1480,"flags":["NOARP"],"link_type":"sit","address":"0.0.0.0","linkinfo":{"info_kind":"sit",
"info_data":{"proto":"ip6ip","remote":"any","local":"any","ttl":64,"pmtudisc":false}},"addr_info":[]},
{"ifname":"gre0","mtu":1476,"linkinfo":{"info_kind":"gre","info_data":{"remote":"any","local":"any","id":"x"}},
"addr_info":[{"family":"new","local":7},{"family":"inet","local":"10.7.0.1","prefixlen":24,"scope":"global"}]},
{"ifname":"far0","mtu":1400,"linkinfo":{"info_kind":"vxlan","info_data":{"id":9,"port":4789,"local":"any"}}},
{"ifname":"odd0","mtu":"large"},7,"#;
    let answer = answer()
        .replacen("@@links\n[", foreign, 1)
        .replacen("@@routes\n[", "@@routes\n[{\"dev\":7},{\"dev\":\"sit0\",\"prefsrc\":\"any\"},", 1)
        .replacen("@@fdb\n[", "@@fdb\n[{\"mac\":\"0\",\"dst\":\"via here\"},{},", 1);
    let facts = Facts::read(&answer).unwrap();
    assert_eq!(facts.links[3..], own.links[..]);
    assert_eq!((facts.routes, facts.fdb), (own.routes, own.fdb));
    let [sit, gre, far] = &facts.links[..3] else { panic!("{:#?}", facts.links) };
    assert_eq!((&*sit.name, sit.settings.local), ("sit0", None));
    assert_eq!(gre.addresses, ["10.7.0.1/24".parse().unwrap()]);
    // Another's tunnel is still seen as one.
    assert_eq!((far.settings.id, far.settings.port, far.settings.local), (Some(9), Some(4789), None));
}

/// Longer than any machine takes; what cost the square of its length took more than four minutes.
const HANGS: Duration = Duration::from_secs(120);

/// Reads a part that a host has made as large as it likes, within the time that reading takes.
fn read_soon(part: &str, text: &str) -> Facts {
    let begin = Instant::now();
    let facts = Facts::read(&format!("@@{part}\n{text}\n@@end\n")).unwrap();
    assert!(begin.elapsed() < HANGS, "{part} took {:?}", begin.elapsed());
    facts
}

#[test]
fn more_things_than_a_host_has_are_not_read() {
    let many = 70_000;
    let links = format!("[{}]", vec![r#"{"ifname":"a"}"#; many].join(","));
    let repeated = |line: &str| format!("{line}\n").repeat(many);
    let listed = "=status: 0\n=domain:\n=autostart:\n=pool:\n=active:\n=pool-autostart:\n=listed:\n";
    for (part, text) in [
        ("links", links.clone()),
        ("routes", links.replace("ifname", "dev")),
        ("fdb", links.replace("ifname", "mac")),
        ("links", format!(r#"[{{"addr_info":[{}]}}]"#, vec!["0"; 3 << 20].join(","))),
        ("sockets", repeated("tcp LISTEN 0 128 *:22 *:*")),
        ("settings", repeated("a=1")),
        ("listing", repeated("1 /a")),
        ("units", repeated("Id=a")),
        ("files", repeated("stat 644 root:root /a")),
        ("iptables", repeated("-A INPUT")),
        ("libvirt", format!("{listed}{}=told:", repeated("=x:"))),
    ] {
        let facts = read_soon(part, &text);
        assert_eq!(facts.unknown.keys().copied().collect::<Vec<_>>(), [part]);
    }
    assert_eq!(read_soon("settings", &repeated("a=1")[..240_000]).settings["a"], "1");
}

#[test]
fn what_a_host_repeats_does_not_cost_its_square() {
    // Each element of libvirt's XML with as many attributes as it likes.
    let many: String = (0..300_000).map(|number| format!(" a{number}='1'")).collect();
    let xml = format!("<domain{many}><name>a</name></domain>");
    let listed = "=status: 0\n=domain:\n=autostart:\n=pool:\n=active:\n=pool-autostart:\n";
    let domain = format!("{listed}=listed:\n=state u:\nrunning\n=xml:\n{xml}\n=live:\n{xml}\n=told:");
    let begin = Instant::now();
    let domains = read_soon("libvirt", &domain).hypervisor.unwrap().domains;
    assert_eq!((domains[0].cluster(), domains[0].waits_for_power_off()), (None, Ok(false)));
    assert!(begin.elapsed() < HANGS, "{:?}", begin.elapsed());
    // Volumes that cannot be listed, of pools of which each might be theirs.
    let volumes = "=volume x:\nerror: no\n".repeat(30_000);
    let pools = "=pool-xml u:\n<pool><name>a</name></pool>\n".repeat(30_000);
    let told = format!("{}{volumes}=listed:\n{pools}=told:", listed.replace("=active:\n", "=active:\nu\n"));
    assert_eq!(read_soon("libvirt", &told).hypervisor.unwrap().pools.len(), 30_000);
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(text in any::<String>()) {
        let _ = Facts::read(&text);
        let _ = Facts::read(&format!("{text}\n@@end\n"));
    }

    #[test]
    fn any_line_in_any_section_is_read_without_panic(
        section in "system|links|routes|fdb|sockets|settings|former|files|listing|units|packages|nft|iptables|ruleset|firewalls|entries|libvirt",
        body in "([a-zA-Z]{0,8}[ =:%#\\[\\]\"({,./0-9]{0,4}){0,12}(\n[^\n]{0,20}){0,4}",
    ) {
        let _ = Facts::read(&format!("@@{section}\n{body}\n@@end\n"));
    }

    #[test]
    fn a_damaged_answer_is_read_without_panic(at in 0.0..1.0_f64, length in 0_usize..80, with in "[ -~\n]{0,4}") {
        let answer = answer();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "it is a place in a short text")]
        let start = (answer.len() as f64 * at) as usize;
        let end = (start + length).min(answer.len());
        if answer.is_char_boundary(start) && answer.is_char_boundary(end) {
            let _ = Facts::read(&format!("{}{with}{}", &answer[..start], &answer[end..]));
        }
    }

    #[test]
    fn a_file_put_in_place_is_as_wanted(content in any::<String>(), path in "/etc/[a-z][a-z .$'-]{0,20}[a-z]") {
        let file = File::new(path.clone(), content.clone());
        let encoded = data_encoding::BASE64.encode(content.as_bytes());
        let size = content.len();
        let told = format!("@@files\nstat 644 root:root {path}\nsize {size} {path}\ntexts {encoded}\n@@end\n");
        let changes = file.changes(&Facts::read(&told).unwrap());
        prop_assert!(changes.is_empty(), "{changes:?}");
        let other = File::new(path, content + "x").changes(&Facts::read(&told).unwrap());
        prop_assert_eq!(other.len(), 1);
    }

    #[test]
    fn words_come_out_of_the_shell_as_they_went_in(words in prop::collection::vec("[^\0]{0,12}", 0..6)) {
        let command = Command::new("printf").args(&words);
        let read = shlex::split(&command.to_string()).unwrap();
        prop_assert_eq!(&read[1..], &words[..]);
    }
}

#[test]
fn bash_agrees_on_quoting() {
    let words = [
        "", " ", "a b", "it's", "\"", "$(id)", "`id`", "\\", "\\n", "a\nb", "*", "~", "!x", "-n", "é",
        "{a,b}", "#", "a=b",
    ];
    let printed: String = words.iter().map(|word| format!("{word}|")).collect();
    let source = Script::new().line(Command::new("printf").arg("%s|").args(words));
    assert_eq!(run("bash", &[], source.source()).quiet("bash"), printed);
    let fed = Script::new().feed(&Secret::new(printed.clone()), &Command::new("cat"));
    assert_eq!(run("bash", &[], fed.source()).quiet("bash"), printed);
    assert_eq!(quote("a\0b"), "ab");
}

#[test]
fn a_folders_names_are_told_whatever_they_are() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a b'$(c)");
    fs::create_dir(&folder).unwrap();
    for name in ["disk.img", "@@end", "one\n@@end", "folder x"] {
        fs::write(folder.join(name), "").unwrap();
    }
    let path = folder.display().to_string();
    let nowhere = root.path().join("nowhere").display().to_string();
    let mut questions = Questions::default();
    questions.folders.extend([path.clone(), nowhere.clone()]);
    let script = questions.script(Scope::Whole);
    let asked = script.source().lines().skip_while(|line| *line != r#"echo "@@${mark-}folders""#);
    let asked: Vec<&str> =
        asked.take_while(|line| !line.starts_with(r#"echo "@@${mark-}sockets""#)).collect();
    let told = run("bash", &["-eu", "-o", "pipefail"], &format!("{}\necho @@end\n", asked.join("\n")));
    let facts = Facts::read(told.quiet("the probe")).unwrap();
    let names: Vec<&str> = facts.folders[&path].iter().map(String::as_str).collect();
    assert_eq!(names, ["@@end", "disk.img", "folder x", "one?@@end"]);
    assert!(facts.folders[&nowhere].is_empty());
}

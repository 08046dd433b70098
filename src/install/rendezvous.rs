//! Asking the rendezvous node's API from the first host: bash source.

use crate::{
    bringup::Place,
    cluster::Cluster,
    command::{Script, quote},
    install::installer,
};

/// How often it is asked, seconds.
const EVERY: u64 = 3;

/// What a host reports at length and nobody here reads: whether it is there is enough.
const LONG: &str = "inventory|connectivity|images_status|disks_info|free_addresses|domain_name_resolutions\
                    |tang_connectivity|ntp_sources";

/// Returns source that defines `ask PATH`, which prints what the API answers, and nothing where it refuses.
///
/// Newer releases want the watcher's token, which the installer has left in its state.
pub(super) fn asking(cluster: &Cluster) -> Script {
    let state = format!("{}/.openshift_install_state.json", installer::assets(&Place::of(cluster)));
    asking_at(&format!("http://{}:8090", cluster.rendezvous().address), &state)
}

fn asking_at(server: &str, state: &str) -> Script {
    let base = quote(&format!("{server}/api/assisted-install/v2"));
    Script::new()
        .line(format_args!(
            "token=$(sed -n 's/.*\"WatcherAuthToken\": *\"\\([^\"]*\\)\".*/\\1/p' {} 2>/dev/null | head -n1)",
            quote(state)
        ))
        // The header comes from a pipe, for arguments can be seen by everybody on the host; and the VM is
        // never behind the host's own proxy.
        .line("ask() {")
        .line(format_args!(
            "  curl -q -sS -f -m 20 --noproxy '*' -H @<(printf 'Watcher-Authorization: %s\\n' \"$token\") {base}\"$1\""
        ))
        .line("}")
}

/// Returns source that asks again and again and prints one line an answer, empty where there is none.
///
/// Only `/clusters/ID` tells the names of hosts; the id is in the list of the one cluster that the service
/// knows, and another one after the service has been set up anew.
pub(super) fn watching(cluster: &Cluster) -> Script {
    asking(cluster).line(again_and_again().source().trim_end())
}

fn again_and_again() -> Script {
    let digits = |count: u32| format!("[0-9a-f]{{{count}}}");
    let id = format!("{}-{2}-{2}-{2}-{}", digits(8), digits(12), digits(4));
    Script::new()
        .line("id=")
        .line("while :; do")
        .line("  answer=")
        .line(format_args!(
            "  [ -n \"$id\" ] || id=$({{ ask /clusters | grep -oE '\"id\": *\"{id}\"' | head -n1 | cut -d'\"' -f4; }} 2>/dev/null) || :"
        ))
        .line(format_args!(
            "  [ -z \"$id\" ] || answer=$({{ ask \"/clusters/$id\" | tr -d '\\n' | sed -E 's/\"({LONG})\": *\"([^\"\\\\]|\\\\.)+\"/\"\\1\":\"+\"/g'; }} 2>/dev/null) || :"
        ))
        .line("  [ -n \"$answer\" ] || id=")
        .line("  printf '%s\\n' \"$answer\" || exit")
        .line(format_args!("  sleep {EVERY}"))
        .line("done")
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
        process::{Command, Stdio},
        thread,
    };

    use super::*;
    use crate::install::assisted::ClusterSeen;

    /// What the service answered (tests/recordings): the list, and one cluster with a whole host.
    const LIST: &str = include_str!("../../tests/recordings/assisted/list.json");
    const CLUSTER: &str = include_str!("../../tests/recordings/assisted/whole-one-host.json");

    /// Serves both to whoever has the token; the list's only cluster is the recorded one.
    fn serve(listener: &TcpListener) {
        let id =
            serde_json::from_str::<serde_json::Value>(CLUSTER).unwrap()["id"].as_str().unwrap().to_owned();
        let listed =
            serde_json::from_str::<serde_json::Value>(LIST).unwrap()[0]["id"].as_str().unwrap().to_owned();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let request = lines.next().unwrap();
            let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let path = request.split(' ').nth(1).unwrap().strip_prefix("/api/assisted-install/v2").unwrap();
            let known = headers.iter().any(|header| header == "Watcher-Authorization: of-the-watcher");
            let (status, body) = match path {
                _ if !known => ("401 Unauthorized", String::new()),
                "/clusters" => ("200 OK", LIST.replace(&listed, &id)),
                path if path == format!("/clusters/{id}") => ("200 OK", CLUSTER.to_owned()),
                _ => ("404 Not Found", String::new()),
            };
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    }

    /// Returns the first line that the source prints.
    fn first_line(token: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || serve(&listener));
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state.json");
        std::fs::write(&state, format!("{{\"WatcherAuthToken\": \"{token}\"}}\n")).unwrap();
        let source =
            asking_at(&server, &state.display().to_string()).line(again_and_again().source().trim_end());
        let mut child = Command::new("bash")
            .args(["-c", source.source()])
            // A host's own proxy and settings do not count.
            .env("http_proxy", "http://127.0.0.1:1")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).take(1 << 20).read_line(&mut line).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        line
    }

    #[test]
    fn what_the_service_answers_comes_as_one_line_with_names_and_without_long_reports() {
        let line = first_line("of-the-watcher");
        let whole: serde_json::Value = serde_json::from_str(CLUSTER).unwrap();
        let mut expected = whole.clone();
        for report in LONG.split('|') {
            if whole["hosts"][0][report].as_str().is_some_and(|text| !text.is_empty()) {
                expected["hosts"][0][report] = "+".into();
            }
        }
        assert_ne!(whole, expected);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&line).unwrap(), expected);
        assert!(ClusterSeen::read(&line).is_some());
    }

    #[test]
    fn what_is_refused_is_an_empty_line() {
        assert_eq!(first_line("of-somebody-else"), "\n");
    }
}

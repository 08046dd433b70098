//! Whether a master serves: what its API server says of itself and of etcd.

use std::net::Ipv4Addr;

use crate::command::Script;

/// How the line begins that the question adds to the answer.
const STATUS: &str = "status ";

/// Returns the question to a master's own API server, to be asked on a host.
///
/// The certificate names the API's names and not the node's address, so it is not verified: nothing secret is
/// sent, and the way leads over the cluster's own bridge.
#[must_use]
pub fn readiness_question(master: Ipv4Addr) -> Script {
    Script::new().line(format!(
        "curl -q -sk -m 5 --noproxy '*' -w '\\n{STATUS}%{{http_code}}\\n' 'https://{master}:6443/readyz?verbose' || :"
    ))
}

/// Returns what a master lacks to be ready, from the answer to [`readiness_question`]; nothing where it is ready.
///
/// The lines are `/readyz?verbose`'s: `[+]etcd ok`, `[-]etcd failed: reason withheld`.
#[must_use]
pub fn lacks(answer: &str) -> Vec<String> {
    let lines = || answer.lines().map(str::trim_end);
    let status = lines().rev().find_map(|line| line.strip_prefix(STATUS)).unwrap_or("000");
    let failed: Vec<String> = lines().filter(|line| line.starts_with("[-]")).map(str::to_owned).collect();
    match status {
        "000" => vec!["its API server does not answer".into()],
        _ if !failed.is_empty() => failed,
        "200" if lines().any(|line| line == "[+]etcd ok") => Vec::new(),
        "200" => vec!["its API server says nothing of etcd".into()],
        other => vec![format!("its API server answers with HTTP {other}")],
    }
}

/// Tells whether etcd goes on: more than half of all masters have to.
#[must_use]
pub fn has_quorum(masters: usize, ready: usize) -> bool {
    ready * 2 > masters
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a kube-apiserver answered, of which some lines are left out.
    const RECORDED: &str = "[+]ping ok\n[+]log ok\n[+]informer-sync ok\n\
                            [+]poststarthook/start-apiserver-admission-initializer ok\n\
                            [+]poststarthook/storage-readiness ok\n[+]shutdown ok\nreadyz check passed\n";

    fn with_etcd(line: &str) -> String {
        RECORDED.replace("[+]log ok\n", &format!("[+]log ok\n{line}\n"))
    }

    #[test]
    fn a_master_is_ready_where_etcd_is_too() {
        assert!(lacks(&format!("{}\nstatus 200\n", with_etcd("[+]etcd ok"))).is_empty());
        assert_eq!(lacks(&format!("{RECORDED}\nstatus 200\n")), ["its API server says nothing of etcd"]);
    }

    #[test]
    fn what_failed_is_named() {
        let answer = with_etcd("[-]etcd failed: reason withheld").replace("passed", "failed");
        assert_eq!(lacks(&format!("{answer}\nstatus 500\n")), ["[-]etcd failed: reason withheld"]);
        assert_eq!(
            lacks(&format!("{}\nstatus 503\n", with_etcd("[+]etcd ok"))),
            ["its API server answers with HTTP 503"]
        );
    }

    #[test]
    fn silence_is_not_readiness() {
        // The body alone may come from anywhere.
        for answer in ["", "\nstatus 000\n", &with_etcd("[+]etcd ok")] {
            assert_eq!(lacks(answer), ["its API server does not answer"], "{answer}");
        }
    }

    #[test]
    fn more_than_half_is_a_quorum() {
        let counts = [(1, 1, true), (1, 0, false), (3, 2, true), (3, 1, false), (4, 2, false), (5, 3, true)];
        for (masters, ready, quorum) in counts {
            assert_eq!(has_quorum(masters, ready), quorum, "{ready} of {masters}");
        }
    }
}

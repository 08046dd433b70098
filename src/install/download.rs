//! Downloads on a host: through the cluster's proxy, trusting its authorities, carried on where they were cut.

use crate::{
    bringup::Place,
    cluster::{Cluster, Proxy},
    command::{Command, Script, quote},
    install::installer::folder,
    secret::Secret,
};

/// Where a host keeps the authorities its own programs trust: apt's place, dnf's place.
const TRUSTED: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// `sum FILE` prints its SHA-256. Debian's `sha256sum` does without the CPU's instructions for it: 0.2 GB/s,
/// where openssl makes 1.5.
pub(super) const SUM: &str = r#"sum() { openssl dgst -sha256 -r "$1" | cut -c1-64; }"#;

/// `settle NEW PATH` gives a file its name as [`crate::command::into_place`] does.
pub(super) const SETTLE: &str =
    r#"settle() { sync -- "$1"; mv -f -T -- "$1" "$2"; sync -- "$(dirname -- "$2")"; }"#;

/// `fetch` calls curl, with the schemes that `$schemes` allows, also where it is sent elsewhere. It is told of the proxy, whose URL may hold a password, on stdin: what a
/// user's own `.curlrc` says does not count.
const FETCH: &str = r#"
fetch() {
  settings | curl -q -K - -fsSL --proto "=$schemes" --proto-redir "=$schemes" --retry 3 --connect-timeout 15 --speed-limit 1 --speed-time 60 "$@"
}
"#;

/// `download URL FILE` goes on as long as more arrives, and `verified URL FILE SHA256` refuses what is not as it should be.
const DOWNLOAD: &str = r#"
bytes() { stat -c %s "$1" 2>/dev/null || echo 0; }
download() {
  failures=0
  while :; do
    before=$(bytes "$2.part")
    fetch -C - -o "$2.part" "$1" && return
    status=$?
    # It is not there, or the server cannot carry on in the middle.
    case $status in 22) return $status ;; 33 | 36) rm -f "$2.part" ;; esac
    if [ "$(bytes "$2.part")" -gt "$before" ]; then
      failures=0
      echo "cut off after $(bytes "$2.part") bytes; carrying on"
    else
      failures=$((failures + 1))
      [ $failures -lt 4 ] || return $status
      sleep $failures
    fi
  done
}
verified() {
  # A run before this one may have ended between the download and this.
  if [ "$(bytes "$2.part")" = 0 ] || [ "$(sum "$2.part")" != "$3" ]; then
    download "$1" "$2" || { echo "$1 cannot be downloaded"; exit 1; }
  fi
  is=$(sum "$2.part")
  if [ "$is" != "$3" ]; then
    rm -f "$2.part"
    echo "the checksum of $1 is wrong: what arrived has SHA-256 $is, not $3; $2 is deleted"
    exit 1
  fi
  settle "$2.part" "$2"
}
"#;

/// Returns source that makes the functions `fetch`, `download` and `verified`; `url` says which proxy is the one.
pub(super) fn functions(cluster: &Cluster, place: &Place, url: &str) -> Script {
    let settings = Secret::new(settings(cluster, place, url));
    trusting(cluster, place)
        .line(if cluster.install.allow_http { "schemes=https,http" } else { "schemes=https" })
        .line("settings() {")
        .feed(&settings, &Command::new("cat"))
        .line("}")
        .line(FETCH.trim())
        .line(SUM)
        .line(SETTLE)
        .line(DOWNLOAD.trim())
}

/// Returns curl's settings, one a line.
fn settings(cluster: &Cluster, place: &Place, url: &str) -> String {
    let mut lines = Vec::new();
    let mut set = |name: &str, value: &str| {
        let value = value.replace('\\', "\\\\").replace('"', "\\\"");
        lines.push(format!("{name} = \"{value}\"\n"));
    };
    if let Some(proxy) = &cluster.install.proxy {
        let secure = url.starts_with("https:");
        match if secure { &proxy.https } else { &proxy.http } {
            Some(url) => {
                set("proxy", url.expose());
                set("noproxy", proxy.no_proxy.as_deref().unwrap_or_default());
            }
            // Not by what the host itself is set to, either.
            None => set("noproxy", "*"),
        }
    }
    if cluster.install.trust_bundle.is_some() {
        set("cacert", &authorities(place));
        set("proxy-cacert", &authorities(place));
    }
    lines.concat()
}

/// Returns the file with all authorities: the host's and the cluster's.
pub(super) fn authorities(place: &Place) -> String {
    format!("{}/authorities.pem", folder(place))
}

/// Returns source that writes down which authorities are trusted, where the cluster adds some.
fn trusting(cluster: &Cluster, place: &Place) -> Script {
    let Some(bundle) = &cluster.install.trust_bundle else { return Script::new() };
    let (folder, file) = (quote(&folder(place)), authorities(place));
    let own = Command::new("tee").arg("-a").arg(&file);
    Script::new()
        .line(format_args!("install -d -m 700 {folder}"))
        .line(format_args!("cat {} {} >{} 2>/dev/null || true", TRUSTED[0], TRUSTED[1], quote(&file)))
        .feed(&Secret::new(format!("\n{}\n", bundle.trim())), &own)
        // What was fed is no news.
        .line(":")
}

/// Returns the variables by which programs in Go learn of proxy and authorities, one a line.
///
/// The cluster's own names and networks are never behind the proxy.
pub(super) fn environment(cluster: &Cluster, place: &Place) -> Option<Secret> {
    let install = &cluster.install;
    let mut lines = Vec::new();
    if let Some(Proxy { http, https, no_proxy }) = &install.proxy {
        let own = [
            format!(".{}", cluster.domain()),
            cluster.network.machine.to_string(),
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
        ];
        let none: Vec<String> = own.into_iter().chain(no_proxy.clone()).collect();
        let all = [("HTTP_PROXY", http), ("HTTPS_PROXY", https)];
        for (name, url) in all.into_iter().filter_map(|(name, url)| Some((name, url.as_ref()?.expose()))) {
            // Programs differ in the letter case they look for.
            lines.push(format!("{name}={url}\n{}={url}\n", name.to_lowercase()));
        }
        lines.push(format!("NO_PROXY={0}\nno_proxy={0}\n", none.join(",")));
    }
    if install.trust_bundle.is_some() {
        lines.push(format!("SSL_CERT_FILE={}\n", authorities(place)));
    }
    (!lines.is_empty()).then(|| Secret::new(lines.concat()))
}

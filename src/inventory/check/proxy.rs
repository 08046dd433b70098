//! The cluster's proxy, by the installer's rules. Its URLs may carry a password and are not repeated.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

use super::{Findings, Subject, names::domain_fault, networks};
use crate::inventory::Problem;

pub(super) fn check(subject: &Subject<'_>, findings: &mut Findings) {
    let Some(proxy) = &subject.inventory.install.proxy else { return };
    if proxy.http_proxy.is_none() && proxy.https_proxy.is_none() {
        let at = proxy.no_proxy.as_ref().and_then(|no_proxy| no_proxy.at);
        findings.problem(
            Problem::new("install.proxy", at, "neither httpProxy nor httpsProxy is set")
                .help("leave `proxy` out"),
        );
    }
    let taken: Vec<_> = networks::of(subject.inventory).into_iter().skip(1).collect();
    for (field, url, schemes) in [
        ("install.proxy.httpProxy", &proxy.http_proxy, &["http"][..]),
        ("install.proxy.httpsProxy", &proxy.https_proxy, &["http", "https"][..]),
    ] {
        let Some(url) = url else { continue };
        let refuse =
            |fault: String| Problem::new(field, url.at, fault).help("like http://proxy.example.com:3128");
        let Some((scheme, host)) = host(url) else {
            findings.problem(refuse("this is not the URL of a proxy".to_owned()));
            continue;
        };
        if !schemes.contains(&scheme) {
            findings.problem(refuse(format!("its scheme must be {}, not {scheme:?}", schemes.join(" or "))));
        }
        if let Ok(address) = host.parse::<Ipv4Addr>()
            && let Some(named) = taken.iter().find(|named| named.net.contains(&address))
        {
            findings.problem(refuse(format!("{address} is inside {}, {}", named.what, named.net)));
        }
    }
    // A `*` alone is the one wildcard the installer takes.
    if let Some(no_proxy) = proxy.no_proxy.as_ref().filter(|no_proxy| no_proxy.value != "*") {
        for entry in no_proxy.split(',') {
            let fault = match entry {
                "" => "an entry is empty".to_owned(),
                entry if entry.contains(char::is_whitespace) => format!("{entry:?} has a space in it"),
                entry if entry.contains('*') => {
                    format!("{entry:?} has a wildcard; `.example.com` means all below it")
                }
                entry if !is_destination(entry) => format!("{entry:?} is no domain, address or network"),
                _ => continue,
            };
            findings.problem(
                Problem::new("install.proxy.noProxy", no_proxy.at, fault)
                    .help("entries are separated by commas alone"),
            );
        }
    }
}

/// Returns scheme and host of a URL that has both.
fn host(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?,
        None => host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let host_fits = host.parse::<IpAddr>().is_ok() || domain_fault(&host.to_ascii_lowercase()).is_none();
    let spaced = url.contains(|c: char| c.is_whitespace() || c.is_control());
    (port_fits && host_fits && !spaced).then_some((scheme, host))
}

fn is_destination(entry: &str) -> bool {
    entry.parse::<IpAddr>().is_ok()
        || entry.parse::<IpNet>().is_ok()
        || domain_fault(&entry.strip_prefix('.').unwrap_or(entry).to_ascii_lowercase()).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proxies_have_a_scheme_and_a_host() {
        assert_eq!(host("http://proxy.example.com:3128"), Some(("http", "proxy.example.com")));
        assert_eq!(host("https://me:p@ss@10.0.0.5/"), Some(("https", "10.0.0.5")));
        assert_eq!(host("http://[fd00::1]:3128"), Some(("http", "fd00::1")));
        for url in
            ["proxy:3128", "http://", "http://a b", "http://proxy:port", "http://proxy:0", "http://[fd00::1"]
        {
            assert_eq!(host(url), None, "{url}");
        }
    }
}

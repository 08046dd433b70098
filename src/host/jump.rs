//! Hosts on the way to a host.

use super::{Error, Keyring, Session, Target};

/// A jump host may need a jump host; this many are a loop.
const MOST_HOPS: usize = 8;

/// Connects to the last hop, through the ones before it.
pub(super) async fn jump(
    target: &Target,
    hops: &[String],
    keyring: &Keyring,
    depth: usize,
) -> Result<Session, Error> {
    let wrong = |reason: String| Error::Configuration { host: target.name.clone(), reason };
    let (Some((last, before)), true) = (hops.split_last(), depth < MOST_HOPS) else {
        return Err(wrong(String::from("ProxyJump goes through too many hosts, or in circles")));
    };
    let mut hop =
        hop(&target.name, last).ok_or_else(|| wrong(format!("ProxyJump {last}: what host is that?")))?;
    hop.known_hosts_file.clone_from(&target.known_hosts_file);
    hop.config_file.clone_from(&target.config_file);
    if !before.is_empty() {
        hop.proxy_jump = Some(before.join(","));
    }
    Session::connect_at(&hop, keyring, depth + 1).await
}

/// Reads `[USER@]HOST[:PORT]`, `[USER@][V6]:PORT` or `ssh://…`.
pub(super) fn hop(name: &str, text: &str) -> Option<Target> {
    let text = text.strip_prefix("ssh://").unwrap_or(text).trim_end_matches('/');
    let (user, place) = match text.rsplit_once('@') {
        Some((user, place)) => (Some(user.to_owned()), place),
        None => (None, text),
    };
    let (address, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']')?;
            (address, rest.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((address, port)) if !port.contains(':') => (address, Some(port)),
            _ => (place, None),
        },
    };
    let port = port.map(str::parse).transpose().ok()?;
    (!address.is_empty()).then(|| Target {
        port,
        user,
        ..Target::new(&format!("{name} (by {address})"), address)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hops_are_read() {
        for (text, user, address, port) in [
            ("j", None, "j", None),
            ("u@j:33", Some("u"), "j", Some(33)),
            ("u@[2001:db8::1]:33", Some("u"), "2001:db8::1", Some(33)),
            ("2001:db8::1", None, "2001:db8::1", None),
            ("ssh://u@j:33/", Some("u"), "j", Some(33)),
        ] {
            let hop = hop("bm1", text).unwrap();
            assert_eq!(
                (hop.user.as_deref(), hop.address.as_str(), hop.port),
                (user, address, port),
                "{text}"
            );
        }
        assert!(hop("bm1", "j:x").is_none() && hop("bm1", "u@").is_none());
    }
}

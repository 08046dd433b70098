//! Reading what `virsh` has told (see [`super::hypervisor`]): whole, or not at all.

use std::collections::{BTreeMap, BTreeSet};

use quick_xml::{Reader, events::Event};

use crate::resource::hypervisor::{DomainSeen, DomainState, PoolSeen, Seen, VolumeSeen};

/// What `virsh` says where a domain or a volume has gone since it was listed.
const GONE: &str = "not found";

/// Most parts that are read; a host with a thousand VMs has some four thousand.
const MOST: usize = 1 << 16;

/// Kinds of parts that are lists.
const LISTS: [&str; 5] = ["domain", "autostart", "pool", "active", "pool-autostart"];

/// One part of what was told: its kind, its names, its lines.
struct Part<'a> {
    kind: &'a str,
    of: &'a str,
    text: String,
}

/// All parts, and the lists among them.
struct Told<'a> {
    parts: Vec<Part<'a>>,
    sets: BTreeMap<&'a str, BTreeSet<&'a str>>,
}

/// Reads libvirt's part of the probe's answer; `None` where the host has no `virsh`.
///
/// # Errors
/// Returns the reason where libvirt did not answer, or not in full: then nothing is known, which is
/// not the same as that there is nothing.
pub(super) fn read(section: &str, mark: &str) -> Result<Option<Seen>, String> {
    let told = Told::cut(section, mark);
    let Some(status) = told.parts.iter().find(|part| part.kind == "status") else {
        return if section.trim().is_empty() { Ok(None) } else { Err("virsh told nothing".to_owned()) };
    };
    let whole = |kind: &str| told.parts.iter().any(|part| part.kind == kind);
    if !whole("listed") {
        let said = first_line(&status.text).unwrap_or("it said nothing");
        return Err(format!("virsh ended with status {}: {said}", status.of));
    }
    if !whole("told") {
        return Err("what virsh told is cut off".to_owned());
    }
    if told.parts.len() > MOST {
        return Err(format!("virsh told of more than {MOST} things"));
    }
    let mut seen = Seen::default();
    let running = told.running();
    for (index, part) in told.parts.iter().enumerate() {
        told.part(index, part, &running, &mut seen)?;
    }
    // The lists come in an order of libvirt's own.
    seen.pools.sort_by(|a, b| a.name.cmp(&b.name));
    seen.volumes.sort_by(|a, b| (&a.pool, &a.name).cmp(&(&b.pool, &b.name)));
    seen.domains.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Some(seen))
}

impl<'a> Told<'a> {
    fn cut(section: &'a str, mark: &str) -> Self {
        let mut told = Self { parts: Vec::new(), sets: BTreeMap::new() };
        for line in section.lines().map(|line| line.strip_prefix(' ').unwrap_or(line)) {
            let head = line.strip_prefix('=').and_then(|head| head.strip_prefix(mark));
            // The status of the first call stands behind its head.
            let head = head.and_then(|head| {
                head.strip_suffix(':').or_else(|| head.strip_prefix("status: ").map(|_| head))
            });
            if let Some(head) = head {
                let (kind, of) = head.split_once(' ').unwrap_or((head, ""));
                told.parts.push(Part { kind: kind.trim_end_matches(':'), of, text: String::new() });
            } else if let Some(part) = told.parts.last_mut() {
                if LISTS.contains(&part.kind) {
                    told.sets.entry(part.kind).or_default().insert(line.trim());
                }
                part.text += line;
                part.text.push('\n');
            }
        }
        told
    }

    fn has(&self, kind: &str, uuid: &str) -> bool {
        self.sets.get(kind).is_some_and(|set| set.contains(uuid))
    }

    /// Takes over one part.
    fn part(
        &self,
        index: usize,
        part: &Part<'_>,
        running: &BTreeSet<String>,
        seen: &mut Seen,
    ) -> Result<(), String> {
        let failed = failure(&part.text);
        let unreadable = |what: &str| Err(format!("the description of {what} cannot be read"));
        match (part.kind, failed) {
            (list, Some(said)) if LISTS.contains(&list) => Err(format!("virsh could not list: {said}")),
            // A pool that does not run lists no volumes.
            ("volume", Some(said)) if running.contains(part.of) => {
                Err(format!("virsh could not list pool {}: {said}", part.of))
            }
            ("state", None) => {
                let next =
                    |after: usize, kind: &str| self.parts.get(index + after).filter(|next| next.kind == kind);
                let (Some(xml), Some(live)) = (next(1, "xml"), next(2, "live")) else {
                    return unreadable(&format!("domain {}", part.of));
                };
                if let Some(said) = failure(&xml.text).or_else(|| failure(&live.text)) {
                    return gone(said);
                }
                let Some(name) = text_at(&xml.text, &["domain", "name"]) else {
                    return unreadable(&format!("domain {}", part.of));
                };
                let state = state(part.text.trim());
                seen.domains.push(DomainSeen {
                    name,
                    uuid: part.of.to_owned(),
                    state,
                    autostart: self.has("autostart", part.of),
                    live: Some(live.text.clone()).filter(|_| state != DomainState::Off),
                    xml: xml.text.clone(),
                });
                Ok(())
            }
            ("pool-xml", None) => {
                let Some(name) = text_at(&part.text, &["pool", "name"]) else {
                    return unreadable(&format!("pool {}", part.of));
                };
                let (active, autostart) = (self.has("active", part.of), self.has("pool-autostart", part.of));
                seen.pools.push(PoolSeen { name, active, autostart, xml: part.text.clone() });
                Ok(())
            }
            ("volume-xml", None) => {
                let Some((pool, name)) = part.of.split_once(' ') else { return unreadable("a volume") };
                let capacity =
                    text_at(&part.text, &["volume", "capacity"]).and_then(|bytes| bytes.trim().parse().ok());
                let path = text_at(&part.text, &["volume", "target", "path"]);
                let (Some(path), Some(capacity)) = (path, capacity) else {
                    return unreadable(&format!("volume {name}"));
                };
                seen.volumes.push(VolumeSeen {
                    pool: pool.to_owned(),
                    name: name.to_owned(),
                    path,
                    capacity,
                });
                Ok(())
            }
            ("state" | "pool-xml" | "volume-xml", Some(said)) => gone(said),
            _ => Ok(()),
        }
    }

    /// Returns the names of the pools that run.
    fn running(&self) -> BTreeSet<String> {
        let pools = self.parts.iter().filter(|part| part.kind == "pool-xml" && self.has("active", part.of));
        pools.filter_map(|part| text_at(&part.text, &["pool", "name"])).collect()
    }
}

/// Forgives that something went while it was looked at.
fn gone(said: &str) -> Result<(), String> {
    if said.contains(GONE) { Ok(()) } else { Err(format!("virsh could not describe: {said}")) }
}

/// Returns what `virsh` said of a call that failed: that begins with `error:` and no description does.
fn failure(text: &str) -> Option<&str> {
    text.trim_start().starts_with("error:").then(|| text.trim())
}

fn first_line(text: &str) -> Option<&str> {
    text.lines().map(str::trim).find(|line| !line.is_empty())
}

/// Reads `virsh domstate`; what is idle, blocked or about to end still runs.
fn state(word: &str) -> DomainState {
    match word {
        "shut off" | "crashed" => DomainState::Off,
        "paused" | "pmsuspended" => DomainState::Paused,
        _ => DomainState::Running,
    }
}

/// Returns the text of the element at `path`, from the root on; however deep others nest.
fn text_at(xml: &str, path: &[&str]) -> Option<String> {
    let mut reader = Reader::from_str(xml);
    // How many elements are open, and how many of them lead along `path`.
    let (mut depth, mut along) = (0, 0);
    let mut text = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                if depth == along && path.get(along).is_some_and(|name| **name == *start.name().as_ref()) {
                    along += 1;
                }
                depth += 1;
            }
            Event::End(_) => {
                depth -= 1;
                if depth < along {
                    if along == path.len() {
                        return Some(text);
                    }
                    along = depth;
                }
            }
            Event::Text(piece) if along == path.len() && depth == along => text += &piece,
            Event::GeneralRef(name) if along == path.len() && depth == along => {
                text += &quick_xml::escape::unescape(&format!("&{};", &*name)).ok()?;
            }
            Event::Eof => return None,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str =
        " =status: 0\n =domain:\n u1\n =autostart:\n =pool:\n =active:\n =pool-autostart:\n =listed:\n";

    #[test]
    fn an_element_is_found_by_its_path() {
        let xml = "<domain><x><name>no</name></x><name>a &amp; b</name></domain>";
        assert_eq!(text_at(xml, &["domain", "name"]).as_deref(), Some("a & b"));
        assert_eq!(text_at(xml, &["domain", "x", "name"]).as_deref(), Some("no"));
        assert_eq!(text_at(xml, &["domain", "uuid"]), None);
        assert_eq!(text_at(&"<a>".repeat(100_000), &["a", "b"]), None);
    }

    #[test]
    fn without_virsh_there_is_nothing_and_without_its_answer_nothing_is_known() {
        assert_eq!(read("", ""), Ok(None));
        let silent = " =status: 1\n error: failed to connect to the hypervisor\n error: No such file\n";
        let reason = read(silent, "").unwrap_err();
        assert_eq!(reason, "virsh ended with status 1: error: failed to connect to the hypervisor");
    }

    #[test]
    fn a_partial_answer_is_no_answer() {
        let xml = " =state u1:\n running\n =xml:\n <domain><name>a</name></domain>\n =live:\n <domain/>\n";
        let whole = format!("{LISTED}{xml} =told:\n");
        assert_eq!(read(&whole, "").unwrap().unwrap().domains[0].name, "a");
        assert!(read(&format!("{LISTED}{xml}"), "").is_err(), "cut off at its end");
        let cut = whole.replace(" =live:\n <domain/>\n", "");
        assert_eq!(read(&cut, "").unwrap_err(), "the description of domain u1 cannot be read");
        let failed = whole.replace(" <domain><name>a</name></domain>", " error: Timed out during operation");
        assert!(read(&failed, "").unwrap_err().contains("Timed out"));
        let gone = whole.replace(" <domain><name>a</name></domain>", " error: Domain not found: no domain");
        assert!(read(&gone, "").unwrap().unwrap().domains.is_empty());
        let unlisted = whole.replace(" u1\n", " error: Failed to list domains\n");
        assert!(read(&unlisted, "").is_err());
    }

    #[test]
    fn a_description_cannot_begin_a_part() {
        let xml = " =m-state u1:\n running\n =m-xml:\n <domain><name>a</name><description>\n =state u2:\n =xml:\n</description></domain>\n =m-live:\n x\n =m-told:\n";
        let marked = LISTED.replace(" =", " =m-");
        assert_eq!(read(&format!("{marked}{xml}"), "m-").unwrap().unwrap().domains.len(), 1);
    }
}

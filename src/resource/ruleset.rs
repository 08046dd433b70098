//! The filters of nftables, as `nft -j list ruleset` tells them.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::resource::{
    answer::{self, LONGEST_PART},
    filter::{Chain, Filter, Hook, Rule, Verdict},
    packet::{Field, Match},
};

/// Returns the probe's source. What sets hold is left out: there may be a whole country's addresses in one.
pub(super) fn ask() -> String {
    format!("{}\ntold ruleset nft -j -t -s list ruleset", answer::head("ruleset"))
}

/// Reads the probe's answer: the tables that have a chain where packets come in or go through.
///
/// Those of ocp2 and of firewalld are not among them.
///
/// # Errors
/// Returns the reason where it is not what `nft` prints, or more than can be.
pub(super) fn read(section: &str) -> Result<Vec<Filter>, String> {
    if section.trim().is_empty() {
        return Ok(Vec::new());
    }
    if section.len() > LONGEST_PART {
        return Err(format!("nft told more than {LONGEST_PART} bytes"));
    }
    answer::weigh(section)?;
    let listing: Listing = serde_json::from_str(section).map_err(|error| error.to_string())?;
    let mut filters: BTreeMap<(String, String), Filter> = BTreeMap::new();
    let mut add = |family: &str, table: &str, take: &dyn Fn(&mut Filter)| {
        let new = || Filter {
            program: "nft".to_owned(),
            in_nftables: true,
            family: family.to_owned(),
            table: table.to_owned(),
            ..Filter::default()
        };
        take(filters.entry((family.to_owned(), table.to_owned())).or_insert_with(new));
    };
    for element in listing.nftables {
        // Of other kinds, and of such as are in no form known, nothing is read.
        if let Some(chain) = part::<RawChain>(&element, "chain") {
            add(&chain.family, &chain.table, &|filter| {
                filter.chains.entry(chain.name.clone()).or_default().begin(&chain);
            });
        } else if let Some(rule) = part::<RawRule>(&element, "rule") {
            add(&rule.family, &rule.table, &|filter| {
                filter.words.extend(rule.words());
                filter.chains.entry(rule.chain.clone()).or_default().rules.extend(rule.rules());
            });
        }
    }
    let is_asked = |filter: &Filter| {
        let ours = filter.family == "inet" && filter.table.starts_with("ocp2_");
        matches!(filter.family.as_str(), "ip" | "ip6" | "inet")
            && !(ours || filter.table == "firewalld")
            && filter.chains.values().any(|chain| chain.hook.is_some())
    };
    Ok(filters.into_values().filter(is_asked).collect())
}

#[derive(Deserialize)]
struct Listing {
    nftables: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct RawChain {
    family: String,
    table: String,
    name: String,
    #[serde(default, rename = "type")]
    kind: String,
    #[serde(default)]
    hook: String,
    #[serde(default)]
    policy: String,
}

#[derive(Deserialize)]
struct RawRule {
    family: String,
    table: String,
    chain: String,
    comment: Option<String>,
    #[serde(default)]
    expr: Vec<Value>,
}

fn part<T: for<'de> Deserialize<'de>>(element: &Map<String, Value>, kind: &str) -> Option<T> {
    T::deserialize(element.get(kind)?).ok()
}

impl Chain {
    fn begin(&mut self, raw: &RawChain) {
        self.hook = match (raw.kind.as_str(), raw.hook.as_str()) {
            ("filter", "input") => Some(Hook::Input),
            ("filter", "forward") => Some(Hook::Forward),
            _ => None,
        };
        self.drops = raw.policy == "drop";
    }
}

impl RawRule {
    /// Returns all words it is made of.
    fn words(&self) -> impl Iterator<Item = String> {
        let mut words: Vec<String> = self.comment.iter().cloned().collect();
        self.expr.iter().for_each(|value| strings(value, &mut words));
        words.into_iter()
    }

    /// Returns it as rules with one verdict each: a map of verdicts makes several.
    fn rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut matches: Vec<Match> = Vec::new();
        let rule = |matches: &[Match], verdict| Rule {
            matches: matches.to_vec(),
            verdict: Some(verdict),
            comment: self.comment.clone(),
        };
        for statement in &self.expr {
            let known = statement.as_object().and_then(|map| map.iter().next());
            let Some((kind, body)) = known else {
                matches.push(Match::unknown());
                continue;
            };
            if let Some(verdict) = verdict(kind, body) {
                rules.push(rule(&matches, verdict));
                break;
            }
            match kind.as_str() {
                "match" => matches.extend(conditions(body)),
                "vmap" => {
                    let [key, data] = [&body["key"], &body["data"]["set"]];
                    for pair in data.as_array().into_iter().flatten() {
                        let chosen = pair[1].as_object().and_then(|map| map.iter().next());
                        if let Some(verdict) = chosen.and_then(|(kind, body)| verdict(kind, body)) {
                            let its = [matches.clone(), equal(key, &pair[0], false)].concat();
                            rules.push(rule(&its, verdict));
                        }
                    }
                }
                "counter" | "log" | "continue" | "mangle" | "notrack" => {}
                // Of iptables: targets that only note something, and a match that is none.
                "xt" if body["type"] == "target" || body["name"] == "comment" => {}
                // A limit, a quota, an element added to a set, …: it may end the rule for some.
                _ => matches.push(Match::unknown()),
            }
        }
        rules
    }
}

fn verdict(kind: &str, body: &Value) -> Option<Verdict> {
    let target = || body["target"].as_str().unwrap_or_default().to_owned();
    match kind {
        // A queue has a program behind it that lets pass what it likes.
        "accept" | "queue" => Some(Verdict::Accept),
        "drop" | "reject" => Some(Verdict::End),
        // As iptables made it, where it is listed by the other program.
        "xt" if body["name"] == "REJECT" => Some(Verdict::End),
        "return" => Some(Verdict::Return),
        "jump" => Some(Verdict::Jump(target())),
        "goto" => Some(Verdict::Goto(target())),
        _ => None,
    }
}

/// Reads `{op, left, right}`.
fn conditions(body: &Value) -> Vec<Match> {
    let (left, right) = (&body["left"], &body["right"]);
    match body["op"].as_str() {
        Some("==" | "in") => equal(left, right, false),
        Some("!=") => equal(left, right, true),
        _ => vec![Match::unknown()],
    }
}

/// Returns the conditions that say that what `left` names is `right`, or that it is not.
fn equal(left: &Value, right: &Value, not: bool) -> Vec<Match> {
    let (field, implied) = field(left);
    let mut conditions: Vec<Match> = implied.into_iter().collect();
    let values = values(right).filter(|_| field != Field::Other);
    conditions.push(values.map_or_else(Match::unknown, |any| {
        let any = any.iter().map(|value| spelled(field, value));
        Match { not, ..Match::new(field, any) }
    }));
    conditions
}

/// Returns what an expression names, and what is true of a packet that has such a thing.
fn field(left: &Value) -> (Field, Option<Match>) {
    let key = |kind: &str| left[kind]["key"].as_str().unwrap_or_default();
    let payload = &left["payload"];
    let of = |name: &str| payload[name].as_str().unwrap_or_default();
    let version = |number: &str| Some(Match::new(Field::Version, [number]));
    match (key("meta"), key("ct"), of("protocol"), of("field")) {
        ("iifname" | "iif", ..) => (Field::Input, None),
        ("oifname" | "oif", ..) => (Field::Output, None),
        ("l4proto", ..) => (Field::Protocol, None),
        ("nfproto" | "protocol", ..) => (Field::Version, None),
        ("pkttype", ..) => (Field::Frame, None),
        (_, "state", ..) => (Field::State, None),
        (.., "ip", "saddr") => (Field::From, version("4")),
        (.., "ip", "daddr") => (Field::To, version("4")),
        (.., "ip", "protocol") => (Field::Protocol, version("4")),
        (.., "ip", _) => (Field::Other, version("4")),
        (.., "ip6", "saddr") => (Field::From, version("6")),
        (.., "ip6", "daddr") => (Field::To, version("6")),
        (.., "ip6", "nexthdr") => (Field::Protocol, version("6")),
        (.., "ip6", _) => (Field::Other, version("6")),
        (.., "th", "dport") => (Field::Port, None),
        (.., protocol @ ("tcp" | "udp"), "dport") => {
            (Field::Port, Some(Match::new(Field::Protocol, [protocol])))
        }
        (.., protocol @ ("tcp" | "udp" | "icmp" | "icmpv6"), _) => {
            (Field::Other, Some(Match::new(Field::Protocol, [protocol])))
        }
        _ if left["fib"]["result"] == "type" && left["fib"]["flags"] == serde_json::json!(["daddr"]) => {
            (Field::Destination, None)
        }
        _ => (Field::Other, None),
    }
}

/// Returns the values that `right` names; `None` where it is a set that has a name, or something else.
fn values(right: &Value) -> Option<Vec<String>> {
    let one = |value: &Value| match value {
        Value::String(word) if !word.starts_with('@') => Some(word.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(map) => {
            if let Some(prefix) = map.get("prefix") {
                return Some(format!("{}/{}", prefix["addr"].as_str()?, prefix["len"]));
            }
            let range = map.get("range")?.as_array()?;
            Some(
                range
                    .iter()
                    .map(|end| end.as_str().map_or(end.to_string(), str::to_owned))
                    .collect::<Vec<_>>()
                    .join("-"),
            )
        }
        _ => None,
    };
    match right.get("set").unwrap_or(right) {
        Value::Array(list) => list.iter().map(one).collect(),
        value => Some(vec![one(value)?]),
    }
}

/// Returns a value in the words of a [`Match`].
fn spelled(field: Field, value: &str) -> String {
    match (field, value) {
        (Field::Version, "ipv4" | "ip") => "4".to_owned(),
        (Field::Version, "ipv6" | "ip6") => "6".to_owned(),
        _ => value.to_owned(),
    }
}

/// Adds all strings that a value is made of.
fn strings(value: &Value, to: &mut Vec<String>) {
    match value {
        Value::String(word) => to.push(word.clone()),
        Value::Array(values) => values.iter().for_each(|value| strings(value, to)),
        Value::Object(map) => map.values().for_each(|value| strings(value, to)),
        _ => {}
    }
}

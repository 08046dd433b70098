//! The rules of iptables and ip6tables, as `iptables -S` lists them.

use crate::resource::{
    answer,
    filter::{Chain, Filter, Hook, Rule, Verdict},
    packet::{Field, Match},
};

/// Says that a table is of nftables alone: iptables can neither list it nor put a rule in it.
pub const NOT_OF_IPTABLES: &str = "use 'nft' tool";

/// How long to wait for another iptables at work, seconds.
pub const PATIENCE: &str = "10";

/// Returns the probe's source: a line `# PROGRAM VERSION` and the rules, for each program that has a filter table.
///
/// Asked only where there is a table already: asking makes one. Rules of the older kernel interface
/// (iptables-legacy) are in force beside those of the newer.
pub(super) fn ask() -> String {
    format!(
        r##"{}
rules_of() {{
command -v "$1" >/dev/null || return 0
local is said; is=$("$1" -V 2>&1) || {{ unknown iptables "$1 -V ended with status $?: $is"; return 0; }}
case $is in
*nf_tables*) newer=yes; nft list table "$3" filter >/dev/null 2>&1 || return 0;;
*) grep -qsx filter "/proc/net/$2" || return 0;;
esac
echo "# $1 $is"
{{ said=$("$1" -w {PATIENCE} -S 2>&1 >&7 7>&-) || case $said in *"{NOT_OF_IPTABLES}"*) ;; *) unknown iptables "$1 -S ended with status $?: $said";; esac; }} 7>&1
}}
newer=; rules_of iptables ip_tables_names ip
[ -z "$newer" ] || rules_of iptables-legacy ip_tables_names ip
newer=; rules_of ip6tables ip6_tables_names ip6
[ -z "$newer" ] || rules_of ip6tables-legacy ip6_tables_names ip6"##,
        answer::head("iptables")
    )
}

/// Reads the probe's answer.
pub(super) fn read(section: &str) -> Vec<Filter> {
    let mut filters: Vec<Filter> = Vec::new();
    for line in section.lines() {
        if let Some((program, version)) = line.strip_prefix("# ").and_then(|head| head.split_once(' ')) {
            // What iptables has to say beside the rules begins so, too.
            if program.starts_with("ip") {
                let family = if program.starts_with("ip6") { "ip6" } else { "ip" };
                filters.push(Filter {
                    program: program.to_owned(),
                    in_nftables: version.contains("nf_tables"),
                    family: family.to_owned(),
                    table: "filter".to_owned(),
                    ..Filter::default()
                });
            }
        } else if let Some(filter) = filters.last_mut() {
            filter.read_line(line);
        }
    }
    // Without a chain it is none of iptables' (see `NOT_OF_IPTABLES`).
    filters.retain(|filter| !filter.chains.is_empty());
    filters
}

impl Filter {
    /// Takes over one line of `iptables -S`: `-P CHAIN POLICY`, `-N CHAIN`, `-A CHAIN …`.
    fn read_line(&mut self, line: &str) {
        let Some(words) = shlex::split(line) else { return };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let [kind, chain, rest @ ..] = words.as_slice() else { return };
        match *kind {
            "-P" => {
                let hook = match *chain {
                    "INPUT" => Some(Hook::Input),
                    "FORWARD" => Some(Hook::Forward),
                    _ => None,
                };
                let drops = rest.first() == Some(&"DROP");
                self.chains.insert((*chain).to_owned(), Chain { hook, drops, rules: Vec::new() });
            }
            "-N" => {
                self.chains.entry((*chain).to_owned()).or_default();
            }
            "-A" => {
                let rule = self.rule(rest);
                self.words.extend(rest.iter().map(|word| (*word).to_owned()));
                self.chains.entry((*chain).to_owned()).or_default().rules.push(rule);
            }
            _ => {}
        }
    }

    fn rule(&self, words: &[&str]) -> Rule {
        let mut rule = Rule::default();
        let mut words = words.iter().copied().peekable();
        let mut not = false;
        while let Some(word) = words.next() {
            if word == "!" {
                not = true;
                continue;
            }
            if let "-j" | "-g" = word {
                rule.verdict = self.verdict(word, words.next().unwrap_or_default());
                break;
            }
            let mut values = Vec::new();
            while let Some(value) = words.next_if(|next| *next != "!" && !is_option(next)) {
                values.push(value);
            }
            match word {
                "--comment" => rule.comment = Some(values.join(" ")),
                "-m" if values.first().is_some_and(|module| is_read(module)) => {}
                _ => rule.matches.push(Match { not, ..condition(word, &values) }),
            }
            not = false;
        }
        rule
    }

    /// Returns what becomes of a packet by a target; what only notes something lets it go on.
    fn verdict(&self, option: &str, target: &str) -> Option<Verdict> {
        match target {
            // A queue has a program behind it that lets pass what it likes.
            "ACCEPT" | "NFQUEUE" | "QUEUE" => Some(Verdict::Accept),
            "DROP" | "REJECT" | "TARPIT" => Some(Verdict::End),
            "RETURN" => Some(Verdict::Return),
            // All chains are named before the first rule.
            chain if self.chains.contains_key(chain) && option == "-g" => {
                Some(Verdict::Goto(chain.to_owned()))
            }
            chain if self.chains.contains_key(chain) => Some(Verdict::Jump(chain.to_owned())),
            _ => None,
        }
    }
}

fn is_option(word: &str) -> bool {
    // `-1` is a value.
    word.starts_with("--") || word.strip_prefix('-').is_some_and(|rest| rest.starts_with(char::is_alphabetic))
}

/// Tells whether all that a module matches is in options that [`condition`] reads, or takes for unknown.
fn is_read(module: &str) -> bool {
    let modules = [
        "tcp",
        "udp",
        "icmp",
        "icmp6",
        "comment",
        "conntrack",
        "state",
        "multiport",
        "addrtype",
        "pkttype",
        "iprange",
    ];
    modules.contains(&module)
}

fn condition(option: &str, values: &[&str]) -> Match {
    let list = |separator: char, range: &str| -> Vec<String> {
        values
            .iter()
            .flat_map(|value| value.split(separator))
            .map(|value| value.replace(range, "-"))
            .collect()
    };
    let link = || {
        values
            .iter()
            .map(|name| name.strip_suffix('+').map_or((*name).to_owned(), |start| format!("{start}*")))
    };
    match option {
        "-i" => Match::new(Field::Input, link()),
        "-o" => Match::new(Field::Output, link()),
        "-s" => Match::new(Field::From, list(',', "-")),
        "-d" => Match::new(Field::To, list(',', "-")),
        "-p" => Match::new(Field::Protocol, values.iter().copied()),
        "--dport" | "--dports" => Match::new(Field::Port, list(',', ":")),
        "--state" | "--ctstate" => Match::new(Field::State, list(',', "-")),
        "--dst-type" => Match::new(Field::Destination, list(',', "-")),
        "--pkt-type" => Match::new(Field::Frame, values.iter().copied()),
        "--tcp-flags" => Match::new(Field::Flags, [values.join(" ")]),
        _ => Match::unknown(),
    }
}

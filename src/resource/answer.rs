//! How the answer to a probe is framed: parts, each with a head, and an end.
//!
//! A head is a line `@@MARK` and the part's name. The mark is new for every probe, so that nothing
//! a host's users can put into a part (a process's name, a comment of a rule) begins another one. A part
//! that could not be read says so by a line `@@MARK?NAME REASON`: it is unknown, which is not nothing.

use std::collections::BTreeMap;

use crate::command::quote;

/// Longest reason that is kept, characters.
const LONGEST_REASON: usize = 300;

/// The most that one command of a probe may tell, bytes: a quarter of what a whole answer may have. A node of
/// a cluster with a thousand services has 2 MiB of rules.
pub(super) const LONGEST_PART: usize = 4 << 20;

/// The most objects and values in a part that is JSON: in memory an object takes some 650 bytes and a value 32,
/// however short they are as text. Two MiB of rules have 84 thousand objects.
const MOST_OBJECTS: usize = 100_000;
const MOST_VALUES: usize = 1_000_000;

/// Refuses JSON that would take far more memory than its text.
///
/// # Errors
/// Returns the reason.
pub(super) fn weigh(json: &str) -> Result<(), String> {
    let count = |sign: char| json.matches(sign).count();
    if count('{') > MOST_OBJECTS {
        return Err(format!("it has more than {MOST_OBJECTS} objects"));
    }
    if count(',') > MOST_VALUES {
        return Err(format!("it has more than {MOST_VALUES} values"));
    }
    Ok(())
}

/// Returns the source that every probe begins with.
///
/// `unknown NAME REASON` says of a part that it could not be read; `told NAME COMMAND…` runs a command
/// and says so where it fails, with what it has printed on its standard error, or where it tells more
/// than [`LONGEST_PART`].
pub(super) fn begin(mark: &str) -> String {
    format!(
        r#"mark={}
unknown() {{ printf '\n@@%s?%s %s\n' "$mark" "$1" "${{2//$'\n'/; }}"; }}
told() {{
local part=$1 said status=0; shift
command -v "$1" >/dev/null || return 0
{{ said=$({{ "$@" | head -c {LONGEST_PART}; }} 2>&1 >&7 7>&-) || status=$?; }} 7>&1
case $status in
0) ;;
141) unknown "$part" "$1 told more than {LONGEST_PART} bytes";;
*) unknown "$part" "$1 ended with status $status: $said";;
esac
}}"#,
        quote(mark)
    )
}

/// Returns the source that heads a part.
pub(super) fn head(name: &str) -> String {
    format!("echo \"@@${{mark-}}{name}\"")
}

/// The parts of a whole answer.
pub(super) struct Answer<'a> {
    parts: BTreeMap<&'a str, &'a str>,
    unknown: BTreeMap<&'a str, &'a str>,
    last: &'a str,
}

impl<'a> Answer<'a> {
    /// Cuts an answer into its parts.
    pub fn cut(text: &'a str, mark: &str) -> Self {
        let mut answer = Self { parts: BTreeMap::new(), unknown: BTreeMap::new(), last: "" };
        let head = format!("@@{mark}");
        let mut rest = text;
        while let Some(start) = find_head(rest, &head) {
            let (name, body) = rest[start..].split_once('\n').unwrap_or((&rest[start..], ""));
            let name = &name[head.len()..];
            let end = find_head(body, &head).unwrap_or(body.len());
            if let Some(said) = name.strip_prefix('?') {
                let (part, reason) = said.split_once(' ').unwrap_or((said, ""));
                answer.unknown.insert(part, reason);
            } else {
                answer.parts.insert(name, &body[..end]);
                answer.last = name;
            }
            rest = &body[end..];
        }
        answer
    }

    /// Returns the name of the last part that was begun; `end` of a whole answer.
    pub fn last(&self) -> &'a str {
        self.last
    }

    /// Returns a part, where it was asked for.
    pub fn part(&self, name: &str) -> Option<&'a str> {
        self.parts.get(name).copied()
    }

    /// Returns why a part could not be read, if it could not.
    pub fn reason(&self, name: &str) -> Option<String> {
        self.unknown.get(name).map(|reason| reason.trim().chars().take(LONGEST_REASON).collect())
    }
}

/// Finds the next line that begins with `head`.
fn find_head(text: &str, head: &str) -> Option<usize> {
    if text.starts_with(head) {
        return Some(0);
    }
    text.match_indices(head).find(|(at, _)| text[..*at].ends_with('\n')).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_heads_with_the_mark_begin_a_part() {
        let text = "@@m1-a\none\n@@b\n@@m2-b\n x @@m1-c\n@@m1-end\n";
        let answer = Answer::cut(text, "m1-");
        assert_eq!(answer.part("a"), Some("one\n@@b\n@@m2-b\n x @@m1-c\n"));
        assert_eq!((answer.part("b"), answer.part("c"), answer.last()), (None, None, "end"));
    }

    #[test]
    fn a_part_that_could_not_be_read_has_a_reason() {
        let answer = Answer::cut("@@links\n[]\n@@?links ip ended\n@@end\n", "");
        assert_eq!(answer.reason("links").as_deref(), Some("ip ended"));
        assert_eq!((answer.reason("routes"), answer.last()), (None, "end"));
    }
}

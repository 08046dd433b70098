//! Text that a host made: what of it may become a file's name here, and how it is shown.
//!
//! Whoever has a host can have it print anything. Such text is data: it names no file outside
//! the folder it is meant for, and it moves no cursor of the user's terminal.

use std::borrow::Cow;

/// Longest name of a file, bytes: the kernel's `NAME_MAX` less room for a suffix such as `.part`.
const LONGEST_NAME: usize = 200;

/// Returns `name` where it can be the name of a file in one folder, on any system.
///
/// Letters, digits and `. _ - +` of ASCII, none of `.` and `-` in front: neither `..` nor a
/// hidden file nor an option of a program.
#[must_use]
pub fn file_name(name: &str) -> Option<&str> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME;
    (fits && !name.starts_with(['.', '-']) && name.chars().all(allowed)).then_some(name)
}

/// Returns `text` as a terminal may be given it: control characters are shown and do nothing.
///
/// Line feeds and tabs stay. Escape sequences (ECMA-48), the C1 controls, and Unicode's line
/// separators and directional overrides, which make text read otherwise than it is, become `\u{…}`.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            // The end of a line as some programs print it.
            '\r' if matches!(rest.peek(), Some('\n')) => {}
            c if acts(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// As [`shown`], for text that ocp2 itself has coloured: its own colours stay.
///
/// Of ECMA-48's sequences that are those of SGR, and of these bold, faint, italic, underlined and the
/// foreground's colours but black: nothing that hides text.
#[must_use]
pub fn coloured(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut pieces = text.split("\u{1b}[");
    let mut out = shown(pieces.next().unwrap_or_default()).into_owned();
    for piece in pieces {
        let end = piece.find('m').unwrap_or(0);
        let (codes, rest) = piece.split_at(end);
        if !rest.is_empty() && end > 0 && codes.split(';').all(is_harmless) {
            out += &format!("\u{1b}[{codes}m");
            out += &shown(&rest[1..]);
        } else {
            out += "\\u{1b}[";
            out += &shown(piece);
        }
    }
    Cow::Owned(out)
}

/// Tells whether a code of SGR is one of those in use here.
fn is_harmless(code: &str) -> bool {
    matches!(code, "0" | "1" | "2" | "3" | "4" | "22" | "23" | "24" | "39")
        || matches!(code.as_bytes(), [b'3' | b'9', b'1'..=b'7'])
}

/// Returns JSON whose strings do nothing to a terminal either: they read the same.
///
/// JSON's own rules leave the C1 controls and Unicode's directional marks as they are.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            // All of them are in the basic plane.
            out += &format!("\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// Tells whether a character does something to a terminal, or to the order of what is read.
fn acts(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || matches!(c, '\u{2028}' | '\u{2029}') || (c.is_control() && !matches!(c, '\n' | '\t'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_names_of_files() {
        for name in ["worker0.log", "ocp-master0-console.log", "a_b+c.1"] {
            assert_eq!(file_name(name), Some(name));
        }
        let long = "a".repeat(LONGEST_NAME + 1);
        for name in ["", ".", "..", "../x", "a/b", "/etc/passwd", ".bashrc", "-rf", "a b", "a\nb", "ä", &long]
        {
            assert_eq!(file_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn escapes_are_shown_and_do_nothing() {
        assert_eq!(shown("plain\n\ttext"), "plain\n\ttext");
        assert!(matches!(shown("plain"), Cow::Borrowed(_)));
        assert_eq!(shown("\x1b]52;c;cm0=\x07"), "\\u{1b}]52;c;cm0=\\u{7}");
        assert_eq!(shown("\u{9b}2Jx"), "\\u{9b}2Jx");
        assert_eq!(shown("one\r\ntwo\rthree"), "one\ntwo\\u{d}three");
        assert_eq!(
            coloured("\x1b[1;31mred\x1b[0m \x1b[8mhidden\x1b[2J\x1b["),
            "\x1b[1;31mred\x1b[0m \\u{1b}[8mhidden\\u{1b}[2J\\u{1b}["
        );
        assert_eq!(coloured("\x1b[30mm \x1b]0;x\x07 \x1b[m"), "\\u{1b}[30mm \\u{1b}]0;x\\u{7} \\u{1b}[m");
        let read: String = serde_json::from_str(&json("\"a\u{9b}2J\u{202e}\"")).unwrap();
        assert_eq!((read.as_str(), json("\"\u{9b}\"").as_ref()), ("a\u{9b}2J\u{202e}", "\"\\u009b\""));
        assert_eq!(shown("a\u{202e}b\u{2028}"), "a\\u{202e}b\\u{2028}");
    }
}

//! Rust source as words and paths, without compiling it.

/// Splits Rust source into words and signs; comments and the insides of literals are left out.
pub fn words(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        let starts = |sign: &str| sign.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
        if starts("//") {
            at += rest.iter().position(|&c| c == '\n').unwrap_or(rest.len());
        } else if starts("/*") {
            at += 2 + rest.windows(2).position(|pair| pair == ['*', '/']).unwrap_or(rest.len());
        } else if let Some(length) = raw_string(rest) {
            at += length;
        } else if rest[0] == '"' {
            at += quoted(rest, '"');
        } else if rest[0] == '\'' && (rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')) {
            at += quoted(rest, '\'');
        } else if rest[0].is_alphanumeric() || rest[0] == '_' {
            let length = rest.iter().take_while(|c| c.is_alphanumeric() || **c == '_').count();
            words.push(rest[..length].iter().collect());
            at += length;
        } else if starts("::") {
            words.push("::".to_owned());
            at += 2;
        } else {
            if !rest[0].is_whitespace() {
                words.push(rest[0].to_string());
            }
            at += 1;
        }
    }
    words
}

/// Returns the length of a raw string at the start of `rest`.
fn raw_string(rest: &[char]) -> Option<usize> {
    let letters = rest.iter().take_while(|c| matches!(c, 'r' | 'b')).count();
    let hashes = rest[letters..].iter().take_while(|c| **c == '#').count();
    if !rest[..letters].contains(&'r') || rest.get(letters + hashes) != Some(&'"') {
        return None;
    }
    let mut end = vec!['"'];
    end.resize(1 + hashes, '#');
    let body = &rest[letters + hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end)?;
    Some(letters + hashes + 1 + length + end.len())
}

/// Returns the length of a literal that begins and ends with `mark`.
fn quoted(rest: &[char], mark: char) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != mark {
        at += if rest[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// Leaves out items under `#[cfg(test)]`.
pub fn without_tests(words: &[String]) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if words[at..].iter().map(String::as_str).take(mark.len()).eq(mark) {
            let mut depth = 0;
            at += mark.len();
            while at < words.len() {
                match words[at].as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 && matches!(words[at - 1].as_str(), "}" | ";") {
                    break;
                }
            }
        } else {
            kept.push(words[at].clone());
            at += 1;
        }
    }
    kept
}

/// Returns every path, groups (`a::{b, c::d}`) written out.
pub fn paths(words: &[String]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if is_name(&words[at]) {
            at = path(words, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Reads one path from `at`, adds what it names to `found`, and returns where it ends.
fn path(words: &[String], mut at: usize, before: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let mut names = before.to_vec();
    while at < words.len() && is_name(&words[at]) {
        names.push(words[at].clone());
        at += 1;
        if words.get(at).is_none_or(|word| word != "::") {
            found.push(names);
            return at;
        }
        at += 1;
    }
    if words.get(at).is_some_and(|word| word == "{") {
        at += 1;
        while at < words.len() && words[at] != "}" {
            at =
                if is_name(&words[at]) || words[at] == "{" { path(words, at, &names, found) } else { at + 1 };
        }
        return at + 1;
    }
    // `a::*`, or a generic argument (`a::<b>`), whose own paths are read next.
    found.push(names);
    at
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

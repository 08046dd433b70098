//! The remote command, and what comes before a script's own output.
//!
//! The command is one constant text, for it is seen in the host's process list and logs; the
//! script travels on stdin. It says everything in a way that bash, dash, fish and csh read
//! alike: one word in single quotes, without `!`, backslash-quote or a newline.

use bytes::Bytes;

/// Printed by the user's shell, with the uid.
const USER: &str = "ocp2:user:";
/// Printed by bash, as root, before anything of the script.
const BEGIN: &str = "ocp2:begin";

/// The part that [`RUN`] and [`SPAWN`] share; `$then` is bash source inside double quotes inside
/// single quotes.
macro_rules! become_root {
    ($then:literal) => {
        concat!(
            "exec sh -c 'unset BASH_ENV ENV; u=$(id -u); echo; echo \"ocp2:user:$u\"; ",
            "if [ \"$u\" = 0 ]; then set --; else set -- sudo -n -H --; fi; ",
            "exec \"$@\" bash -c \"echo ocp2:begin; cd /; umask 022; export LC_ALL=C ",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; ",
            $then,
            "\"'"
        )
    };
}

/// Becomes root, reads all of stdin, then runs it.
///
/// `$(cat)` reads in large blocks where `bash -s` would read byte by byte. The script is in bash's
/// memory, never in its arguments; one that was cut short (see [`whole`]) does not run at all. Its
/// commands find /dev/null on stdin.
pub(super) const RUN: &str =
    become_root!("s=\\$(cat); [ \\\"\\${s: -9}\\\" = ocp2:end# ] || exit 1; eval \\\"\\$s\\\" </dev/null");

/// Like [`RUN`], but the script is one line of base64, and the rest of stdin stays the script's.
pub(super) const SPAWN: &str = become_root!("read -r s; s=\\$(base64 -d <<<\\$s); eval \\\"\\$s\\\"");

/// Ends a script with the mark that says so.
pub(super) fn whole(source: &str) -> String {
    format!("{source}\n#ocp2:end#")
}

/// Makes the line of base64 that [`SPAWN`] reads.
pub(super) fn line(source: &str) -> String {
    data_encoding::BASE64.encode(source.as_bytes()) + "\n"
}

/// Splits the script's own output from what came before.
#[derive(Debug, Default)]
pub(super) struct Preamble {
    noise: Vec<u8>,
    /// Where the first line begins that has not ended yet.
    looked_at: usize,
    uid: Option<u32>,
    begun: bool,
}

impl Preamble {
    /// Takes what arrived; returns what of it is the script's own.
    pub fn take(&mut self, data: Bytes) -> Bytes {
        if self.begun {
            return data;
        }
        self.noise.extend_from_slice(&data);
        let mut start = self.looked_at;
        while let Some(length) = self.noise[start..].iter().position(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(&self.noise[start..start + length]).into_owned();
            start += length + 1;
            if let Some(uid) = line.strip_prefix(USER) {
                self.uid = uid.trim().parse().ok();
            } else if line == BEGIN && self.uid.is_some() {
                self.begun = true;
                return Bytes::from(self.noise.split_off(start));
            }
        }
        self.looked_at = start;
        Bytes::new()
    }

    /// Tells whether the script was started.
    pub fn begun(&self) -> bool {
        self.begun
    }

    /// Returns the user's id, once the user's shell told it.
    pub fn uid(&self) -> Option<u32> {
        self.uid
    }

    /// Returns what came instead of the script's output.
    pub fn noise(&self) -> String {
        String::from_utf8_lossy(&self.noise).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write as _,
        process::{Command as Process, Stdio},
    };

    use super::*;

    #[test]
    fn noise_is_cut_off_however_it_is_split() {
        let all: &'static [u8] = b"Welcome!\nlast\nocp2:user:0\nocp2:begin\nocp2:begin\nout";
        for at in 0..all.len() {
            let mut preamble = Preamble::default();
            let mut out = preamble.take(Bytes::from_static(&all[..at])).to_vec();
            out.extend_from_slice(&preamble.take(Bytes::from_static(&all[at..])));
            assert_eq!(String::from_utf8(out).unwrap(), "ocp2:begin\nout", "split at {at}");
            assert_eq!(preamble.uid(), Some(0));
        }
    }

    #[test]
    fn without_the_marker_everything_is_noise() {
        let mut preamble = Preamble::default();
        assert!(preamble.take(Bytes::from_static(b"This account is not available.\n")).is_empty());
        assert!(!preamble.begun());
        assert_eq!(preamble.noise(), "This account is not available.");
    }

    #[test]
    fn a_script_that_is_not_whole_does_not_run() {
        let run = |input: &str| {
            let mut child = Process::new("sh")
                .args(["-c", RUN])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let mut preamble = Preamble::default();
            let own = preamble.take(Bytes::from(output.stdout));
            assert!(preamble.begun());
            (output.status.code(), String::from_utf8(own.to_vec()).unwrap())
        };
        let script = whole("echo one\necho two");
        assert_eq!(run(&script), (Some(0), String::from("one\ntwo\n")));
        for length in 0..script.len() {
            assert_eq!(run(&script[..length]), (Some(1), String::new()), "{length} bytes");
        }
    }

    #[test]
    fn the_command_is_one_single_quoted_word() {
        for command in [RUN, SPAWN] {
            assert_eq!(command.matches('\'').count(), 2);
            assert!(command.ends_with('\'') && !command.contains(['!', '\n']) && !command.contains("\\'"));
        }
    }
}

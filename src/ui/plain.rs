//! One line per thing that happened: for logs, pipes and `-v`.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::Mutex,
    time::{Duration, Instant},
};

use crate::{engine::Event, ui::Style};

/// A transfer or a wait says how it goes this often at the most.
const PACE: Duration = Duration::from_secs(10);

pub(super) struct Plain {
    style: Style,
    verbose: bool,
    said: Mutex<BTreeMap<String, (Instant, String)>>,
}

impl Plain {
    pub(super) fn new(style: Style, verbose: bool) -> Self {
        Self { style, verbose, said: Mutex::default() }
    }

    pub(super) fn show(&self, event: Event) {
        let style = self.style;
        let line = match event {
            Event::Connected { host } if self.verbose => format!("{host}: connected"),
            Event::Phase { phase, title } => format!("{} {title}", style.strong(&format!("{phase:<9}"))),
            Event::Step { host, index, of, text } => format!("  {host} [{index}/{of}] {text}"),
            Event::Output { host, line } if self.verbose => style.faint(&format!("    {host}| {line}")),
            Event::PhaseDone { phase, changed } => {
                let changes = match changed {
                    0 => "nothing to change".to_owned(),
                    1 => "1 change".to_owned(),
                    many => format!("{many} changes"),
                };
                format!("{} {}: {changes}", style.good("✓"), phase)
            }
            Event::Transfer { host, what, done, total } => {
                let percent = total.map_or(0, |total| percent(done, total));
                let text = format!("  {host}: {what} {percent} %");
                if !self.due(&format!("{host}{what}"), &text) {
                    return;
                }
                text
            }
            Event::Waiting { text } => {
                // None is left out for coming soon after another: the last one would never be seen.
                if !self.is_new("waiting", &text) {
                    return;
                }
                format!("  {text}")
            }
            Event::Stage { node, text } => {
                // That a node is further within a stage is not worth a line.
                let stage = text.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '%' | ' '));
                if !self.is_new(&format!("stage of {node}"), stage) {
                    return;
                }
                format!("  {node}: {text}")
            }
            Event::Trouble { what, fix } => format!("{} {what}\n  hint: {fix}", style.bad("trouble:")),
            Event::Warning { text } => format!("{} {text}", style.bad("warning:")),
            Event::Note { text } => format!("{} {text}", style.change("note:")),
            Event::Connected { .. } | Event::Applying { .. } | Event::Output { .. } => return,
        };
        // With stderr gone there is nobody to tell.
        let _ = writeln!(std::io::stderr(), "{line}");
    }

    /// Tells whether a text is another than the last of its kind.
    fn is_new(&self, kind: &str, text: &str) -> bool {
        let Ok(mut said) = self.said.lock() else { return false };
        let last = said.insert(kind.to_owned(), (Instant::now(), text.to_owned()));
        last.is_none_or(|(_, last)| last != text)
    }

    /// Tells whether a line is new and not too soon after the last of its kind.
    fn due(&self, kind: &str, text: &str) -> bool {
        let Ok(mut said) = self.said.lock() else { return false };
        let now = Instant::now();
        if let Some((at, last)) = said.get(kind)
            && (last == text || now.duration_since(*at) < PACE)
        {
            return false;
        }
        said.insert(kind.to_owned(), (now, text.to_owned()));
        true
    }
}

/// Returns how much of `total` is done; hosts tell both.
fn percent(done: u64, total: u64) -> u128 {
    (u128::from(done) * 100).checked_div(u128::from(total)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn any_two_numbers_are_a_percentage() {
        assert_eq!((percent(1, 3), percent(5, 0), percent(u64::MAX, u64::MAX)), (33, 0, 100));
    }
}

//! A terminal: finished phases stay, below them one moving line per host at work.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::{engine::Event, ui::Style};

pub(super) struct Live {
    style: Style,
    bars: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Option<(&'static str, ProgressBar)>,
    title: &'static str,
    hosts: BTreeMap<String, ProgressBar>,
}

impl Live {
    pub(super) fn new(style: Style) -> Self {
        Self { style, bars: MultiProgress::new(), state: Mutex::default() }
    }

    pub(super) fn show(&self, event: Event) {
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Event::Phase { phase, title } => {
                state.clear();
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(spinner("{spinner:.cyan} {msg}  {elapsed:.dim}"));
                bar.set_message(format!("{} {title}", self.style.strong(&format!("{phase:<9}"))));
                bar.enable_steady_tick(Duration::from_millis(120));
                state.phase = Some((phase, bar));
                state.title = title;
            }
            Event::Step { host, index, of, text } => {
                self.host(&mut state, &host).set_message(format!("[{index}/{of}] {text}"));
            }
            Event::Transfer { host, what, done, total } => {
                let amount = indicatif::HumanBytes(done);
                let text = match total {
                    Some(total) => format!("{what} {amount} of {}", indicatif::HumanBytes(total)),
                    None => format!("{what} {amount}"),
                };
                self.host(&mut state, &host).set_message(text);
            }
            Event::Waiting { text } => self.host(&mut state, "cluster").set_message(text),
            Event::Stage { node, text } => self.host(&mut state, &node).set_message(text),
            Event::Trouble { what, fix } => {
                let _ = self.bars.println(format!("{} {what}\n  hint: {fix}", self.style.bad("trouble:")));
            }
            Event::PhaseDone { phase, changed } => {
                let changes = match changed {
                    0 => self.style.faint("nothing to change"),
                    1 => "1 change".to_owned(),
                    many => format!("{many} changes"),
                };
                let title = state.title;
                let elapsed = state.phase.as_ref().map(|(_, bar)| bar.elapsed()).unwrap_or_default();
                state.clear();
                let time = if elapsed.as_secs() > 0 {
                    format!(" in {} s", elapsed.as_secs())
                } else {
                    String::new()
                };
                let line = format!(
                    "{} {} {title} ({changes}{time})",
                    self.style.good("✓"),
                    self.style.strong(&format!("{phase:<9}"))
                );
                let _ = self.bars.println(line);
            }
            Event::Warning { text } => {
                let _ = self.bars.println(format!("{} {text}", self.style.bad("warning:")));
            }
            Event::Note { text } => {
                let _ = self.bars.println(format!("{} {text}", self.style.change("note:")));
            }
            Event::Connected { .. } | Event::Applying { .. } | Event::Output { .. } => {}
        }
    }

    fn host(&self, state: &mut State, host: &str) -> ProgressBar {
        state
            .hosts
            .entry(host.to_owned())
            .or_insert_with(|| {
                let bar = self.bars.add(ProgressBar::new_spinner());
                bar.set_style(spinner("  {prefix:.bold} {wide_msg}"));
                bar.set_prefix(host.to_owned());
                bar
            })
            .clone()
    }
}

impl State {
    fn clear(&mut self) {
        for bar in std::mem::take(&mut self.hosts).into_values() {
            bar.finish_and_clear();
        }
        if let Some((_, bar)) = self.phase.take() {
            bar.finish_and_clear();
        }
    }
}

fn spinner(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

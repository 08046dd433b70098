//! What the user sees while a command runs: live lines on a terminal, plain lines elsewhere.
//!
//! It reads [`Event`]s and writes to stderr; results on stdout are the commands' own.

mod live;
mod plain;
mod style;

use std::{
    io::{IsTerminal, Write},
    sync::Arc,
};

pub use style::{Color, Style};

use crate::{engine::Sink, untrusted};

/// Returns where a command's events go.
#[must_use]
pub fn sink(color: Color, verbose: bool) -> Sink {
    let style = Style::new(color, std::io::stderr().is_terminal());
    if std::io::stderr().is_terminal() && !verbose {
        let live = live::Live::new(style);
        Arc::new(move |event| live.show(event.shown()))
    } else {
        let plain = plain::Plain::new(style, verbose);
        Arc::new(move |event| plain.show(event.shown()))
    }
}

/// Says something on stderr that is not a result.
pub fn say(text: &str) {
    // With stderr gone there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "{}", untrusted::coloured(text));
}

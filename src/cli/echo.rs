//! The terminal's settings, kept while a passphrase is typed unseen.

use std::{
    fs::File,
    sync::{Mutex, PoisonError},
};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};

/// The terminal as it was before the prompt that is open.
static BEFORE: Mutex<Option<(File, Termios)>> = Mutex::new(None);

/// Does something that may turn the terminal's echo off; [`restore`] turns it on again meanwhile.
pub(super) fn guarded<T>(prompt: impl FnOnce() -> T) -> T {
    // What rpassword reads from; without one it asks nothing either.
    let before = File::open("/dev/tty").ok().and_then(|tty| tcgetattr(&tty).ok().map(|seen| (tty, seen)));
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = before;
    let answer = prompt();
    *BEFORE.lock().unwrap_or_else(PoisonError::into_inner) = None;
    answer
}

/// Gives the terminal back as it was, for a process that ends within a prompt.
pub(super) fn restore() {
    if let Some((tty, before)) = &*BEFORE.lock().unwrap_or_else(PoisonError::into_inner) {
        // The process ends either way.
        let _ = tcsetattr(tty, OptionalActions::Now, before);
    }
}

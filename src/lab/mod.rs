//! The rehearsal: real hosts on this one Linux machine, and a stand-in release.

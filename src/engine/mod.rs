//! The loop: probe, changes, apply, probe again, on all hosts at once.

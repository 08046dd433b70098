//! Templates filled strictly: an undefined variable is an error, never an empty string.

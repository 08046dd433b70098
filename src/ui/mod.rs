//! What the user sees while a command runs: bars, plain lines or JSON.

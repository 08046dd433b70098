//! A host over SSH. This room obeys; it does not decide.

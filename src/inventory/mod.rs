//! The YAML as the user wrote it, with the line and column of every field.

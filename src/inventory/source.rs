//! Reading files: the one place of this room that does I/O.

use std::{io, path::Path};

/// Reads files; [`Disk`] in earnest, a map in tests.
pub trait Files {
    /// Returns the whole text of a file.
    ///
    /// # Errors
    /// As [`std::fs::read_to_string`] does.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Tells whether there is such a file.
    fn exists(&self, path: &Path) -> bool;
}

/// The files of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        std::fs::read_to_string(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.is_file()
    }
}

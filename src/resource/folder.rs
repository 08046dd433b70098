//! What lies in a folder that is to be ocp2's own.

use std::collections::{BTreeMap, BTreeSet};

use crate::{command::quote, resource::answer};

/// Most names that a host tells of one folder: enough to say what is there.
const MOST: usize = 64;

/// Returns the probe's source.
///
/// A name may hold anything but `/` and NUL: a line feed in it is shown as `?`, and no name can look
/// like the head of a section.
pub(super) fn ask(folders: &BTreeSet<String>) -> String {
    folders.iter().fold(answer::head("folders"), |source, folder| {
        let folder = quote(folder);
        format!(
            "{source}\nprintf 'folder %s\\n' {folder}; {{ find -H {folder} -mindepth 1 -maxdepth 1 -printf '%f\\0' \
             | head -zn {MOST} | tr '\\n\\0' '?\\n' | sed 's/^/ /'; }} 2>/dev/null || true"
        )
    })
}

/// Reads the probe's answer: the names in each folder, sorted.
pub(super) fn read(section: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut names = None;
    for line in section.lines() {
        if let Some(folder) = line.strip_prefix("folder ") {
            names = Some(folders.entry(folder.to_owned()).or_default());
        } else if let (Some(name), Some(names)) = (line.strip_prefix(' '), &mut names) {
            names.insert(name.to_owned());
        }
    }
    folders
}

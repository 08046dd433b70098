//! Things that take long to build, kept by a hash of all they are built from.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use sha2::{Digest as _, Sha256};

use super::{
    LabError,
    place::Home,
    program::{program, tail},
};

/// Shows a root the folder of this build as /mnt and that of its own build as /srv, and runs the script there.
const IN_ROOT: &str = r#"root=$2/rootfs; mount --bind "$1" "$root/mnt"; mount --bind "$2" "$root/srv"
    mount -t proc proc "$root/proc"; mount --bind /dev "$root/dev"
    shift 2; exec chroot "$root" sh /mnt/parts/build.sh "$@""#;

/// How something is built: a script and the files that lie beside it.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    /// Names the kind; one build of each kind is kept.
    pub kind: &'static str,
    /// All the script reads; `build.sh` is the script.
    pub files: Vec<(&'static str, &'a [u8])>,
    /// Words on the script's command line, before the folder to build in.
    pub arguments: Vec<String>,
    /// The build of a root to run the script in; `None`: on the machine itself.
    pub root: Option<PathBuf>,
}

impl Recipe<'_> {
    /// Returns the folder of the finished build, which takes a while the first time.
    pub fn build(&self, home: &Home, progress: &mut dyn FnMut(&str)) -> Result<PathBuf, LabError> {
        let name = format!("{}-{}", self.kind, self.key());
        let done = home.cache.join(&name);
        if done.is_dir() {
            return Ok(done);
        }
        progress(&format!("building {}, once", self.kind));
        let partial = home.cache.join(format!("{}.partial", self.kind));
        remove(&partial)?;
        let (parts, out) = (partial.join("parts"), partial.join("out"));
        for dir in [&parts, &out] {
            fs::create_dir_all(dir).map_err(LabError::file("write", dir))?;
        }
        for (file, content) in &self.files {
            let path = parts.join(file);
            if let Some(dir) = path.parent() {
                fs::create_dir_all(dir).map_err(LabError::file("write", dir))?;
            }
            fs::write(&path, content).map_err(LabError::file("write", &path))?;
        }
        self.run(&partial, &home.cache.join(format!("{}.log", self.kind)))?;
        self.forget_older(home)?;
        fs::rename(&out, &done).map_err(LabError::file("write", &done))?;
        remove(&partial)?;
        Ok(done)
    }

    fn run(&self, partial: &Path, log: &Path) -> Result<(), LabError> {
        let place = super::place::text(partial);
        // A mount namespace of its own: what the script mounts is gone with it, whatever happens.
        let mut command = match &self.root {
            None => program(&["unshare", "--mount", "sh", &format!("{place}/parts/build.sh")]),
            Some(root) => program(&[
                "unshare",
                "--mount",
                "sh",
                "-euc",
                IN_ROOT,
                "sh",
                &place,
                &super::place::text(root),
            ]),
        };
        let out = if self.root.is_some() { "/mnt/out".to_owned() } else { format!("{place}/out") };
        let file = fs::File::create(log).map_err(LabError::file("write", log))?;
        let same = file.try_clone().map_err(LabError::file("write", log))?;
        command.args(&self.arguments).arg(out);
        command.env("DEBIAN_FRONTEND", "noninteractive").env("LC_ALL", "C.UTF-8");
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        let status = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(same)
            .status()
            .map_err(|source| LabError::Start { command: format!("building {}", self.kind), source })?;
        if status.success() {
            return Ok(());
        }
        Err(LabError::Build { what: self.kind.to_owned(), status, tail: tail(log), log: log.to_owned() })
    }

    /// Removes the builds of older recipes; nothing uses them, for only `up` builds.
    fn forget_older(&self, home: &Home) -> Result<(), LabError> {
        let mine = format!("{}-", self.kind);
        for entry in fs::read_dir(&home.cache).map_err(LabError::file("read", &home.cache))?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(&mine) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn key(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &[u8]| {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        };
        for (name, content) in &self.files {
            add(name.as_bytes());
            add(content);
        }
        for argument in &self.arguments {
            add(argument.as_bytes());
        }
        // A root's own name carries the hash of what it was built from.
        add(self.root.as_deref().unwrap_or(Path::new("")).as_os_str().as_encoded_bytes());
        data_encoding::HEXLOWER.encode(&hash.finalize()[..8])
    }
}

/// Removes a folder, if it is there.
pub(super) fn remove(path: &Path) -> Result<(), LabError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(LabError::file("remove", path)(error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe<'a>(content: &'a [u8], argument: &str) -> Recipe<'a> {
        Recipe {
            kind: "thing",
            files: vec![("build.sh", content)],
            arguments: vec![argument.into()],
            root: None,
        }
    }

    #[test]
    fn a_changed_file_or_argument_is_another_build() {
        let base = recipe(b"exit 0", "a").key();
        assert_eq!(base, recipe(b"exit 0", "a").key());
        assert_ne!(base, recipe(b"exit 1", "a").key());
        assert_ne!(base, recipe(b"exit 0", "b").key());
    }

    #[test]
    fn a_build_happens_once_and_replaces_the_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home { state: dir.path().join("state"), cache: dir.path().to_owned() };
        let script = b"echo \"$1\" > \"$2/made\"";
        let mut said = Vec::new();
        let mut progress = |line: &str| said.push(line.to_owned());
        let first = recipe(script, "a").build(&home, &mut progress).unwrap();
        assert_eq!(recipe(script, "a").build(&home, &mut progress).unwrap(), first);
        let second = recipe(script, "b").build(&home, &mut progress).unwrap();
        assert_eq!(fs::read_to_string(second.join("made")).unwrap(), "b\n");
        assert!(!first.exists());
        assert_eq!(said.len(), 2);
    }

    #[test]
    fn a_failed_build_shows_the_end_of_its_log_and_leaves_nothing_finished() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home { state: dir.path().join("state"), cache: dir.path().to_owned() };
        let error = recipe(b"echo no such suite >&2; exit 7", "a").build(&home, &mut |_| ()).unwrap_err();
        assert!(error.to_string().contains("no such suite"), "{error}");
        assert!(
            !fs::read_dir(dir.path())
                .unwrap()
                .flatten()
                .any(|e| e.file_name().to_string_lossy().starts_with("thing-"))
        );
    }
}

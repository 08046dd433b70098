//! The proof of what a mirror has: the signature of its checksum file, verified on the host that downloads.

use data_encoding::BASE64;

use crate::cluster::MirrorKey;

/// The file that says that there was no signature.
pub(super) const UNPROVED: &str = "unproved";

/// `proved URL FILE`, in a folder of its own: `FILE` came from `URL`; afterwards it holds what was signed.
///
/// OpenShift's mirror has it as `sha256sum.txt.gpg`, and had it as `.sig`. It may be a message with the text
/// in it, whose text then counts and not the file, or a signature beside the text. gpgv is content with keys
/// and signatures that have expired; this is not.
const PROVED: &str = r#"
right() {
  local said
  said=$(gpgv --status-fd 1 --keyring "$PWD/keys.gpg" "$@" 2>>gpgv.said) || return 1
  grep -q '^\[GNUPG:\] VALIDSIG ' <<<"$said" || return 1
  ! grep -E '^\[GNUPG:\] (EXPSIG|EXPKEYSIG|REVKEYSIG) ' <<<"$said" >>gpgv.said
}
proved() {
  local end status=0
  rm -f signature signed unproved gpgv.said
  base64 -d <<<"$keys" >keys.gpg
  for end in gpg sig; do
    status=0
    fetch -o signature "$1.$end" 2>fetch.said || status=$?
    [ $status != 0 ] || break
    # Of anything but "there is none", nothing is known.
    [ $status = 22 ] || { cat fetch.said; echo "$1.$end cannot be downloaded"; exit 1; }
  done
  if [ $status != 0 ] && [ "$signed" = required ]; then
    echo "$1 has no signature beside it ($1.gpg): nothing proves what this mirror has"; exit 1
  elif [ $status != 0 ]; then
    : >unproved
  elif right signature "$2"; then
    :
  elif right --output signed signature; then
    mv -f signed "$2"
  else
    rm -f "$2"
    echo "the signature of $1 is not right:"; tail -n 8 gpgv.said; exit 1
  fi
  rm -f signature signed keys.gpg gpgv.said fetch.said
}
"#;

/// Returns source that makes the function `proved`, for the mirror with this key; it needs `fetch`.
pub(super) fn proving(key: &MirrorKey) -> String {
    let signed = if key.required { "required" } else { "welcome" };
    let keys = BASE64.encode(&key.keyring);
    format!("signed={signed} keys={keys}\n{}", PROVED.trim())
}

#[cfg(test)]
mod tests {
    use std::{path::Path, process::Command};

    use super::*;
    use crate::inventory::keyring;

    /// Makes three keys in `$PWD/gnupg`, one of which has expired, and what they have signed.
    const SIGNED: &str = r#"
set -eu
export GNUPGHOME=$PWD/gnupg LC_ALL=C
mkdir -m 700 gnupg mirror
gpg() { command gpg --batch --quiet --yes --passphrase '' "$@" 2>>said; }
then="--faked-system-time 20200102T000000!"
gpg --quick-generate-key ours ed25519 sign never
gpg --quick-generate-key theirs ed25519 sign never
gpg $then --quick-generate-key old ed25519 sign 2020-06-01
for key in ours old; do gpg --armor --export "$key" >"$key.asc"; done
echo 'the right sums' >sums
gpg -u ours --output inside.ours --sign sums
gpg -u ours --output beside.ours --detach-sign sums
gpg -u theirs --output inside.theirs --sign sums
gpg -u theirs --output beside.theirs --detach-sign sums
gpg $then -u old --output beside.old --detach-sign sums
gpgconf --kill all
"#;

    /// Has a mirror whose files are in a folder; those that are called `down` cannot be asked for.
    const MIRROR: &str = r#"
set -eu -o pipefail
fetch() {
  local file=${3##*/}
  case $file in down*) echo 'curl: (7) no answer' >&2; return 7 ;; esac
  [ -e "mirror/$file" ] || { echo 'curl: (22) 404' >&2; return 22; }
  cp "mirror/$file" "$2"
}
"#;

    fn bash(folder: &Path, source: &str) -> (bool, String) {
        let done = Command::new("bash").args(["-c", source]).current_dir(folder).output().unwrap();
        let text = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8(text).unwrap())
    }

    #[test]
    fn a_checksum_file_is_what_the_right_key_has_signed() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert_eq!(bash(folder, SIGNED), (true, String::new()));
        let key = |name: &str, required| {
            let text = std::fs::read_to_string(folder.join(format!("{name}.asc"))).unwrap();
            MirrorKey { keyring: keyring(&text).unwrap(), required }
        };
        // What is put beside `sums`, by which name, and what the file says that came.
        let proved = |key: &MirrorKey, signature: Option<(&str, &str)>, file: &str, name: &str| {
            let put =
                signature.map_or_else(String::new, |(from, end)| format!("cp {from} mirror/{name}.{end}"));
            let source = format!(
                "{MIRROR}{}\nrm -f mirror/*; {put}\necho '{file}' >got\nproved https://mirror/{name} got\ncat got; ls unproved 2>&-",
                proving(key)
            );
            bash(folder, &source)
        };
        let (ours, welcome, old) = (key("ours", true), key("ours", false), key("old", true));
        let right = "the right sums";
        for (signature, end, came) in [
            ("beside.ours", "gpg", right),
            ("beside.ours", "sig", right),
            ("inside.ours", "gpg", right),
            // The signed text is what counts.
            ("inside.ours", "gpg", "forged sums"),
        ] {
            for key in [&ours, &welcome] {
                let (_, said) = proved(key, Some((signature, end)), came, "sums");
                assert_eq!(said, format!("{right}\n"), "{signature} as {end}");
            }
        }
        let refused = |key: &MirrorKey, signature, file, name, reason: &str| {
            let (done, said) = proved(key, signature, file, name);
            assert!(!done && said.contains(reason), "{signature:?}: {said}");
            assert!(!said.lines().any(|line| line.ends_with("sums")), "{signature:?}: {said}");
        };
        let wrong = "the signature of https://mirror/sums is not right";
        for key in [&ours, &welcome] {
            for signature in ["beside.theirs", "inside.theirs", "sums"] {
                refused(key, Some((signature, "gpg")), right, "sums", wrong);
            }
            refused(key, Some(("beside.ours", "gpg")), "forged sums", "sums", wrong);
            // Where it cannot be asked for, it may be there.
            refused(key, None, right, "down", "https://mirror/down.gpg cannot be downloaded");
        }
        refused(&old, Some(("beside.old", "gpg")), right, "sums", "EXPKEYSIG");
        refused(&ours, None, right, "sums", "https://mirror/sums has no signature beside it");
        assert_eq!(proved(&welcome, None, right, "sums"), (true, format!("{right}\nunproved\n")));
    }
}

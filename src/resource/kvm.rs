//! The proof that a host runs KVM guests.

use crate::{
    command::{Script, quote},
    resource::{Change, Facts, Questions},
};

/// Proof by a guest of 512 bytes: /dev/kvm may exist, and even make a VM, on a machine where guests hang.
///
/// The guest is a boot sector that writes to QEMU's debug-exit port, which
/// ends QEMU with status 33. That it ran is kept with the kernel's release, and tried again when another
/// kernel runs. That it did not is kept for this boot and this /dev/kvm alone: firmware and modules change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvmProof {
    /// File that keeps the outcome.
    pub path: String,
}

/// Shell source that sets `boot` to the id of this boot, marked where there is a /dev/kvm.
pub(super) const BOOT: &str =
    "read -r boot < /proc/sys/kernel/random/boot_id; if [ -e /dev/kvm ]; then boot+=+kvm; fi";

impl KvmProof {
    /// Reads the kept outcome; `None` where there is none that still counts.
    #[must_use]
    pub fn outcome(&self, facts: &Facts) -> Option<bool> {
        match facts.text(&self.path)?.trim().split_once(' ')? {
            (kernel, "yes") if kernel == facts.system.kernel => Some(true),
            (boot, "no") if boot == facts.system.boot => Some(false),
            _ => None,
        }
    }

    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.files.insert(self.path.clone());
    }

    /// Returns the change that makes the proof, where there is none.
    #[must_use]
    pub fn changes(&self, facts: &Facts) -> Vec<Change> {
        if self.outcome(facts).is_some() {
            return Vec::new();
        }
        let path = quote(&self.path);
        let folder = self.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        // mov dx,0xf4; mov al,0x10; out dx,al; hlt — then the signature 55 aa.
        let script = Script::new()
            .line("guest=$(mktemp); trap 'rm -f \"$guest\"' EXIT")
            .line(r"{ printf '\272\364\000\260\020\356\364'; head -c 503 /dev/zero; printf '\125\252'; } > $guest")
            .line("qemu=$(command -v qemu-system-x86_64 || echo /usr/libexec/qemu-kvm); outcome=no; status=0")
            .line(
                "[ -e /dev/kvm ] && { timeout -k 1 10 $qemu -nodefaults -display none -machine accel=kvm -cpu host \
                 -m 16 -device isa-debug-exit,iobase=0xf4,iosize=4 -drive file=$guest,format=raw >/dev/null 2>&1 || status=$?; }",
            )
            .line("[ $status = 33 ] && outcome=yes")
            .line(format_args!("install -d -m 755 {}", quote(folder)))
            .line(BOOT)
            .line(format_args!(
                "if [ $outcome = yes ]; then echo \"$(uname -r) yes\"; else echo \"$boot no\"; fi > {path}"
            ))
            .line("rm -f \"$guest\"; trap - EXIT");
        vec![Change::shell("proof of KVM".into(), "run a guest of one sector", script)]
    }
}

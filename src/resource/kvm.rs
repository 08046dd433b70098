//! The proof that a host runs KVM guests.

use crate::{
    command::{Script, quote},
    resource::{Change, Facts, Questions},
};

/// Proof by a guest of 512 bytes: /dev/kvm may exist, and even make a VM, on a machine where guests hang.
///
/// The guest is a boot sector that writes to QEMU's debug-exit port, which
/// ends QEMU with status 33. The outcome is kept with the kernel's release
/// and asked for again when another kernel runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KvmProof {
    /// File that keeps the outcome.
    pub path: String,
}

impl KvmProof {
    /// Reads the kept outcome; `None` where there is none for the running kernel.
    #[must_use]
    pub fn outcome(&self, facts: &Facts) -> Option<bool> {
        let (kernel, outcome) = facts.text(&self.path)?.trim().split_once(' ')?;
        (kernel == facts.system.kernel).then_some(outcome == "yes")
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
            .line(format_args!("echo \"$(uname -r) $outcome\" > {path}"))
            .line("rm -f \"$guest\"; trap - EXIT");
        vec![Change::shell("proof of KVM".into(), "run a guest of one sector", script)]
    }
}

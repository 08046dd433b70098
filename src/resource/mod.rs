//! What can be wanted on a host, one file per kind.
//!
//! A resource knows how it is asked about, how the answer reads, and which
//! [`Change`]s lead from what was seen to what is wanted. All of it is pure;
//! [`crate::host`] carries it out.

mod answer;
mod before;
mod boolean;
mod bridge;
mod change;
mod conflict;
mod domain;
mod entries;
mod facts;
mod fdb;
mod file;
mod filter;
mod firewall;
mod folder;
pub mod hypervisor;
mod hypervisor_answer;
mod iptables;
mod kvm;
mod label;
mod link;
mod nft_table;
mod owned;
mod ownership_record;
mod package;
mod packet;
mod pool;
mod questions;
mod retired;
mod ruleset;
mod setting;
mod socket;
mod system;
mod unit;
mod volume;
mod vxlan;
mod xml;

pub use boolean::Boolean;
pub use bridge::Bridge;
pub use change::{Action, Change, Detail};
pub use conflict::Conflict;
pub use domain::Domain;
pub use entries::Entries;
pub use facts::{Facts, FactsError};
pub use fdb::{FdbSeen, Peers};
pub use file::{File, FileSeen, sha256};
pub use filter::{Chain, End, Filter, Hook, Rule, Verdict};
pub use firewall::Firewall;
pub use iptables::{NOT_OF_IPTABLES, PATIENCE};
pub use kvm::KvmProof;
pub use label::Label;
pub use link::{LinkSeen, RouteSeen};
pub use nft_table::NftTable;
pub use owned::{Kind, Owned, RecordError, read_record, record_path, record_text};
pub use ownership_record::{Record, rewriting, writing_down};
pub use package::{Manager, Package, PackageSeen};
pub use packet::{Field, Match, Packet, Protocol, Share};
pub use pool::Pool;
pub use questions::{Questions, Scope};
pub use retired::Retired;
pub use setting::Setting;
pub use socket::{Listener, SocketSeen};
pub use system::System;
pub use unit::{Reload, Stamp, Unit, UnitSeen};
pub use volume::Volume;
pub use vxlan::Vxlan;
pub use xml::Unreadable;

/// One thing wanted on a host.
#[derive(Debug, Clone)]
pub enum Resource {
    /// The record of what is ours, where an earlier version has kept none.
    Record(Record),
    /// A package of the host's distribution.
    Package(Package),
    /// A switch of SELinux's policy.
    Boolean(Boolean),
    /// The SELinux label of a folder.
    Label(Label),
    /// A file with its whole content.
    File(File),
    /// A kernel setting (sysctl).
    Setting(Setting),
    /// A bridge with its address.
    Bridge(Bridge),
    /// A VXLAN link in a bridge.
    Vxlan(Vxlan),
    /// The peers that a tunnel floods to.
    Peers(Peers),
    /// A table of nftables.
    NftTable(NftTable),
    /// Entries of ours in a firewall that is not ours.
    Entries(Entries),
    /// A systemd unit, enabled and running.
    Unit(Unit),
    /// Ports that must be free, or ours.
    Listener(Listener),
    /// The proof that the host runs KVM guests.
    KvmProof(KvmProof),
    /// A storage pool.
    Pool(Pool),
    /// A volume in a pool.
    Volume(Volume),
    /// A virtual machine.
    Domain(Box<Domain>),
    /// A virtual machine that is wanted no more.
    Retired(Retired),
}

impl Resource {
    /// Adds what has to be asked on the host to know about this resource.
    pub fn ask(&self, questions: &mut Questions) {
        match self {
            Self::Record(it) => it.ask(questions),
            Self::Package(it) => it.ask(questions),
            Self::Boolean(it) => it.ask(questions),
            Self::Label(it) => it.ask(questions),
            Self::File(it) => it.ask(questions),
            Self::Setting(it) => it.ask(questions),
            Self::NftTable(it) => it.ask(questions),
            Self::Entries(it) => it.ask(questions),
            Self::Unit(it) => it.ask(questions),
            Self::KvmProof(it) => it.ask(questions),
            Self::Pool(it) => it.ask(questions),
            Self::Volume(it) => it.ask(questions),
            Self::Retired(it) => it.ask(questions),
            // Links, sockets and domains are always told whole.
            Self::Bridge(_) | Self::Vxlan(_) | Self::Peers(_) | Self::Listener(_) | Self::Domain(_) => {}
        }
    }

    /// Returns the changes that lead from `facts` to this resource; none where it is as wanted.
    ///
    /// # Errors
    /// Returns a [`Conflict`] where the place is taken by something that is not ocp2's.
    pub fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Conflict> {
        match self {
            Self::Record(it) => Ok(it.changes(facts)),
            Self::Package(it) => Ok(it.changes(facts)),
            Self::Boolean(it) => Ok(it.changes(facts)),
            Self::Label(it) => Ok(it.changes(facts)),
            Self::File(it) => Ok(it.changes(facts)),
            Self::Setting(it) => Ok(it.changes(facts)),
            Self::Bridge(it) => it.changes(facts),
            Self::Vxlan(it) => it.changes(facts),
            Self::Peers(it) => Ok(it.changes(facts)),
            Self::NftTable(it) => Ok(it.changes(facts)),
            Self::Entries(it) => Ok(it.changes(facts)),
            Self::Unit(it) => Ok(it.changes(facts)),
            Self::Listener(it) => it.changes(facts),
            Self::KvmProof(it) => Ok(it.changes(facts)),
            Self::Pool(it) => it.changes(facts),
            Self::Volume(it) => Ok(it.changes(facts)),
            Self::Domain(it) => Ok(written_down(&it.name, it.changes(facts)?)),
            Self::Retired(it) => Ok(it.changes(facts)),
        }
    }
}

/// Says of the call that defines a domain what it makes.
fn written_down(domain: &str, mut changes: Vec<Change>) -> Vec<Change> {
    let defines = |change: &&mut Change| {
        matches!(change.action, Action::Hypervisor(hypervisor::Call::DefineDomain { .. }))
    };
    if let Some(define) = changes.iter_mut().find(defines) {
        define.makes.push(Owned::new(Kind::Domain, domain));
    }
    changes
}

//! The storage pool: a folder that libvirt keeps.

use std::path::Path;

use crate::resource::{
    Change, Conflict, Facts, Kind, Owned, Questions,
    hypervisor::{Call, PoolSeen},
    xml::Element,
};

/// Tells whether two texts spell the same path.
fn is_same(one: &str, other: &str) -> bool {
    Path::new(one).components().eq(Path::new(other).components())
}

/// A storage pool over a folder, running and autostarted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Its name, `ocp2-CLUSTER`.
    pub name: String,
    /// Its folder.
    pub path: String,
    /// Its XML description.
    pub xml: String,
}

impl Pool {
    pub(super) fn ask(&self, questions: &mut Questions) {
        questions.pools.insert(self.name.clone());
    }

    /// Returns the changes from `facts` to this pool.
    ///
    /// # Errors
    /// Returns a [`Conflict`] where another pool keeps the folder, or the name keeps another folder.
    pub fn changes(&self, facts: &Facts) -> Result<Vec<Change>, Conflict> {
        let pools = facts.hypervisor.as_ref().map(|seen| seen.pools.as_slice()).unwrap_or_default();
        let keeps_folder = |pool: &&PoolSeen| match Element::read(&pool.xml) {
            Ok(xml) => xml.at(&["target", "path"]).is_some_and(|path| is_same(&path.text(), &self.path)),
            // What cannot be read may keep any folder that it names.
            Err(_) => pool.xml.contains(&self.path),
        };
        if let Some(other) = pools.iter().find(|pool| pool.name != self.name && keeps_folder(pool)) {
            return Err(self.conflict(format!("pool {} keeps the folder {}", other.name, self.path)));
        }
        let pool = || self.name.clone();
        let step =
            |summary: &str, call: Call| Change::hypervisor(format!("pool {}", self.name), summary, call);
        let Some(seen) = pools.iter().find(|pool| pool.name == self.name) else {
            let made = [Owned::new(Kind::Pool, &self.name), Owned::new(Kind::Folder, &self.path)];
            return Ok(vec![
                step("define", Call::DefinePool { xml: self.xml.clone() }).making(made),
                step("build", Call::BuildPool { pool: pool() }),
                step("start", Call::StartPool { pool: pool() }),
                step("autostart", Call::AutostartPool { pool: pool(), on: true }),
            ]);
        };
        if let Err(reason) = Element::read(&seen.xml) {
            return Err(self.conflict(format!("a pool whose description cannot be read: {reason}")));
        }
        if !keeps_folder(&seen) {
            return Err(self.conflict("a pool over another folder".into()));
        }
        let mut changes = Vec::new();
        if !seen.active {
            changes.push(step("start", Call::StartPool { pool: pool() }));
        }
        if !seen.autostart {
            changes.push(step("autostart", Call::AutostartPool { pool: pool(), on: true }));
        }
        Ok(changes)
    }

    fn conflict(&self, found: String) -> Conflict {
        let fix = "choose another machines.pool in the inventory, or remove that pool".into();
        Conflict { resource: format!("pool {}", self.name), found, fix }
    }
}

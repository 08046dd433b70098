//! Calls that change something on libvirt's side.

use std::{thread, time::Duration};

use virt::{
    connect::Connect,
    domain::Domain,
    error::{Error as Failure, ErrorNumber},
    storage_pool::StoragePool,
    storage_vol::StorageVol,
};
use virt_sys as sys;

use crate::resource::hypervisor::Call;

/// What goes with a domain: nothing of ours keeps a libvirt from forgetting one.
const UNDEFINE: sys::virDomainUndefineFlagsValues = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
    | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
    | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
    | sys::VIR_DOMAIN_UNDEFINE_NVRAM;

/// The size of a disk is told in bytes, not KiB.
const BYTES: u32 = sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES;

/// How often, and with which pause, a start is tried again.
const STARTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// Makes a call.
pub(super) fn make(connect: &Connect, call: &Call) -> Result<(), Failure> {
    let pool = |name: &str| connect.lookup_storage_pool_by_name(name);
    let domain = |name: &str| connect.lookup_domain_by_name(name);
    match call {
        Call::DefinePool { xml } => connect.define_storage_pool_xml(xml, 0).map(drop),
        Call::BuildPool { pool: name } => pool(name)?.build(0),
        Call::StartPool { pool: name } => start_pool(&pool(name)?),
        Call::AutostartPool { pool: name, on } => pool(name)?.set_autostart(*on),
        Call::RefreshPool { pool: name } => pool(name)?.refresh(0),
        Call::StopPool { pool: name } => gone(pool(name).and_then(|pool| stop_pool(&pool))),
        Call::UndefinePool { pool: name } => gone(pool(name).and_then(|pool| pool.undefine())),
        Call::CreateVolume { pool: name, xml } => StorageVol::create_xml(&pool(name)?, xml, 0).map(drop),
        Call::GrowVolume { pool: name, volume, capacity, domain: user } => {
            let volume = pool(name)?.lookup_storage_vol_by_name(volume)?;
            match domain(user) {
                // Its QEMU grows the file, and its system sees the new size at once.
                Ok(user) if user.is_active()? => user.block_resize(&volume.path()?, *capacity, BYTES),
                _ => volume.resize(*capacity, 0),
            }
        }
        Call::DeleteVolume { pool: name, volume } => gone(
            pool(name).and_then(|pool| pool.lookup_storage_vol_by_name(volume)).and_then(|v| v.delete(0)),
        ),
        // Without the flag, what the schema does not know is dropped in silence.
        Call::DefineDomain { xml } => {
            connect.define_domain_xml_flags(xml, sys::VIR_DOMAIN_DEFINE_VALIDATE).map(drop)
        }
        Call::AutostartDomain { domain: name, on } => domain(name)?.set_autostart(*on),
        Call::StartDomain { domain: name } => start_domain(&domain(name)?),
        Call::ResumeDomain { domain: name } => resume_domain(&domain(name)?),
        Call::ShutdownDomain { domain: name } => {
            unless_off(&domain(name)?, |domain| domain.shutdown().map(drop))
        }
        Call::RebootDomain { domain: name } => domain(name)?.reboot(0),
        Call::DestroyDomain { domain: name } => {
            gone(domain(name).and_then(|domain| unless_off(&domain, Domain::destroy)))
        }
        Call::UndefineDomain { domain: name } => {
            gone(domain(name).and_then(|domain| domain.undefine_flags(UNDEFINE)))
        }
    }
}

/// What is removed already needs no removing.
fn gone(result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(failure)
            if failure.code().is_any(vec![
                ErrorNumber::NoDomain,
                ErrorNumber::NoStoragePool,
                ErrorNumber::NoStorageVolume,
            ]) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// Forgives a call that was not valid, if what it was for is so already: somebody was quicker.
fn unless(
    result: Result<(), Failure>,
    already: impl FnOnce() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    match result {
        Err(failure)
            if failure.code().is(ErrorNumber::OperationInvalid) && already().is_ok_and(|yes| yes) =>
        {
            Ok(())
        }
        other => other,
    }
}

fn start_pool(pool: &StoragePool) -> Result<(), Failure> {
    unless(pool.create(0), || pool.is_active())
}

fn stop_pool(pool: &StoragePool) -> Result<(), Failure> {
    unless(pool.destroy(), || pool.is_active().map(|active| !active))
}

/// Starts a domain; where systemd has not yet let go of what it ran in before, a little later.
///
/// That is a scope named after the domain and its number, and libvirtd counts from one again when
/// it is restarted: "UnitExists" for the moment until systemd has seen the old QEMU's end.
fn start_domain(domain: &Domain) -> Result<(), Failure> {
    for _ in 0..STARTS {
        match unless(domain.create(), || domain.is_active()) {
            Err(failure) if failure.message().contains("UnitExists") => thread::sleep(PAUSE),
            other => return other,
        }
    }
    unless(domain.create(), || domain.is_active())
}

fn resume_domain(domain: &Domain) -> Result<(), Failure> {
    let running = || domain.info().map(|info| info.state.to_raw() == sys::VIR_DOMAIN_RUNNING);
    unless(domain.resume().map(drop), running)
}

fn unless_off(domain: &Domain, call: impl FnOnce(&Domain) -> Result<(), Failure>) -> Result<(), Failure> {
    unless(call(domain), || domain.is_active().map(|active| !active))
}

/// Says what a call is for, as the middle of a sentence.
pub(super) fn describe(call: &Call) -> String {
    match call {
        Call::DefinePool { .. } => String::from("defining a pool"),
        Call::BuildPool { pool } => format!("making the folder of pool {pool}"),
        Call::StartPool { pool } => format!("starting pool {pool}"),
        Call::AutostartPool { pool, on } => format!("turning autostart of pool {pool} {}", switch(*on)),
        Call::RefreshPool { pool } => format!("reading pool {pool} anew"),
        Call::StopPool { pool } => format!("stopping pool {pool}"),
        Call::UndefinePool { pool } => format!("removing pool {pool}"),
        Call::CreateVolume { pool, .. } => format!("making a volume in pool {pool}"),
        Call::GrowVolume { pool, volume, capacity, .. } => {
            format!("growing volume {volume} of pool {pool} to {capacity} bytes")
        }
        Call::DeleteVolume { pool, volume } => format!("deleting volume {volume} of pool {pool}"),
        Call::DefineDomain { .. } => String::from("defining a domain"),
        Call::AutostartDomain { domain, on } => {
            format!("turning autostart of domain {domain} {}", switch(*on))
        }
        Call::StartDomain { domain } => format!("starting domain {domain}"),
        Call::ResumeDomain { domain } => format!("resuming domain {domain}"),
        Call::ShutdownDomain { domain } => format!("shutting down domain {domain}"),
        Call::RebootDomain { domain } => format!("rebooting domain {domain}"),
        Call::DestroyDomain { domain } => format!("cutting the power of domain {domain}"),
        Call::UndefineDomain { domain } => format!("removing domain {domain}"),
    }
}

fn switch(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

//! What libvirt has, in as few round trips as it takes.
//!
//! Calls made at once from several threads travel together on one libvirt connection. State and
//! autostart of all domains come with filtered lists, one each, instead of two calls a domain:
//! five lists, then all descriptions, then all sizes make three round trips, however many domains
//! there are.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    thread,
};

use virt::{
    connect::Connect, domain::Domain, error::Error as Failure, storage_pool::StoragePool,
    storage_vol::StorageVol,
};
use virt_sys as sys;

use crate::resource::hypervisor::{DomainSeen, DomainState, PoolSeen, Seen, VolumeSeen};

/// Threads at once.
const AT_ONCE: usize = 16;

/// Calls at once. libvirtd takes five from a client by default (`max_client_requests`), and the
/// fifth already earns a warning in the host's journal.
const CALLS: usize = 4;

/// Lets no more than [`CALLS`] calls be under way.
struct Turns {
    free: Mutex<usize>,
    freed: Condvar,
}

impl Turns {
    fn new() -> Self {
        Self { free: Mutex::new(CALLS), freed: Condvar::new() }
    }

    fn call<R>(&self, call: impl FnOnce() -> R) -> R {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
        drop(free);
        let result = call();
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
        result
    }
}

/// The lists, each of which says something about its members.
struct Lists {
    autostarted: Vec<Domain>,
    others: Vec<Domain>,
    /// Paused, suspended, crashed: running in name only.
    halted: Vec<Domain>,
    active: Vec<StoragePool>,
    inactive: Vec<StoragePool>,
}

/// Looks at everything.
pub(super) fn look(connect: &Connect, pools: &[String]) -> Result<Seen, Failure> {
    let turns = &Turns::new();
    let lists = Lists::fetch(connect, turns)?;
    let halted = lists.halted.iter().map(Domain::uuid_string).collect::<Result<Vec<_>, _>>()?;
    let wanted = |pool: &StoragePool| pool.name().is_ok_and(|name| pools.contains(&name));
    let domains: Vec<_> = (lists.autostarted.iter().map(|domain| (domain, true)))
        .chain(lists.others.iter().map(|domain| (domain, false)))
        .collect();
    let all: Vec<_> = (lists.active.iter().map(|pool| (pool, true)))
        .chain(lists.inactive.iter().map(|pool| (pool, false)))
        .collect();
    let running: Vec<_> = lists.active.iter().filter(|pool| wanted(pool)).collect();

    let (domains, (all, volumes)) = thread::scope(|scope| {
        let domains = scope
            .spawn(|| each(&domains, |(domain, autostart)| describe(turns, domain, *autostart, &halted)));
        let pools = scope.spawn(|| each(&all, |(pool, active)| pool_seen(turns, pool, *active)));
        let volumes = each(&running, |pool| volumes(turns, pool));
        (joined(domains.join()), (joined(pools.join()), volumes))
    });
    let volumes: Vec<_> = volumes?.into_iter().flatten().collect();
    let volumes = each(&volumes, |(pool, volume)| volume_seen(turns, pool, volume))?;
    let mut seen = Seen {
        pools: all?,
        volumes: volumes.into_iter().flatten().collect(),
        domains: domains?.into_iter().flatten().collect(),
    };
    // The lists come in an order of libvirt's own.
    seen.pools.sort_by(|a, b| a.name.cmp(&b.name));
    seen.volumes.sort_by(|a, b| (&a.pool, &a.name).cmp(&(&b.pool, &b.name)));
    seen.domains.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(seen)
}

impl Lists {
    fn fetch(connect: &Connect, turns: &Turns) -> Result<Self, Failure> {
        let domains = |flags| move || turns.call(|| connect.list_all_domains(flags));
        let pools = |flags| move || turns.call(|| connect.list_all_storage_pools(flags));
        thread::scope(|scope| {
            let autostarted = scope.spawn(domains(sys::VIR_CONNECT_LIST_DOMAINS_AUTOSTART));
            let others = scope.spawn(domains(sys::VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART));
            let halted = scope
                .spawn(domains(sys::VIR_CONNECT_LIST_DOMAINS_PAUSED | sys::VIR_CONNECT_LIST_DOMAINS_OTHER));
            let active = scope.spawn(pools(sys::VIR_CONNECT_LIST_STORAGE_POOLS_ACTIVE));
            let inactive = pools(sys::VIR_CONNECT_LIST_STORAGE_POOLS_INACTIVE)();
            Ok(Self {
                autostarted: joined(autostarted.join())?,
                others: joined(others.join())?,
                halted: joined(halted.join())?,
                active: joined(active.join())?,
                inactive: inactive?,
            })
        })
    }
}

/// A domain that is undefined while we look has simply not been seen.
fn describe(
    turns: &Turns,
    domain: &Domain,
    autostart: bool,
    halted: &[String],
) -> Result<Option<DomainSeen>, Failure> {
    let (name, uuid) = (domain.name()?, domain.uuid_string()?);
    // A domain that is off has no id: this is no call.
    let on = domain.id().is_some();
    let described = both(
        || turns.call(|| domain.xml_desc(sys::VIR_DOMAIN_XML_INACTIVE)),
        || if on { turns.call(|| domain.xml_desc(0)).map(Some) } else { Ok(None) },
    );
    let (xml, live) = match described {
        Err(failure) if failure.code().is(virt::error::ErrorNumber::NoDomain) => return Ok(None),
        other => other?,
    };
    let state = match on {
        false => DomainState::Off,
        true if halted.contains(&uuid) => halted_state(turns, domain),
        true => DomainState::Running,
    };
    Ok(Some(DomainSeen { name, uuid, state, autostart, xml, live }))
}

fn halted_state(turns: &Turns, domain: &Domain) -> DomainState {
    match turns.call(|| domain.info()).map(|info| info.state.to_raw()) {
        Ok(sys::VIR_DOMAIN_CRASHED | sys::VIR_DOMAIN_SHUTOFF) => DomainState::Off,
        Ok(sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED) => DomainState::Paused,
        _ => DomainState::Running,
    }
}

fn pool_seen(turns: &Turns, pool: &StoragePool, active: bool) -> Result<PoolSeen, Failure> {
    let (xml, autostart) = both(|| turns.call(|| pool.xml_desc(0)), || turns.call(|| pool.autostart()))?;
    Ok(PoolSeen { name: pool.name()?, active, autostart, xml })
}

fn volumes(turns: &Turns, pool: &StoragePool) -> Result<Vec<(String, StorageVol)>, Failure> {
    let name = pool.name()?;
    Ok(turns.call(|| pool.list_all_volumes(0))?.into_iter().map(|volume| (name.clone(), volume)).collect())
}

/// A volume that is deleted while we look has simply not been seen.
fn volume_seen(turns: &Turns, pool: &str, volume: &StorageVol) -> Result<Option<VolumeSeen>, Failure> {
    match both(|| turns.call(|| volume.path()), || turns.call(|| volume.info())) {
        Ok((path, info)) => Ok(Some(VolumeSeen {
            pool: pool.to_owned(),
            name: volume.name()?,
            path,
            capacity: info.capacity,
        })),
        Err(failure) if failure.code().is(virt::error::ErrorNumber::NoStorageVolume) => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Makes two calls at once.
fn both<A: Send, B>(
    first: impl FnOnce() -> Result<A, Failure> + Send,
    second: impl FnOnce() -> Result<B, Failure>,
) -> Result<(A, B), Failure> {
    thread::scope(|scope| {
        let first = scope.spawn(first);
        let second = second();
        Ok((joined(first.join())?, second?))
    })
}

/// Makes a call for each item, many at once; the results are in the items' order.
fn each<T: Sync, R: Send>(
    items: &[T],
    call: impl Fn(&T) -> Result<R, Failure> + Sync,
) -> Result<Vec<R>, Failure> {
    let call = &call;
    let mut results = Vec::with_capacity(items.len());
    for chunk in items.chunks(AT_ONCE) {
        let chunk: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = chunk.iter().map(|item| scope.spawn(move || call(item))).collect();
            threads.into_iter().map(|thread| joined(thread.join())).collect()
        });
        for result in chunk {
            results.push(result?);
        }
    }
    Ok(results)
}

/// A panic stays a panic, on the thread that asked.
fn joined<T>(result: thread::Result<T>) -> T {
    result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

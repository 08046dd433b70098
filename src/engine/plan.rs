//! What would change, per host: the same values that are carried out.

use crate::{
    engine::Error,
    resource::{Change, Facts, Resource},
};

/// The changes of one phase on one host.
#[derive(Debug, Clone)]
pub struct HostPlan {
    /// Host.
    pub host: String,
    /// Changes, in order.
    pub changes: Vec<Change>,
}

/// Computes the changes from `facts` to `wanted` on one host.
///
/// # Errors
/// Returns [`Error::Conflict`], several where there are several.
pub fn plan(host: &str, wanted: &[Resource], facts: &Facts) -> Result<HostPlan, Error> {
    let (mut changes, mut conflicts) = (Vec::new(), Vec::new());
    for resource in wanted {
        match resource.changes(facts) {
            Ok(some) => changes.extend(some),
            Err(conflict) => conflicts.push(Error::Conflict { host: host.to_owned(), conflict }),
        }
    }
    match Error::collect(conflicts) {
        Some(error) => Err(error),
        None => Ok(HostPlan { host: host.to_owned(), changes }),
    }
}

//! `ocp2 schema`: the JSON Schema of the inventory, for editors.

use crate::{
    cli::{failure::Failure, global::print_json},
    inventory,
};

/// Runs the command.
pub(super) fn run() -> Result<(), Failure> {
    print_json(&inventory::schema())
}

//! The VMs one by one: what their group says, and what their item says instead.

use super::{
    nodes::{Group, Item, NodeSettings, Role},
    span::{Located, Span},
    value::Size,
};

/// One VM, as the inventory asks for it.
#[derive(Debug, Clone)]
pub struct Member<'a> {
    /// Control plane or compute.
    pub role: Role,
    /// Its name: its item's, else role and number.
    pub name: String,
    /// What it has of its own.
    pub item: Option<&'a Item>,
    /// Virtual CPUs.
    pub vcpus: &'a Located<u32>,
    /// Memory.
    pub memory: &'a Located<Size>,
    /// Disk.
    pub disk: &'a Located<Size>,
    group: &'static str,
    number: Option<usize>,
}

impl NodeSettings {
    /// Returns the VMs asked for: masters first, each kind in its own order.
    #[must_use]
    pub fn members(&self) -> Vec<Member<'_>> {
        let mut members = self.masters.members(Role::Master);
        members.extend(self.workers.members(Role::Worker));
        members
    }
}

impl Group {
    /// Returns the VMs of one role; items beyond the count are left out.
    fn members(&self, role: Role) -> Vec<Member<'_>> {
        // A count no cluster has is refused elsewhere; it must not fill the memory first.
        let count = self.count.value.min(1000) as usize;
        let names: Vec<String> = (0..count).map(|index| format!("{}{index}", role.as_str())).collect();
        let mut items: Vec<Option<(usize, &Item)>> = vec![None; count];
        let place_of =
            |item: &Item| names.iter().position(|name| item.name.as_ref().is_some_and(|n| n.value == *name));
        for (number, item) in self.items.iter().enumerate() {
            if let Some(place) = place_of(item)
                && items[place].is_none()
            {
                items[place] = Some((number, item));
            }
        }
        let mut rest = self
            .items
            .iter()
            .enumerate()
            .filter(|(number, _)| !items.iter().flatten().any(|(taken, _)| taken == number))
            .collect::<Vec<_>>()
            .into_iter();
        for place in &mut items {
            if place.is_none() {
                *place = rest.next();
            }
        }
        names.into_iter().zip(items).map(|(name, item)| self.member(role, name, item)).collect()
    }

    fn member<'a>(&'a self, role: Role, name: String, item: Option<(usize, &'a Item)>) -> Member<'a> {
        let number = item.map(|(number, _)| number);
        let item = item.map(|(_, item)| item);
        Member {
            role,
            name: item.and_then(|item| item.name.as_ref()).map_or(name, |own| own.value.clone()),
            item,
            vcpus: item.and_then(|item| item.vcpus.as_ref()).unwrap_or(&self.vcpus),
            memory: item.and_then(|item| item.memory.as_ref()).unwrap_or(&self.memory),
            disk: item.and_then(|item| item.disk.as_ref()).unwrap_or(&self.disk),
            group: match role {
                Role::Master => "masters",
                Role::Worker => "workers",
            },
            number,
        }
    }
}

impl Member<'_> {
    /// Returns the path of one of its own fields; of its group's where it has no item.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        match self.number {
            Some(number) => format!("nodes.{}.items[{number}].{name}", self.group),
            None => self.group_field(name),
        }
    }

    /// Returns the path of a field of its group.
    #[must_use]
    pub fn group_field(&self, name: &str) -> String {
        format!("nodes.{}.{name}", self.group)
    }

    /// Returns where its name is written.
    #[must_use]
    pub fn name_at(&self) -> Option<Span> {
        self.item.and_then(|item| item.name.as_ref()).and_then(|name| name.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(name: Option<&str>) -> Item {
        Item { name: name.map(|name| Located::unwritten(name.to_owned())), ..Item::default() }
    }

    #[test]
    fn items_find_their_vm_by_name_and_else_by_order() {
        let group =
            Group { items: vec![item(Some("db")), item(Some("worker0")), item(None)], ..Group::default() };
        let names: Vec<_> =
            group.members(Role::Worker).into_iter().map(|member| (member.name, member.number)).collect();
        assert_eq!(
            names,
            [("worker0".to_owned(), Some(1)), ("db".to_owned(), Some(0)), ("worker2".to_owned(), Some(2))]
        );
    }
}

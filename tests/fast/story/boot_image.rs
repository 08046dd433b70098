//! The boot image's next step, and what is frozen once nodes have booted from it.

use ocp2::{
    bringup::{self, ImageRecord, ImageStep, Phase, Place, frozen_inputs, image_path, image_step},
    cluster::Cluster,
    resource::{
        Action, Detail, Facts, Resource,
        hypervisor::{DomainState, Seen},
        sha256,
    },
};

use super::{cluster, domain, file};

/// A host's facts of the boot image.
#[derive(Clone, Copy, Default)]
struct Image {
    record: Option<&'static str>,
    begun: Option<&'static str>,
    size: Option<u64>,
}

fn has(inputs: &'static str) -> Image {
    Image { record: Some(inputs), size: Some(1000), ..Image::default() }
}

fn begun(image: Image, inputs: &'static str) -> Image {
    Image { begun: Some(inputs), ..image }
}

fn step(images: &[Image]) -> ImageStep {
    let cluster = cluster();
    let place = Place::of(&cluster);
    let record = |inputs: &str| {
        serde_json::to_string(&ImageRecord {
            sha256: "11".repeat(32),
            size: 1000,
            inputs: sha256(inputs.as_bytes()),
            ignited: None,
        })
        .unwrap()
    };
    let facts = |image: &Image| {
        let mut facts = Facts::default();
        if let Some(inputs) = image.record {
            facts.files.insert(place.image(), file(&record(inputs)));
        }
        if let Some(inputs) = image.begun {
            facts.files.insert(place.begun(), file(&record(inputs)));
        }
        facts.listing.extend(image.size.map(|size| (image_path(&cluster), size)));
        facts
    };
    let hosts: Vec<Facts> = images.iter().map(facts).collect();
    image_step(&cluster, &sha256(b"now"), &hosts.iter().collect::<Vec<_>>())
}

#[test]
fn the_boot_image_is_made_copied_or_left() {
    let none = Image::default();
    assert_eq!(step(&[none, none]), ImageStep::Make);
    assert_eq!(step(&[has("now"), none, none]), ImageStep::Copy(vec![1, 2]));
    assert_eq!(step(&[has("now"), has("now")]), ImageStep::Done);
    // The inventory has changed since.
    assert_eq!(step(&[has("before"), has("before")]), ImageStep::Make);
    assert_eq!(step(&[has("now"), has("before")]), ImageStep::Copy(vec![1]));
    // The record alone does not boot a VM, and half an image neither.
    assert_eq!(step(&[Image { size: None, ..has("now") }, has("now")]), ImageStep::Make);
    assert_eq!(step(&[has("now"), Image { size: Some(999), ..has("now") }]), ImageStep::Copy(vec![1]));
    // The first host is another one now; the image on the second does not help it.
    assert_eq!(step(&[none, has("now")]), ImageStep::Make);
}

#[test]
fn a_record_that_holds_no_digests_is_none() {
    let cluster = cluster();
    let place = Place::of(&cluster);
    let digest = "11".repeat(32);
    let step = |sha256: &str, inputs: &str| {
        let record = ImageRecord { sha256: sha256.into(), size: 1000, inputs: inputs.into(), ignited: None };
        let mut facts = Facts::default();
        facts.files.insert(place.image(), file(&record.text()));
        // Told that it has begun, what is to be copied is what the record says.
        facts.files.insert(place.begun(), file(&record.text()));
        facts.listing.insert(image_path(&cluster), 1000);
        (
            ImageRecord::read(&cluster, &facts).is_some(),
            image_step(&cluster, "x", &[&facts, &Facts::default()]),
        )
    };
    assert_eq!(step(&digest, &digest), (true, ImageStep::Copy(vec![1])));
    // What the first host has written goes to the others, in a script and in the name of a file.
    for wrong in
        ["", "x; touch /tmp/owned #", "../../../etc/a", "aaaaaaaaaaaé", &"é".repeat(32), &digest[1..]]
    {
        assert_eq!(step(wrong, &digest), (false, ImageStep::Frozen), "{wrong}");
        assert_eq!(step(&digest, wrong), (false, ImageStep::Frozen), "{wrong}");
    }
}

#[test]
fn once_begun_the_boot_image_is_frozen() {
    let none = Image::default();
    assert_eq!(step(&[begun(has("now"), "now"), has("now")]), ImageStep::Done);
    assert_eq!(step(&[begun(has("before"), "before"), has("before")]), ImageStep::Frozen);
    assert_eq!(step(&[has("now"), begun(has("before"), "before")]), ImageStep::Frozen);
    // A host that joined later still gets it.
    assert_eq!(step(&[begun(has("now"), "now"), none]), ImageStep::Copy(vec![1]));
    // Also where the inventory has changed since; never another image than the nodes booted from.
    assert_eq!(step(&[begun(has("before"), "before"), none]), ImageStep::Copy(vec![1]));
    // The image was deleted after the installation, which needs it no more.
    assert_eq!(step(&[begun(none, "now"), none]), ImageStep::Done);
}

#[test]
fn a_host_whose_vms_need_the_boot_image_no_more_does_not_get_it_again() {
    let cluster = cluster();
    let place = Place::of(&cluster);
    let record = serde_json::to_string(&ImageRecord {
        sha256: "11".repeat(32),
        size: 1000,
        inputs: sha256(b"now"),
        ignited: None,
    });
    let record = record.unwrap();
    let mut first = Facts::default();
    first.files.insert(place.image(), file(&record));
    first.files.insert(place.begun(), file(&record));
    first.listing.insert(image_path(&cluster), 1000);
    let mut second = Facts::default();
    assert_eq!(image_step(&cluster, &sha256(b"now"), &[&first, &second]), ImageStep::Copy(vec![1]));
    second.files.insert(place.ejected(), file(""));
    assert_eq!(image_step(&cluster, &sha256(b"now"), &[&first, &second]), ImageStep::Done);
}

#[test]
fn what_has_changed_in_frozen_inputs_is_shown() {
    let cluster = cluster();
    let seen = |before: Option<&str>| {
        let mut facts = Facts::default();
        facts.files.extend(before.map(|before| (Place::of(&cluster).inputs(), file(before))));
        let change = frozen_inputs(&cluster, "fips: true\n", &facts);
        assert!(matches!(&change.action, Action::Manual(advice) if advice.contains("never applied")));
        change
    };
    let change = seen(Some("fips: false\n"));
    let [Detail::Diff { text }] = change.details.as_slice() else { panic!("{:?}", change.details) };
    assert!(text.contains("-fips: false\n+fips: true"), "{text}");
    // Masked, two pull secrets look the same.
    assert_eq!(seen(Some("fips: true\n")).summary, "a secret among them has changed");
    assert!(seen(None).summary.contains("not known"));
}

#[test]
fn an_unreadable_mark_is_a_mark() {
    let cluster = cluster();
    let mut facts = Facts::default();
    facts.files.insert(Place::of(&cluster).begun(), file(""));
    assert_eq!(image_step(&cluster, &sha256(b"now"), &[&facts]), ImageStep::Frozen);
}

/// Returns the names of the files and domains that a host is to have for its VMs, in order.
fn wanted(cluster: &Cluster, host: usize, facts: &Facts) -> Vec<String> {
    let name = |resource: Resource| match resource {
        Resource::File(file) => Some(file.path),
        Resource::Domain(domain) => Some(domain.name),
        _ => None,
    };
    Phase::Machines.wanted(cluster, host, facts).unwrap().into_iter().filter_map(name).collect()
}

#[test]
fn a_host_is_marked_once_its_vms_are_started() {
    let mut cluster = cluster();
    let place = Place::of(&cluster);
    let mut facts = Facts::default();
    let all = wanted(&cluster, 0, &facts);
    let mark = all.iter().position(|name| *name == place.begun()).unwrap();
    let last = all.iter().rposition(|name| name.starts_with("ocp-")).unwrap();
    assert!(mark > last, "{all:?}");
    // A later run with another image must not say that the nodes booted from that.
    facts.files.insert(place.begun(), file("{}"));
    assert!(!wanted(&cluster, 0, &facts).contains(&place.begun()));
    // A host without VMs has started none, whatever becomes of the others'.
    cluster.nodes.retain(|node| node.host != 1);
    assert!(!wanted(&cluster, 1, &Facts::default()).contains(&place.begun()));
}

/// Hosts with an image of these inputs, whose VMs are defined and in this state.
fn defined(cluster: &Cluster, inputs: &str, state: DomainState) -> [Facts; 2] {
    let place = Place::of(cluster);
    let record =
        ImageRecord { sha256: "11".repeat(32), size: 1000, inputs: sha256(inputs.as_bytes()), ignited: None };
    ["ocp-master0", "ocp-master1"].map(|name| Facts {
        files: [(place.image(), file(&record.text()))].into(),
        listing: [(image_path(cluster), 1000)].into(),
        hypervisor: Some(Seen { domains: vec![domain(name, Some("ocp"), state)], ..Seen::default() }),
        ..Facts::default()
    })
}

#[test]
fn a_first_start_that_fails_freezes_nothing() {
    let cluster = cluster();
    let hosts = defined(&cluster, "before", DomainState::Off);
    assert_eq!(image_step(&cluster, &sha256(b"now"), &[&hosts[0], &hosts[1]]), ImageStep::Make);
    assert!(!bringup::settled(&cluster, &[("bm1", &hosts[0]), ("bm2", &hosts[1])]).begun);
    assert!(!bringup::is_begun(&cluster, &[&hosts[0], &hosts[1]]));
}

#[test]
fn a_vm_that_is_on_freezes_what_it_booted_from_even_where_no_mark_was_written() {
    let cluster = cluster();
    for state in [DomainState::Running, DomainState::Paused] {
        let [off, _] = defined(&cluster, "before", DomainState::Off);
        let [_, on] = defined(&cluster, "before", state);
        assert_eq!(image_step(&cluster, &sha256(b"now"), &[&off, &on]), ImageStep::Frozen);
        assert_eq!(image_step(&cluster, &sha256(b"before"), &[&off, &on]), ImageStep::Done);
        assert!(bringup::settled(&cluster, &[("bm1", &off), ("bm2", &on)]).begun);
        // The next run writes the mark, and of the image that was booted from.
        assert!(wanted(&cluster, 1, &on).contains(&Place::of(&cluster).begun()));
    }
    // Somebody else's VM says nothing of this cluster.
    let [mut other, _] = defined(&cluster, "before", DomainState::Off);
    other.hypervisor.as_mut().unwrap().domains =
        vec![domain("ocp-master0", Some("two"), DomainState::Running)];
    assert_eq!(image_step(&cluster, &sha256(b"now"), &[&other]), ImageStep::Make);
}

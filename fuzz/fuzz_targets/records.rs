//! What hosts remember: what was decided of a cluster, and the boot image they have.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::{
    bringup::{ImageRecord, Place, image_path, image_step, settled},
    cluster::Decided,
    resource::{Facts, FileSeen},
};
use ocp2_fuzz::CLUSTER;

fn file(text: &str) -> FileSeen {
    FileSeen {
        mode: 0o644,
        owner: "root:root".to_owned(),
        sha256: String::new(),
        text: Some(text.to_owned()),
    }
}

fuzz_target!(|text: &str| {
    if let Ok(decided) = Decided::read(text) {
        assert_eq!(Decided::read(&decided.text()), Ok(decided));
    }
    let place = Place::of(&CLUSTER);
    let mut facts = Facts::default();
    for name in ["settled-hosts", "settled-nodes", "settled-cluster"] {
        facts.files.insert(place.var(name), file(text));
    }
    facts.files.insert(place.image(), file(text));
    facts.files.insert(place.begun(), file(text));
    facts.files.insert(place.release(), file(text));
    facts.listing.insert(image_path(&CLUSTER), 1000);
    let _ = settled(&CLUSTER, &[("bm1", &facts), ("bm2", &facts)]);
    let _ = (image_step(&CLUSTER, "0", &[&facts, &facts]), ocp2::bringup::release(&CLUSTER, &facts));
    if let Some(record) = ImageRecord::read(&CLUSTER, &facts) {
        for digest in [&record.sha256, &record.inputs] {
            assert!(digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit()), "{digest}");
        }
    }
});

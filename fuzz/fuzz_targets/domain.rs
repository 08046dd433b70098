//! A libvirt domain's XML, of a VM that is or is not ocp2's.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::resource::{
    DomainShape, Facts, Pool,
    hypervisor::{DomainSeen, DomainState, PoolSeen, Seen},
};

fuzz_target!(|xml: &str| {
    let domain = DomainSeen {
        name: "ocp-master0".to_owned(),
        uuid: "1c5a4a3f-0000-4000-8000-000000000000".to_owned(),
        state: DomainState::Running,
        autostart: true,
        xml: xml.to_owned(),
        live: Some(xml.to_owned()),
    };
    let _ = (domain.cluster(), domain.role());
    // It runs by what it is defined as.
    assert!(!domain.waits_for_power_off());
    if let Some(shape) = DomainShape::read(xml) {
        let _ = (shape.cluster(), shape.node(), shape.role());
    }
    // Whatever else stands in it, a domain that has a file as its disk refers to that file.
    let disk = "<disk type='file'><source file='/pool/a.img'/></disk>";
    let user = DomainSeen { xml: format!("<domain>{xml}{disk}</domain>"), live: None, ..domain };
    assert!(user.refers_to("/pool/a.img", "pool", "a.img"));
    let pool = Pool { name: "ocp2-ocp".to_owned(), path: "/pool".to_owned(), xml: String::new() };
    let seen = PoolSeen { name: "ocp2-ocp".to_owned(), active: true, autostart: true, xml: xml.to_owned() };
    let hypervisor = Seen { pools: vec![seen], ..Seen::default() };
    let _ = pool.changes(&Facts { hypervisor: Some(hypervisor), ..Facts::default() });
});

//! A libvirt domain's XML, of a VM that is or is not ocp2's.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::{
    bringup,
    resource::{
        Action, Facts, Pool,
        hypervisor::{Call, DomainSeen, DomainState, PoolSeen, Seen},
    },
};
use ocp2_fuzz::CLUSTER;

/// What tells that a domain is of the cluster.
const MARK: &str = "<metadata><o:machine xmlns:o='urn:ocp2:machine' cluster='ocp'/></metadata>";

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
    // What can be read is read both ways, and is of the same form for eyes.
    assert_eq!(domain.waits_for_power_off().is_err(), domain.unreadable().is_some());
    if domain.unreadable().is_none() {
        let shown = DomainSeen { xml: domain.shown(), ..domain.clone() };
        assert_eq!(shown.unreadable(), None);
    }
    // Whatever a domain of ours has become, what it is defined as then is a description.
    let ours = DomainSeen { xml: format!("<domain>{MARK}{xml}</domain>"), ..domain.clone() };
    let wanted = bringup::domain(&CLUSTER, &CLUSTER.nodes[0]).expect("its template can be filled");
    let hypervisor = Some(Seen { domains: vec![ours.clone()], ..Seen::default() });
    for change in wanted.changes(&Facts { hypervisor, ..Facts::default() }).into_iter().flatten() {
        if let Action::Hypervisor(Call::DefineDomain { xml } | Call::EjectCd { drive: xml, .. }) =
            change.action
        {
            assert_eq!(DomainSeen { xml, ..ours.clone() }.unreadable(), None);
        }
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

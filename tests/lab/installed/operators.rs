//! What a cluster says of itself, in a wait that would have timed out.

use crate::{stage::stage, waits::given_up_after};

#[test]
fn an_operator_that_is_degraded_is_named() {
    let stage = stage();
    let inventory = stage.cluster();
    let masters = [("bm1", "192.168.139.10"), ("bm2", "192.168.139.11"), ("bm1", "192.168.139.12")];
    for (host, master) in masters {
        let source = r#"echo '{"authentication": "OAuthServerDeploymentDegraded: 1 of 3 requested instances are unavailable"}' > /run/standin-faults/operators"#;
        stage.inside(host, master, source).succeeds();
    }
    stage.at("bm1", "rm /var/lib/ocp2/ocp/install.done").succeeds();
    let up = given_up_after(&stage, &inventory, &["it hangs on authentication"]);
    for (host, master) in masters {
        stage.inside(host, master, "rm /run/standin-faults/operators").succeeds();
    }
    up.ends(7)
        .says("install-complete did not complete")
        .says("11 of 12 operators available; it hangs on authentication (OAuthServerDeploymentDegraded")
        .says("operator authentication is degraded: OAuthServerDeploymentDegraded: 1 of 3 requested instances are unavailable")
        .says("oc describe clusteroperator authentication");
    stage.ocp2(&["up", &inventory]).succeeds();
    stage.ocp2(&["plan", "--check", &inventory]).succeeds();
}

//! A kubeconfig that a host has written.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::install::kubeconfig::Administrator;
use ocp2_fuzz::CLUSTER;

fuzz_target!(|bytes: &[u8]| {
    match Administrator::read(&CLUSTER, bytes) {
        Ok(administrator) => {
            let written = administrator.kubeconfig(&CLUSTER);
            for forbidden in ["exec", "proxy-url", "token", "insecure", "auth-provider", "client-key:"] {
                assert!(!written.expose().contains(&format!("{forbidden}:")), "{forbidden}");
            }
        }
        Err(reason) => {
            // It is shown to the user.
            assert!(!reason.contains(|c: char| c.is_control() && c != '\t'), "{reason:?}");
            assert!(reason.len() < 4096);
        }
    }
});

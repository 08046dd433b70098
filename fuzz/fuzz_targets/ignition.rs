//! Ignition that the installer has made, with a VM's own files put in.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ocp2::bringup::ignition;
use ocp2_fuzz::UPI;

fuzz_target!(|text: &str| {
    let node = &UPI.nodes[0];
    if let Ok(made) = ignition(&UPI, node, text) {
        // Put in twice, they are there once.
        let again = ignition(&UPI, node, &made).expect("it is ignition");
        let again: serde_json::Value = serde_json::from_str(&again).expect("it is JSON");
        let files = again["storage"]["files"].as_array().expect("it has files");
        assert_eq!(files.iter().filter(|file| file["path"] == "/etc/hostname").count(), 1);
    }
});

//! Certificates and private keys as PEM, and requests for certificates.

#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use ocp2::{
    bringup::{Judgement, SigningRequest, judge},
    install::fuzzing::{certificates, private_key},
};
use ocp2_fuzz::CLUSTER;

fuzz_target!(|text: &str| {
    if let Ok(written) = certificates(text) {
        assert_eq!(certificates(&written), Ok(written));
    }
    if let Ok(written) = private_key(text) {
        assert_eq!(private_key(&written), Ok(written));
    }
    for signer in ["kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"] {
        let request = SigningRequest {
            name: "csr-1".to_owned(),
            signer: signer.to_owned(),
            requestor: "system:node:master0.ocp.example.com".to_owned(),
            groups: vec!["system:nodes".to_owned()],
            usages: vec!["server auth".to_owned(), "client auth".to_owned()],
            pem: text.as_bytes().to_vec(),
        };
        // Nobody asks for both usages.
        assert!(matches!(judge(&CLUSTER, &request, &BTreeSet::new()), Judgement::Leave { .. }));
    }
});

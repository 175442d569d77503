//! By which ways a robot's credentials go.

use moorage_domain::TlsSecrets;
use serde_json::json;

use super::*;

fn registry(allow_insecure: bool, allow_proxy: bool) -> RobotRegistry {
    RobotRegistry {
        host: "quay.io".to_owned(),
        username: "u".to_owned(),
        password: Ciphertext::from("x".to_owned()),
        allow_insecure,
        allow_proxy,
        tls: TlsSecrets::default(),
        credentials: None,
    }
}

#[test]
fn a_robots_credentials_are_withheld_from_what_a_mirror_may_choose() {
    let (verified, unverified) = (json!({"verify_tls": true}), json!({"verify_tls": false}));
    let proxied = json!({"proxy": {"https_proxy": "http://proxy.example.com:3128"}});
    let because = |insecure, proxy| Some(Warning::CredentialsWithheld { insecure, proxy });
    for (config, has_authorities, registry, expected) in [
        (&verified, false, registry(false, false), None),
        (&unverified, false, registry(false, false), because(true, false)),
        (&unverified, false, registry(true, false), None),
        // Whoever has an authority of the mirror's own can be the registry.
        (&verified, true, registry(false, false), because(true, false)),
        (&verified, true, registry(false, true), because(true, false)),
        (&verified, true, registry(true, false), None),
        (&proxied, false, registry(true, false), because(false, true)),
        (&proxied, true, registry(false, false), because(true, true)),
        (&proxied, true, registry(true, true), None),
    ] {
        let found = withheld(&RegistryConfig::new(config.as_object().cloned().unwrap()), has_authorities, &registry);
        assert_eq!(found, expected, "{config} {has_authorities} {registry:?}");
    }
}

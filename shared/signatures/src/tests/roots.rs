//! Trusted roots: which are read, how long they are believed, and whose they are.

use moorage_domain::{
    Timestamp,
    signature_policy::{Refusal, TrustRootId},
};
use serde_json::json;

use super::{
    ISSUER, SUBJECT, bundles, by_identity, now, policy, refusal, root, signed::good, sigstore::Instance, verdict,
    verified,
};
use crate::trust::{EMBEDDED_LIFETIME, MAX_TRUST_ROOT, Trust, TrustRoot, TrustRootError, embedded, embedded_on};

fn expiring(instance: &Instance, at: Timestamp) -> TrustRoot {
    TrustRoot::parse(instance.trusted_root().to_string().as_bytes(), at).unwrap()
}

#[test]
fn an_expired_root_is_not_believed() {
    let instance = Instance::new();
    let evidence = bundles(&[&good(&instance)]);
    let said = |at: i64| {
        let root = expiring(&instance, Timestamp::from_unix(now().unix() + at));
        verdict(&by_identity(), &evidence, &Trust::default().with_root(TrustRootId::Public, root))
    };
    verified(said(1));
    assert_eq!(refusal(&said(0)), Refusal::UntrustedRoot);
    assert_eq!(refusal(&said(-1)), Refusal::UntrustedRoot);
}

#[test]
fn each_name_has_its_own_root() {
    let [instance, other] = [Instance::new(), Instance::new()];
    let identities = json!([{"issuer": ISSUER, "subject": SUBJECT}]);
    let policy = policy(json!([{"name": "ci", "keyless": {"identities": identities, "trust_root": "ours"}}]));
    let evidence = bundles(&[&good(&instance)]);
    let ours = TrustRootId::Other("ours".to_owned());
    let trust = Trust::default().with_root(TrustRootId::Public, root(&other)).with_root(ours.clone(), root(&instance));
    verified(verdict(&policy, &evidence, &trust));
    let trust = Trust::default().with_root(TrustRootId::Public, root(&instance));
    assert_eq!(refusal(&verdict(&policy, &evidence, &trust)), Refusal::UntrustedRoot);
    let trust = trust.with_root(ours, root(&other));
    assert_eq!(refusal(&verdict(&policy, &evidence, &trust)), Refusal::UntrustedRoot);
}

#[test]
fn what_is_no_root_is_refused() {
    let parse = |bytes: &[u8]| TrustRoot::parse(bytes, now()).map(drop);
    assert!(matches!(parse(&vec![b' '; MAX_TRUST_ROOT + 1]), Err(TrustRootError::TooLarge)));
    assert!(matches!(parse(b"\xff"), Err(TrustRootError::NoText)));
    for text in ["", "{}", "[]", r#"{"mediaType": 1}"#] {
        assert!(matches!(parse(text.as_bytes()), Err(TrustRootError::Unreadable(_))), "{text}");
    }
    let mut json = Instance::new().trusted_root();
    json["certificateAuthorities"][0]["certChain"]["certificates"][0]["rawBytes"] = json!("AAAA");
    assert!(parse(json.to_string().as_bytes()).is_err());
    let nobody = json!({"mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1"});
    assert!(matches!(parse(nobody.to_string().as_bytes()), Err(TrustRootError::Nobody)));
}

#[test]
fn the_embedded_roots_are_read_and_believed_for_a_time() {
    let ours = [TrustRootId::Public, TrustRootId::Github].map(|id| (id.clone(), embedded(&id).unwrap().unwrap()));
    let trust = ours.into_iter().fold(Trust::default(), |trust, (id, root)| trust.with_root(id, root));
    assert!(embedded(&TrustRootId::Other("ours".to_owned())).unwrap().is_none());
    for id in [TrustRootId::Public, TrustRootId::Github] {
        let last = embedded_on().plus(EMBEDDED_LIFETIME);
        assert!(
            trust.root(&id, embedded_on()).is_ok()
                && trust.root(&id, last.minus(std::time::Duration::from_secs(1))).is_ok()
        );
        assert!(trust.root(&id, last).is_err());
    }
    // Nobody else's signatures are theirs.
    let evidence = bundles(&[&good(&Instance::new())]);
    assert_eq!(refusal(&verdict(&by_identity(), &evidence, &trust)), Refusal::UntrustedRoot);
}

//! An instance of Sigstore of a test's own: a certificate authority with the log of its certificates, a transparency log
//! and a clock. It signs images without a key of theirs, as cosign does it for an identity, at any time.
//!
//! Times are seconds since 1970.

// The paths are said because another crate's tests have this file by its path, too.
#[path = "sigstore/authority.rs"]
pub mod authority;
#[path = "sigstore/bundle.rs"]
pub mod bundle;
#[path = "sigstore/clock.rs"]
pub mod clock;
#[path = "sigstore/der.rs"]
mod der;
#[path = "sigstore/log.rs"]
pub mod log;

use base64::{Engine, engine::general_purpose::STANDARD};
use moorage_domain::{Digest, Timestamp, signature_policy::SIGNED};
use serde_json::{Value, json};

use authority::{Authority, Certified};
use bundle::{bundle, certificate, dsse_body, envelope, hashed_body, stamps, statement};
use clock::Clock;
use log::Log;

/// How long before it signs a signer has its certificate, in seconds.
const CERTIFIED_BEFORE: i64 = 5;
/// Where in Rekor's first version all entries are: anywhere.
pub const LOG_INDEX: u64 = 41;

/// All of it. What is replaced is another one, which a trusted root that was made before does not have.
pub struct Instance {
    /// Who says who a signer is.
    pub authority: Authority,
    /// Where the certificates of signers are.
    pub certificates: Log,
    /// Where signatures are.
    pub log: Log,
    /// Who says when a signature was there.
    pub clock: Clock,
}

impl Instance {
    /// A new one, which has nothing in common with any other.
    pub fn new() -> Self {
        Self {
            authority: Authority::new("fulcio"),
            certificates: Log::new(),
            log: Log::new(),
            clock: Clock::new("tsa"),
        }
    }

    /// What is published of it: `trusted_root.json`.
    pub fn trusted_root(&self) -> Value {
        let period = json!({"start": "2020-01-01T00:00:00Z"});
        let believed = |name: &str, ders: &[&[u8]]| {
            let certificates: Vec<_> = ders.iter().map(|der| json!({"rawBytes": STANDARD.encode(der)})).collect();
            json!({
                "subject": {"organization": "example", "commonName": name}, "uri": format!("https://{name}.example"),
                "certChain": {"certificates": certificates}, "validFor": period,
            })
        };
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [self.log.listed("https://rekor.example", &period)],
            "certificateAuthorities": [believed("fulcio", &[self.authority.der()])],
            "ctlogs": [self.certificates.listed("https://ctfe.example", &period)],
            "timestampAuthorities": [believed("tsa", &self.clock.chain())],
        })
    }

    /// A bundle by which a subject signs an image at a time, as an issuer of identities says who it is: with an entry in
    /// Rekor's first version and a time stamp.
    pub fn sign(&self, image: &Digest, issuer: &str, subject: &str, at: Timestamp) -> Value {
        let at = at.unix();
        let leaf = self.certify(issuer, subject, at - CERTIFIED_BEFORE);
        self.signed(&leaf, statement(image, SIGNED), Some(at), Some(&[at]))
    }

    /// The same by Rekor's second version, which leaves it to the time stamp to say when that was.
    pub fn sign_v2(&self, image: &Digest, issuer: &str, subject: &str, at: Timestamp) -> Value {
        let at = at.unix();
        let leaf = self.certify(issuer, subject, at - CERTIFIED_BEFORE);
        self.signed(&leaf, statement(image, SIGNED), None, Some(&[at]))
    }

    /// A signer's certificate, from some time on.
    pub fn certify(&self, issuer: &str, subject: &str, from: i64) -> Certified {
        self.authority.certify_logged(issuer, subject, from, &self.certificates)
    }

    /// A statement, signed: with an entry in Rekor's first version if that is to say a time, and else in its second one; and
    /// with as many time stamps as there are times.
    pub fn signed(&self, leaf: &Certified, payload: String, logged: Option<i64>, stamped: Option<&[i64]>) -> Value {
        let envelope = envelope(&leaf.key, payload);
        let mut material = certificate(leaf);
        material["tlogEntries"] = json!([match logged {
            Some(at) => self.log.entry("dsse", &dsse_body(&envelope, &leaf.pem), LOG_INDEX, at),
            None => self.log.entry_v2(&hashed_body(&envelope, &leaf.der)),
        }]);
        if let Some(times) = stamped {
            let tokens: Vec<_> = times.iter().map(|at| self.clock.stamp(&envelope.signature, *at)).collect();
            material["timestampVerificationData"] = stamps(&tokens);
        }
        bundle(&material, &envelope)
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self::new()
    }
}

//! A clock that signs the time (RFC 3161), by an authority of its own.

use moorage_domain::Digest;
use rcgen::{CustomExtension, KeyUsagePurpose, SerialNumber, SigningKey as _};

use super::{
    authority::{Authority, Certified, key, moment, named},
    der::{element, integer, octets, oid, sequence, set, tagged, text},
};

const SHA256: &[u64] = &[2, 16, 840, 1, 101, 3, 4, 2, 1];
const ECDSA_SHA256: &[u64] = &[1, 2, 840, 10045, 4, 3, 2];
const SIGNED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 2];
const TST_INFO: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 3];
const MESSAGE_DIGEST: &[u64] = &[1, 2, 840, 113_549, 1, 9, 4];
const SIGNING_CERTIFICATE: &[u64] = &[1, 2, 840, 113_549, 1, 9, 16, 2, 47];
const COMMON_NAME: &[u64] = &[2, 5, 4, 3];
const POLICY: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 2];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const TIME_STAMPING: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 3, 8];
/// The number of the clock's certificate among those of its authority.
const SERIAL: u8 = 7;

/// The clock.
pub struct Clock {
    authority: Authority,
    name: &'static str,
    leaf: Certified,
}

impl Clock {
    /// One whose authority has a name.
    pub fn new(name: &'static str) -> Self {
        let authority = Authority::new(name);
        let mut params = named("clock");
        params.serial_number = Some(SerialNumber::from(u64::from(SERIAL)));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // RFC 3161 wants it to be critical.
        let mut usage = CustomExtension::from_oid_content(EXTENDED_KEY_USAGE, sequence(&[oid(TIME_STAMPING)]));
        usage.set_criticality(true);
        params.custom_extensions = vec![usage];
        let leaf = authority.issue(&params, key());
        Self { authority, name, leaf }
    }

    /// Its certificate and its authority's, DER.
    pub fn chain(&self) -> [&[u8]; 2] {
        [&self.leaf.der, self.authority.der()]
    }

    /// What it answers whoever asks for the time at which a signature was there.
    pub fn stamp(&self, signature: &[u8], at: i64) -> Vec<u8> {
        let granted = sequence(&[integer(0)]);
        sequence(&[granted, self.token(&time_of(signature, at))])
    }

    /// What it says, signed (RFC 5652).
    fn token(&self, info: &[u8]) -> Vec<u8> {
        let attribute = |kind: &[u64], value: Vec<u8>| sequence(&[oid(kind), set(&[value])]);
        let certificate = sequence(&[octets(Digest::sha256(&self.leaf.der).bytes())]);
        let attributes = [
            attribute(CONTENT_TYPE, oid(TST_INFO)),
            attribute(MESSAGE_DIGEST, octets(Digest::sha256(info).bytes())),
            attribute(SIGNING_CERTIFICATE, sequence(&[sequence(&[certificate])])),
        ];
        let name = sequence(&[set(&[sequence(&[oid(COMMON_NAME), text(self.name)])])]);
        let signer = sequence(&[
            integer(1),
            sequence(&[name, integer(SERIAL)]),
            algorithm(),
            tagged(0, &attributes.concat()),
            sequence(&[oid(ECDSA_SHA256)]),
            octets(&self.leaf.key.sign(&set(&attributes)).unwrap()),
        ]);
        let content = sequence(&[oid(TST_INFO), tagged(0, &octets(info))]);
        let cms = sequence(&[integer(3), set(&[algorithm()]), content, set(&[signer])]);
        sequence(&[oid(SIGNED_DATA), tagged(0, &cms)])
    }
}

/// That a signature was there at a time.
fn time_of(signature: &[u8], at: i64) -> Vec<u8> {
    let at = moment(at);
    let date = format!(
        "{:04}{:02}{:02}{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    let imprint = sequence(&[algorithm(), octets(Digest::sha256(signature).bytes())]);
    sequence(&[integer(1), oid(POLICY), imprint, integer(1), element(0x18, date.as_bytes())])
}

fn algorithm() -> Vec<u8> {
    sequence(&[oid(SHA256)])
}

//! A TUF repository that a test makes and signs: files by their paths, as a server has them.

use std::{collections::BTreeMap, time::Duration};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use moorage_domain::{Digest, Timestamp};
use serde_json::{Value, json};

/// For how long everything is good that is not said otherwise: a week.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One of the four roles: a key of its own, and what its file says next.
pub struct Role {
    /// What signs it.
    pub key: Ed25519KeyPair,
    /// Its version.
    pub version: u64,
    /// When it expires.
    pub expires: Timestamp,
}

/// The repository.
pub struct TufRepository {
    /// Who says who signs.
    pub root: Role,
    /// What is signed again and again.
    pub timestamp: Role,
    /// Which files belong together.
    pub snapshot: Role,
    /// What is distributed.
    pub targets: Role,
    /// Whether files have their versions and hashes in their names.
    pub is_consistent: bool,
    /// Whether metadata name each other by length and hash, too. Sigstore's do by version only.
    pub is_pinned: bool,
    /// All files, by their paths.
    pub files: BTreeMap<String, Vec<u8>>,
}

impl Role {
    fn new(now: Timestamp) -> Self {
        Self { key: new_key(), version: 1, expires: now.plus(LIFETIME) }
    }
}

impl TufRepository {
    /// A new one, whose first versions distribute a trusted root.
    pub fn new(trusted_root: &[u8], now: Timestamp) -> Self {
        let [root, timestamp, snapshot, targets] = [(); 4].map(|()| Role::new(now));
        let files = BTreeMap::new();
        let mut repository = Self { root, timestamp, snapshot, targets, is_consistent: true, is_pinned: true, files };
        repository.write_root();
        repository.publish(trusted_root);
        repository
    }

    /// The root of its present version, signed by nobody yet.
    pub fn unsigned_root(&self) -> Value {
        let roles = [
            ("root", &self.root),
            ("timestamp", &self.timestamp),
            ("snapshot", &self.snapshot),
            ("targets", &self.targets),
        ];
        let mut keys = json!({});
        let mut named = json!({});
        for (name, role) in roles {
            let id = key_id(&role.key);
            named[name] = json!({"keyids": [&id], "threshold": 1});
            keys[id] = public(&role.key);
        }
        let mut signed = described("root", &self.root);
        signed["consistent_snapshot"] = json!(self.is_consistent);
        signed["keys"] = keys;
        signed["roles"] = named;
        signed
    }

    /// Signs the root of its present version by itself.
    pub fn write_root(&mut self) {
        let bytes = signed(&self.unsigned_root(), &[&self.root.key]);
        self.files.insert(self.root_path(), bytes);
    }

    /// Replaces the key of the root, by a next version that the old and the new one sign.
    pub fn rotate(&mut self) {
        let old = std::mem::replace(&mut self.root.key, new_key());
        self.follow(&old);
    }

    /// The next version of the root, which the key before signs as well.
    pub fn follow(&mut self, before: &Ed25519KeyPair) {
        self.root.version += 1;
        let bytes = signed(&self.unsigned_root(), &[before, &self.root.key]);
        self.files.insert(self.root_path(), bytes);
    }

    /// Where the root of its present version is.
    pub fn root_path(&self) -> String {
        format!("{}.root.json", self.root.version)
    }

    /// The root of its present version.
    pub fn root_file(&self) -> &[u8] {
        &self.files[&self.root_path()]
    }

    /// Distributes a trusted root by the next versions of everything but the root.
    pub fn update(&mut self, trusted_root: &[u8]) {
        for role in [&mut self.timestamp, &mut self.snapshot, &mut self.targets] {
            role.version += 1;
        }
        self.publish(trusted_root);
    }

    /// Distributes a trusted root by the present versions.
    pub fn publish(&mut self, trusted_root: &[u8]) {
        let digest = Digest::sha256(trusted_root).hex();
        self.files.insert(self.target_path(trusted_root), trusted_root.to_vec());
        self.write_targets(&json!({
            "trusted_root.json": {"length": trusted_root.len(), "hashes": {"sha256": &*digest}},
        }));
    }

    /// Where a trusted root is.
    pub fn target_path(&self, trusted_root: &[u8]) -> String {
        let digest = Digest::sha256(trusted_root).hex();
        if self.is_consistent {
            format!("targets/{digest}.trusted_root.json")
        } else {
            "targets/trusted_root.json".to_owned()
        }
    }

    /// Says what the targets are, and signs what names it.
    pub fn write_targets(&mut self, targets: &Value) {
        let mut body = described("targets", &self.targets);
        body["targets"] = targets.clone();
        let bytes = signed(&body, &[&self.targets.key]);
        let pin = self.pin(&self.targets, &bytes);
        self.files.insert(self.path(&self.targets, "targets.json"), bytes);
        self.write_snapshot(&json!({"targets.json": pin}));
    }

    /// Says what the snapshot names, and signs what names it.
    pub fn write_snapshot(&mut self, meta: &Value) {
        let mut body = described("snapshot", &self.snapshot);
        body["meta"] = meta.clone();
        let bytes = signed(&body, &[&self.snapshot.key]);
        let pin = self.pin(&self.snapshot, &bytes);
        self.files.insert(self.path(&self.snapshot, "snapshot.json"), bytes);
        self.write_timestamp(&json!({"snapshot.json": pin}));
    }

    /// Says what the timestamp names.
    pub fn write_timestamp(&mut self, meta: &Value) {
        let mut body = described("timestamp", &self.timestamp);
        body["meta"] = meta.clone();
        let bytes = signed(&body, &[&self.timestamp.key]);
        self.files.insert("timestamp.json".to_owned(), bytes);
    }

    /// Says something else of the snapshot or of the targets, by their names without version, where they are named.
    pub fn name(&mut self, name: &str, pin: &Value) {
        let meta = json!({name: pin});
        if name == "snapshot.json" {
            self.write_timestamp(&meta);
        } else {
            self.write_snapshot(&meta);
        }
    }

    /// Where the metadata of a role are.
    pub fn path(&self, role: &Role, name: &str) -> String {
        if self.is_consistent { format!("{}.{name}", role.version) } else { name.to_owned() }
    }

    fn pin(&self, role: &Role, bytes: &[u8]) -> Value {
        let mut pin = json!({"version": role.version});
        if self.is_pinned {
            pin["length"] = json!(bytes.len());
            pin["hashes"] = json!({"sha256": &*Digest::sha256(bytes).hex()});
        }
        pin
    }
}

/// A new key.
pub fn new_key() -> Ed25519KeyPair {
    Ed25519KeyPair::generate().unwrap()
}

/// Metadata with their signatures.
pub fn signed(body: &Value, keys: &[&Ed25519KeyPair]) -> Vec<u8> {
    let text = canonical(body);
    let signature =
        |key: &&Ed25519KeyPair| json!({"keyid": key_id(key), "sig": hex(key.sign(text.as_bytes()).as_ref())});
    let signatures: Vec<_> = keys.iter().map(signature).collect();
    json!({"signed": body, "signatures": signatures}).to_string().into_bytes()
}

fn described(kind: &str, role: &Role) -> Value {
    json!({"_type": kind, "spec_version": "1.0", "version": role.version, "expires": role.expires.iso()})
}

fn public(key: &Ed25519KeyPair) -> Value {
    json!({"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": hex(key.public_key().as_ref())}})
}

fn key_id(key: &Ed25519KeyPair) -> String {
    Digest::sha256(canonical(&public(key)).as_bytes()).hex().to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// What is signed: JSON without blanks, its keys in order. No text of these has anything in it that is escaped.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            let fields: Vec<_> = fields.iter().map(|(key, value)| format!("\"{key}\":{}", canonical(value))).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

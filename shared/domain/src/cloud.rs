//! Logins that a cloud gives for who the sync function is: what a mirror says of one, which registries it is for, and which
//! namespaces may have it. No password is kept: a token is asked for when a sync needs one.

mod grants;
mod registry;
mod stand_ins;

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use grants::{CloudGrantError, CloudGrants};
pub(crate) use registry::is_place;
pub use registry::{EcrRegistry, partition};
pub use stand_ins::{CloudStandInError, CloudStandIns};

use crate::Namespace;

/// The longest name of a role with its path (IAM's limits: 512 of the path, 64 of the name).
const ROLE_LENGTH: usize = 576;
/// The longest name of a workload identity provider: IDs of pools and providers have 32 characters at most.
const PROVIDER_LENGTH: usize = 256;
/// Where a service account's address ends.
const SERVICE_ACCOUNTS: &str = ".iam.gserviceaccount.com";
/// The longest address of one: 30 characters of it, and 30 of its project.
const SERVICE_ACCOUNT_LENGTH: usize = 128;

/// What a mirror or a robot's external registry has in place of a user name and a password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum CloudLogin {
    /// At ECR, as the sync function's role, or as another one that it assumes.
    Ecr {
        /// The role that it assumes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        role_arn: Option<RoleArn>,
    },
    /// At Google's Artifact Registry, as a service account that the sync function's role may impersonate.
    Google {
        /// Which workload identity provider knows the function's role.
        provider: WorkloadProvider,
        /// Who the function is there.
        service_account: ServiceAccount,
    },
    /// At Azure's Container Registry, as an application or a managed identity that trusts tokens of the function's account.
    Azure {
        /// The directory.
        tenant_id: Uuid,
        /// The application there.
        client_id: Uuid,
    },
}

impl CloudLogin {
    /// Its type, as the wire has it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Ecr { .. } => "ecr",
            Self::Google { .. } => "google",
            Self::Azure { .. } => "azure",
        }
    }

    /// Who the function is by it, as grants name them: `ecr` for its own role at ECR, an ARN, a service account, or
    /// `tenant/client`.
    pub fn identity(&self) -> String {
        match self {
            Self::Ecr { role_arn: None } => self.kind().to_owned(),
            Self::Ecr { role_arn: Some(role) } => role.0.clone(),
            Self::Google { service_account, .. } => service_account.0.clone(),
            Self::Azure { tenant_id, client_id } => format!("{tenant_id}/{client_id}"),
        }
    }

    /// Whether a registry at this host, with its port if it has one, is the cloud's own.
    pub fn is_for(&self, authority: &str) -> bool {
        let authority = authority.to_ascii_lowercase();
        let host = authority.strip_suffix(":443").unwrap_or(&authority);
        match self {
            Self::Ecr { .. } => EcrRegistry::of(host).is_some() || host == registry::ECR_PUBLIC,
            Self::Google { .. } => registry::is_google(host),
            Self::Azure { .. } => registry::is_azure(host),
        }
    }
}

/// What binds a role to a namespace: the external id that it is assumed with, which nobody chooses.
pub fn external_id(namespace: &Namespace) -> String {
    format!("moorage:{namespace}")
}

/// Why a mirror may not have a login of a cloud.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CloudRefusal {
    /// The deployment does not let the namespace be it.
    #[error(
        "credentials: {namespace} may not log in as {identity}: whoever runs this deployment allows that by CloudGrants"
    )]
    NotGranted {
        /// Whose mirror it is.
        namespace: String,
        /// Who it would be.
        identity: String,
    },
    /// The registry is not the cloud's.
    #[error("credentials: {host} is no registry that a login of type {kind} is for")]
    OtherRegistry {
        /// The registry.
        host: String,
        /// The login's type.
        kind: &'static str,
    },
    /// The registry is of another partition of AWS.
    #[error("credentials: {host} is of another part of AWS than {region}, where the function's role is somebody")]
    OtherPartition {
        /// The registry.
        host: String,
        /// Where the function runs.
        region: String,
    },
    /// What is stored is no login that this release knows.
    #[error("credentials: what is stored cannot be read: send it again, or null for none")]
    Unreadable,
    /// The way there is not one that a token of a cloud may go.
    #[error("credentials go to the cloud's own registry alone, over TLS that it vouches for: {0}")]
    OtherWay(&'static str),
    /// There are a user name or a password besides.
    #[error("credentials and {0} exclude each other: send null for one of them")]
    Twice(&'static str),
}

/// The way to a registry, as far as it decides who may be told a token on it.
#[derive(Debug, Clone, Copy)]
pub struct CloudWay<'a> {
    /// The registry's host, with its port if it has one.
    pub authority: &'a str,
    /// By what others than the cloud may read what is sent, if there is something.
    pub exposure: Option<Exposure>,
}

/// By what others than the cloud may read what is sent to its registry: whoever owns the mirror chooses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// Plain http.
    PlainHttp,
    /// Certificates are not checked.
    UnverifiedTls,
    /// Authorities of the mirror's own are trusted.
    OwnAuthorities,
    /// Token servers of other domains are.
    OtherRealms,
}

impl Exposure {
    /// What there has to be instead.
    const fn remedy(self) -> &'static str {
        match self {
            Self::PlainHttp => "the URL must begin with https://",
            Self::UnverifiedTls => "verify_tls must not be false",
            Self::OwnAuthorities => "tls.ca_bundle must be null",
            Self::OtherRealms => "token_realms must be empty",
        }
    }
}

/// What a deployment lets namespaces be at clouds.
#[derive(Debug, Clone, Default)]
pub struct CloudRules {
    /// Who may be whom.
    pub grants: CloudGrants,
    /// What stands in for clouds in tests.
    pub stand_ins: CloudStandIns,
}

impl CloudRules {
    /// Whether a namespace may have a login where it wants to use it: it has a grant, the registry is the cloud's, and nobody
    /// whom the mirror's owner chooses can read what is sent there.
    pub fn check(&self, namespace: &Namespace, login: &CloudLogin, way: CloudWay<'_>) -> Result<(), CloudRefusal> {
        let identity = login.identity();
        if !self.grants.allow(namespace, &identity) {
            return Err(CloudRefusal::NotGranted { namespace: namespace.to_string(), identity });
        }
        // The operator says what stands in, and by which way it is spoken to.
        if self.stand_ins.has_registry(way.authority) {
            return Ok(());
        }
        if !login.is_for(way.authority) {
            return Err(CloudRefusal::OtherRegistry { host: way.authority.to_owned(), kind: login.kind() });
        }
        match way.exposure {
            Some(exposure) => Err(CloudRefusal::OtherWay(exposure.remedy())),
            None => Ok(()),
        }
    }
}

/// A text that cannot be what it is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it must be {0}")]
pub struct CloudNameError(&'static str);

/// A name in a cloud, parsed.
macro_rules! cloud_name {
    ($(#[$doc:meta])* $name:ident, $is_one:ident, $form:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = CloudNameError;

            fn try_from(text: String) -> Result<Self, CloudNameError> {
                if $is_one(&text) { Ok(Self(text)) } else { Err(CloudNameError($form)) }
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

cloud_name! {
    /// A role of IAM.
    RoleArn, is_role, "arn:aws:iam::ACCOUNT:role/NAME"
}

cloud_name! {
    /// A provider of a workload identity pool of Google's, by its full name.
    WorkloadProvider, is_provider, "projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER"
}

cloud_name! {
    /// A service account of Google's, by its address.
    ServiceAccount, is_service_account, "NAME@PROJECT.iam.gserviceaccount.com"
}

fn is_role(text: &str) -> bool {
    let parts: Vec<_> = text.splitn(6, ':').collect();
    let [arn, partition, iam, region, account, role] = parts[..] else { return false };
    let is_partition = partition == "aws" || partition.strip_prefix("aws-").is_some_and(|rest| is_of(rest, b"-"));
    let is_account = registry::is_account(account);
    let name = role.strip_prefix("role/").unwrap_or_default();
    let is_name = name.len() <= ROLE_LENGTH
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&byte));
    (arn, iam, region) == ("arn", "iam", "") && is_partition && is_account && is_name
}

fn is_provider(text: &str) -> bool {
    let parts: Vec<_> = text.split('/').collect();
    let [projects, number, locations, global, pools, pool, providers, provider] = parts[..] else { return false };
    let fixed = [projects, locations, global, pools, providers];
    text.len() <= PROVIDER_LENGTH
        && fixed == ["projects", "locations", "global", "workloadIdentityPools", "providers"]
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && [pool, provider].into_iter().all(|id| is_of(id, b"-"))
}

fn is_service_account(text: &str) -> bool {
    let Some((name, project)) = text.strip_suffix(SERVICE_ACCOUNTS).and_then(|rest| rest.split_once('@')) else {
        return false;
    };
    // Projects of a domain have its name before their own, separated by a dot.
    text.len() <= SERVICE_ACCOUNT_LENGTH && is_of(name, b"-") && is_of(project, b"-.")
}

/// Whether a text is some letters in lower case and digits, with these characters between them.
fn is_of(text: &str, others: &[u8]) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = [text.bytes().next(), text.bytes().next_back()];
    ends.into_iter().all(|end| end.is_some_and(is_plain))
        && text.bytes().all(|byte| is_plain(byte) || others.contains(&byte))
}

#[cfg(test)]
mod tests;

//! Which hosts are registries of which cloud. Nobody but the cloud can have one of these names.

/// The digits of an account.
const ACCOUNT_LENGTH: usize = 12;
/// The longest name of a region that is looked at: those that there are have half of it.
const REGION_LENGTH: usize = 32;
/// The gallery, which has one registry for all accounts.
pub(super) const ECR_PUBLIC: &str = "public.ecr.aws";
/// What names of ECR's registries have between the account and the region, and behind that; and what the names of its API
/// have around the region. By IPv4, and by both families of addresses.
const ECR: [(&str, &str, &str, &str); 6] = [
    (".dkr.ecr.", ".amazonaws.com", "api.ecr.", ".amazonaws.com"),
    (".dkr.ecr-fips.", ".amazonaws.com", "ecr-fips.", ".amazonaws.com"),
    (".dkr.ecr.", ".amazonaws.com.cn", "api.ecr.", ".amazonaws.com.cn"),
    (".dkr-ecr.", ".on.aws", "ecr.", ".api.aws"),
    (".dkr-ecr-fips.", ".on.aws", "ecr-fips.", ".api.aws"),
    (".dkr-ecr.", ".on.amazonwebservices.com.cn", "ecr.", ".api.amazonwebservices.com.cn"),
];
/// Where names of AWS's in China end.
const CHINA: &str = ".cn";
/// Google's Container Registry, which Artifact Registry answers for.
const GOOGLE: [&str; 4] = ["gcr.io", "us.gcr.io", "eu.gcr.io", "asia.gcr.io"];
/// Where the names of Artifact Registry's repositories of images end, behind their location.
const ARTIFACT_REGISTRY: &str = "-docker.pkg.dev";
/// Where the names of Azure's registries end.
const AZURE: &str = ".azurecr.io";

/// A registry of ECR, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcrRegistry<'a> {
    /// Whose it is.
    pub account: &'a str,
    /// Where it is.
    pub region: &'a str,
    /// The host of the API that gives tokens for it.
    pub api: String,
}

impl<'a> EcrRegistry<'a> {
    /// The one of a host, in lower case and without a port, if it is one.
    pub fn of(host: &'a str) -> Option<Self> {
        ECR.iter().find_map(|&(middle, end, before, behind)| {
            let (account, region) = host.strip_suffix(end)?.split_once(middle)?;
            let api = format!("{before}{region}{behind}");
            let is_one = is_place(account, region) && end.ends_with(CHINA) == (partition(region) == "aws-cn");
            is_one.then_some(Self { account, region, api })
        })
    }
}

/// Whether these can be an account and a region.
pub(crate) fn is_place(account: &str, region: &str) -> bool {
    is_account(account) && region.len() <= REGION_LENGTH && is_region(region)
}

/// Whether a text has the form of a region: letters of a country or a continent, where it is there, and a number.
fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let (Some(area), Some(number)) = (parts.next(), parts.next_back()) else { return false };
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    let mut between = parts.peekable();
    area.len() >= 2
        && is_word(area)
        && between.peek().is_some()
        && between.all(is_word)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// The partition of a region: the part of AWS whose roles and tokens mean something there, and nowhere else.
pub fn partition(region: &str) -> &'static str {
    let known = [("cn-", "aws-cn"), ("us-gov-", "aws-us-gov")];
    known.into_iter().find(|(prefix, _)| region.starts_with(prefix)).map_or("aws", |(_, partition)| partition)
}

/// Whether this can be an account.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == ACCOUNT_LENGTH && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn is_google(host: &str) -> bool {
    GOOGLE.contains(&host) || host.strip_suffix(ARTIFACT_REGISTRY).is_some_and(is_label)
}

pub(super) fn is_azure(host: &str) -> bool {
    host.strip_suffix(AZURE).is_some_and(is_label)
}

/// Whether a text is one part of a host's name: so nothing else can be hidden in it.
fn is_label(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

//! AWS: who the function is there, and its token service.

use std::time::SystemTime;

use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use aws_types::{SdkConfig, service_config::ServiceConfigKey};
use moorage_domain::{
    Guard, Namespace, SecretString,
    cloud::{RoleArn, external_id},
};
use moorage_upstream::{Receivers, UpstreamError};
use url::Url;

use crate::{
    CloudError,
    question::{FORM, Question, form},
    sign::{Scope, signature},
};

/// Where services are, if not where AWS has them; for a single one with its name behind.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// The version of STS's requests.
const STS_VERSION: &str = "2011-06-15";
/// How long an assumed role lasts, in seconds: an hour, which is the most that one gets who is an assumed role itself.
const ROLE_SECONDS: &str = "3600";
/// How long a token of the function's lasts that is exchanged at once, in seconds.
const IDENTITY_SECONDS: &str = "300";
/// The longest part of a session's name that is the namespace's: STS has 64 characters for all of it.
const SESSION_LENGTH: usize = 56;
/// Who is asked.
pub(crate) const AWS: &str = "AWS";
/// AWS's addresses may be private, where a VPC has endpoints of its own; its names are nobody's choice.
const ANY_ADDRESS: &str = "0.0.0.0/0,::/0";

/// The function's own account.
#[derive(Debug, Clone)]
pub(crate) struct Aws {
    config: SdkConfig,
}

/// A service of AWS that is asked something.
#[derive(Debug, Clone)]
pub(crate) struct Service<'a> {
    /// Its name in the variables of endpoints.
    pub(crate) id: &'static str,
    /// Its host.
    pub(crate) host: &'a str,
}

impl Aws {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self { config: config.clone() }
    }

    /// Where the function runs.
    pub(crate) fn region(&self) -> &str {
        self.config.region().map_or("us-east-1", AsRef::as_ref)
    }

    /// The credentials of the function's role.
    pub(crate) async fn own(&self) -> Result<Credentials, CloudError> {
        let provider = self.config.credentials_provider().ok_or(CloudError::NoRole)?;
        provider.provide_credentials().await.map_err(|_| CloudError::NoRole)
    }

    /// The host of the region's token service.
    pub(crate) fn sts_host(&self) -> String {
        let end = if self.region().starts_with("cn-") { ".cn" } else { "" };
        format!("sts.{}.amazonaws.com{end}", self.region())
    }

    /// The credentials of a role that trusts the function's, for a namespace.
    pub(crate) async fn assume(&self, role: &RoleArn, namespace: &Namespace) -> Result<Credentials, CloudError> {
        let external_id = external_id(namespace);
        let session: String = namespace.as_str().chars().take(SESSION_LENGTH).collect();
        let (what, advice) = (
            format!("to let the sync function be {role}"),
            format!(
                "the role's trust policy has to name the sync function's role, with the external id {external_id}, and \
                 the parameter CloudRoles has to name the role"
            ),
        );
        let body = form(&[
            ("Action", "AssumeRole"),
            ("Version", STS_VERSION),
            ("RoleArn", role.as_str()),
            ("RoleSessionName", &format!("moorage-{session}")),
            ("ExternalId", &external_id),
            ("DurationSeconds", ROLE_SECONDS),
        ]);
        let (question, answer) = self.sts(what, advice, body).await?;
        let [id, secret, token] = ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| element(&answer, name));
        let (Some(id), Some(secret), Some(token)) = (id, secret, token) else { return Err(question.unexpected()) };
        Ok(Credentials::new(id, secret, Some(token), None, "AssumeRole"))
    }

    /// A token by which others know the function's role, for an audience.
    pub(crate) async fn identity_token(&self, audience: &str) -> Result<SecretString, CloudError> {
        let (what, advice) = (
            "a token that says who the sync function is".to_owned(),
            "outbound identity federation has to be enabled in the account, and the parameter CloudGrants has to name \
             an application of Azure's"
                .to_owned(),
        );
        let body = form(&[
            ("Action", "GetWebIdentityToken"),
            ("Version", STS_VERSION),
            ("Audience.member.1", audience),
            ("SigningAlgorithm", "RS256"),
            ("DurationSeconds", IDENTITY_SECONDS),
        ]);
        let (question, answer) = self.sts(what, advice, body).await?;
        element(&answer, "WebIdentityToken").map(SecretString::from).ok_or_else(|| question.unexpected())
    }

    async fn sts(&self, what: String, advice: String, body: String) -> Result<(Question, String), CloudError> {
        let host = self.sts_host();
        let scope = Scope { service: "sts", region: self.region() };
        let service = Service { id: "STS", host: &host };
        let headers = vec![("content-type", FORM.to_owned())];
        let code = |body: &[u8]| element(&String::from_utf8_lossy(body), "Code");
        let (who, url) = (AWS, self.url(&service)?);
        let mut question = Question { who, what, advice, url, headers, body, code };
        let answer = self.ask(&mut question, scope, &self.own().await?).await?;
        Ok((question, String::from_utf8_lossy(&answer).into_owned()))
    }

    /// Signs a question, and asks it.
    pub(crate) async fn ask(
        &self,
        question: &mut Question,
        scope: Scope<'_>,
        credentials: &Credentials,
    ) -> Result<Vec<u8>, CloudError> {
        let request = (question.url.as_str(), question.headers.as_slice(), question.body.as_str());
        let signed = signature(request, scope, credentials, SystemTime::now())?;
        question.headers.extend(signed);
        let unreachable =
            |error: UpstreamError| CloudError::Unreachable { who: AWS, what: question.what.clone(), error };
        let host = question.url.host_str().unwrap_or_default();
        let guard = Guard::new(&format!("{ANY_ADDRESS},{host}"));
        let guard = guard.map_err(|_| unreachable(UpstreamError::NotAllowed(host.to_owned())))?;
        question.ask(&Receivers::new(guard)).await
    }

    /// Where a service is.
    pub(crate) fn url(&self, service: &Service<'_>) -> Result<Url, CloudError> {
        let key = ServiceConfigKey::builder().service_id(service.id).env(ENDPOINT).profile("endpoint_url").build();
        let own = key.ok().and_then(|key| self.config.service_config()?.load_config(key));
        let url = own.or_else(|| self.config.endpoint_url().map(str::to_owned));
        let url = url.unwrap_or_else(|| format!("https://{}/", service.host));
        url.parse().map_err(|_| CloudError::NoRole)
    }
}

/// The text of an XML element that has nothing but text, as all have that are looked for; tokens have no character in them
/// that XML would have written otherwise.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    (!text.is_empty() && !text.contains(['<', '&'])).then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use aws_types::region::Region;

    use super::*;

    #[test]
    fn services_are_where_the_region_has_them() {
        let host =
            |region: &'static str| Aws::new(&SdkConfig::builder().region(Region::new(region)).build()).sts_host();
        assert_eq!(host("eu-central-1"), "sts.eu-central-1.amazonaws.com");
        assert_eq!(host("cn-north-1"), "sts.cn-north-1.amazonaws.com.cn");
        let service = Service { id: "STS", host: "sts.eu-central-1.amazonaws.com" };
        let real = Aws::new(&SdkConfig::builder().build());
        assert_eq!(real.url(&service).unwrap().as_str(), "https://sts.eu-central-1.amazonaws.com/");
        let elsewhere = Aws::new(&SdkConfig::builder().endpoint_url("http://127.0.0.1:4566").build());
        assert_eq!(elsewhere.url(&service).unwrap().as_str(), "http://127.0.0.1:4566/");
    }

    #[test]
    fn what_sts_answers_is_read() {
        let answer = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>\n\
                      <SecretAccessKey>a/b+c=</SecretAccessKey></Credentials></AssumeRoleResult></AssumeRoleResponse>";
        assert_eq!(element(answer, "AccessKeyId").as_deref(), Some("ASIA1"));
        assert_eq!(element(answer, "SecretAccessKey").as_deref(), Some("a/b+c="));
        for (xml, name) in
            [(answer, "SessionToken"), ("<Code></Code>", "Code"), ("<Code><a/></Code>", "Code"), ("<Code>", "Code")]
        {
            assert_eq!(element(xml, name), None, "{xml}");
        }
    }
}

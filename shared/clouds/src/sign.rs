//! Signatures of requests to AWS (Signature Version 4).

use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4::SigningParams,
};

use crate::CloudError;

/// Whom a request is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) service: &'a str,
    pub(crate) region: &'a str,
}

/// The headers that sign a POST, beside those that it has.
pub(crate) fn signature(
    (url, headers, body): (&str, &[(&'static str, String)], &str),
    scope: Scope<'_>,
    credentials: &Credentials,
    now: SystemTime,
) -> Result<Vec<(&'static str, String)>, CloudError> {
    let identity = credentials.clone().into();
    let parameters = SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|_| CloudError::NoRole)?;
    let sent = headers.iter().map(|(name, value)| (*name, value.as_str()));
    let request = SignableRequest::new("POST", url, sent, SignableBody::Bytes(body.as_bytes()));
    let signed = request.and_then(|request| sign(request, &parameters.into())).map_err(|_| CloudError::NoRole)?;
    let (headers, _) = signed.into_parts().0.into_parts();
    Ok(headers.iter().map(|header| (header.name(), header.value().to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// AWS's own example of a signed request: `post-x-www-form-urlencoded` of its test suite.
    #[test]
    fn signs_as_aws_says() {
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "test");
        let headers = [("content-type", "application/x-www-form-urlencoded".to_owned())];
        let request = ("https://example.amazonaws.com/", headers.as_slice(), "Param1=value1");
        let scope = Scope { service: "service", region: "us-east-1" };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let signed = signature(request, scope, &credentials, now).unwrap();
        let header = |name: &str| signed.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        assert_eq!(header("x-amz-date"), Some("20150830T123600Z"));
        let expected = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                        SignedHeaders=content-type;host;x-amz-date, \
                        Signature=ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a";
        assert_eq!(header("authorization"), Some(expected));
    }

    #[test]
    fn the_tokens_of_a_role_are_signed_with_it() {
        let credentials = Credentials::new("A", "s", Some("session".to_owned()), None, "test");
        let scope = Scope { service: "sts", region: "eu-west-1" };
        let extra = [("x-goog-cloud-target-resource", "//iam.googleapis.com/x".to_owned())];
        let request =
            ("https://sts.eu-west-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15", &extra[..], "");
        let signed = signature(request, scope, &credentials, SystemTime::UNIX_EPOCH).unwrap();
        let (_, authorization) = signed.iter().find(|(name, _)| *name == "authorization").unwrap();
        let names = "SignedHeaders=host;x-amz-date;x-amz-security-token;x-goog-cloud-target-resource";
        assert!(authorization.contains(names), "{authorization}");
        assert!(signed.contains(&("x-amz-security-token", "session".to_owned())));
    }
}

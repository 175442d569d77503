//! URLs: where they lead, and how people see them.

use reqwest::header::HeaderValue;
use url::Url;

/// Where a `Location` leads: without a user and a password, which would be sent there as ours.
pub(crate) fn redirected(from: &Url, location: &HeaderValue) -> Option<Url> {
    let target = from.join(location.to_str().ok()?).ok()?;
    Some(without_user(target))
}

/// A URL without its user and password.
pub(crate) fn without_user(mut url: Url) -> Url {
    // URLs that cannot have a user refuse to lose it.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

/// A URL for people: no user, no query, no fragment.
pub(crate) fn display(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

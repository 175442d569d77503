//! The way to the API: its name, its certificate, its clock.

use std::time::Duration;

use moorage_client::{Address, Answer, Client, ClientError, Method, Request};

use crate::{clock::now, commands::doctor::check::Check, output::duration};

/// How long a name may take to be resolved.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many seconds apart both clocks may be: less than a minute is what answers take, and what nobody notices.
const APART: u64 = 60;
/// So far apart, signed requests to AWS are refused.
const FAR_APART: u64 = 300;

/// Whether its name leads anywhere.
pub(super) async fn name(address: &Address) -> Check {
    const WHAT: &str = "name";
    let (host, port) = (address.host().trim_matches(['[', ']']), address.port());
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(addresses)) => {
            let number = addresses.count();
            let addresses = if number == 1 { "address" } else { "addresses" };
            Check::fine(WHAT, format!("{host} has {number} {addresses}"))
        }
        Ok(Err(_)) | Err(_) if has_proxy() => Check::fine(WHAT, format!("{host} is for the proxy to resolve")),
        Ok(Err(error)) => Check::failed(
            WHAT,
            format!("{host} cannot be resolved: {error}"),
            Some("Look at MOORAGE_URL, at this machine's DNS, and whether it takes a VPN."),
        ),
        Err(_) => Check::failed(WHAT, format!("{host} was not resolved in time"), Some("Look at this machine's DNS.")),
    }
}

/// Whether the environment names a proxy, which resolves names itself.
fn has_proxy() -> bool {
    let names = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    names.into_iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Whether it answers, as itself, and what its clock says.
pub(super) async fn answer(anonymous: &Client) -> Vec<Check> {
    const WHAT: &str = "answer";
    let request = Request::new(Method::Get, "registry/capabilities").once();
    match anonymous.call(&request).await {
        Ok(answer) => {
            let how = if anonymous.address().is_encrypted() { "by verified TLS" } else { "by plain http" };
            vec![Check::fine(WHAT, format!("{} answers {how}", anonymous.address())), clock(&answer)]
        }
        Err(error) => vec![Check::failed(WHAT, error.to_string(), Some(advice(&error)))],
    }
}

fn advice(error: &ClientError) -> &'static str {
    match error {
        ClientError::Unreachable { why, .. } if is_of_tls(why) => {
            "Its certificate is not one that this machine trusts: look at MOORAGE_URL, and at the machine's certificates \
             (SSL_CERT_FILE names others)."
        }
        ClientError::Unreachable { .. } => "Look at its port, at firewalls, and at HTTPS_PROXY.",
        ClientError::NotUnderstood { .. } | ClientError::NotFound { .. } => {
            "It is not the management API: MOORAGE_URL is the deployment's address, its output ApiUrl."
        }
        _ => "Look at the deployment's log, and at its runbook.",
    }
}

fn is_of_tls(why: &str) -> bool {
    ["certificate", "tls", "handshake"].iter().any(|word| why.to_ascii_lowercase().contains(word))
}

fn clock(answer: &Answer) -> Check {
    const WHAT: &str = "clock";
    let Some(theirs) = answer.date else { return Check::fine(WHAT, "the API does not say what time it is") };
    let apart = now().unix().abs_diff(theirs.unix());
    let message = format!("this machine's clock and the API's are {} apart", duration(apart));
    let advice = "Set this machine's clock (by NTP): moments that you give are taken by the API's.";
    match apart {
        ..APART => Check::fine(WHAT, message),
        APART..FAR_APART => Check::warning(WHAT, message, advice),
        FAR_APART.. => Check::failed(WHAT, message, Some(advice)),
    }
}

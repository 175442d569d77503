//! How people sign in: whether the provider can be reached, and who has signed in here.

use moorage_client::{Client, Endpoint, Provider, ProviderError};

use crate::{
    agent::AGENT,
    clock::now,
    commands::doctor::check::Check,
    context::Caller,
    output::duration,
    session::{Endpoints, SignIn, Stored},
};

/// What was looked at.
const WHAT: &str = "sign-in";

pub(super) async fn of(anonymous: &Client, caller: Option<&Caller>) -> Vec<Check> {
    let sign_in = match SignIn::read(anonymous).await {
        Ok(Some(sign_in)) => sign_in,
        Ok(None) => {
            return vec![Check::fine(WHAT, "people do not sign in: the deployment has no provider (OidcIssuer)")];
        }
        Err(error) => return vec![Check::warning(WHAT, error.to_string(), error.advice().unwrap_or_default())],
    };
    let mut checks = vec![provider(&sign_in).await];
    if let Some(Caller::SignIn(stored)) = caller {
        checks.push(kept(&sign_in, stored));
    }
    checks
}

/// Whether the provider answers the deployment, and this machine.
async fn provider(sign_in: &SignIn) -> Check {
    let SignIn { issuer, client_id, .. } = sign_in;
    let Some(endpoints) = &sign_in.endpoints else {
        let message = format!("the deployment cannot reach {issuer}, so that nobody can sign in anew");
        let advice =
            "Look at that provider, at OidcIssuer, and at the log of the API's function. Tokens work all the same.";
        return Check::warning(WHAT, message, advice);
    };
    if let Err(error) = look(endpoints, issuer, client_id).await {
        let advice = "Sign-ins are made and renewed from this machine: look at firewalls, and at HTTPS_PROXY.";
        return Check::warning(WHAT, error.to_string(), advice);
    }
    let how = if endpoints.device.is_some() { "" } else { ", in the console alone: it has no codes for other devices" };
    Check::fine(WHAT, format!("{issuer} answers, and people are its client {client_id}{how}"))
}

async fn look(endpoints: &Endpoints, issuer: &str, client_id: &str) -> Result<(), ProviderError> {
    let provider = Provider::new(endpoints.token.clone(), client_id, AGENT)?;
    provider.look(&Endpoint::parse(issuer)?).await
}

/// The sign-in that is kept here. Whether it is good is looked at by what it is for.
fn kept(sign_in: &SignIn, stored: &Stored) -> Check {
    if (&sign_in.issuer, &sign_in.client_id) != (&stored.issuer, &stored.client_id) {
        let message = format!("the sign-in that is kept here is of {}, client {}", stored.issuer, stored.client_id);
        return Check::warning(WHAT, message, "`moorage login` makes one of the present provider.");
    }
    let left = stored.ends().map_or(0, |ends| ends.unix() - now().unix());
    let left = u64::try_from(left).unwrap_or_default();
    match (left, stored.renewal().is_some()) {
        (0, false) => {
            Check::warning(WHAT, "the sign-in that is kept here has ended", "`moorage login` signs in again.")
        }
        (0, true) => Check::fine(WHAT, "the sign-in that is kept here has ended, and is to be renewed"),
        (left, false) => Check::fine(WHAT, format!("a sign-in is kept here that ends in {}", duration(left))),
        (_, true) => Check::fine(WHAT, "a sign-in is kept here, and renewed when it ends"),
    }
}

//! `login`.

use moorage_client::{Authorization, Client, ClientError, Provider, SecretString, Tokens};
use moorage_domain::Timestamp;
use serde_json::{Value, json};

use crate::{
    agent::AGENT,
    clock::now,
    context::{Context, client},
    error::CliError,
    exit::Exit,
    output::{duration, note, note_whole},
    session::{Endpoints, Folder, SignIn, Stored},
};

/// Signs in by a code that is confirmed on another device (RFC 8628), and keeps it.
pub(super) async fn run(context: &Context) -> Result<Exit, CliError> {
    let (address, folder) = (context.address()?, Folder::of_user()?);
    let anonymous = client(address.clone(), None)?;
    let sign_in = SignIn::read(&anonymous).await?;
    let sign_in = sign_in.ok_or(CliError::NoSignIn("the deployment has no provider for people"))?;
    let unreachable = CliError::NoSignIn("the deployment cannot reach its provider now");
    let Endpoints { token, device } = sign_in.endpoints.clone().ok_or(unreachable)?;
    let device = device.ok_or(CliError::NoSignIn("the provider has no codes for other devices (RFC 8628)"))?;

    let provider = Provider::new(token.clone(), &sign_in.client_id, AGENT)?;
    let authorization = provider.authorize(&device, &sign_in.scopes).await?;
    show(&authorization);
    let tokens = provider.wait(&authorization).await?;
    // Who is not let in is not kept.
    let user = user(context, &tokens.id_token).await?;
    let stored = kept(&address.root(), &sign_in, token.as_str(), tokens);
    let lock = folder.lock(&address).await?;
    folder.write(&address, &stored, &lock)?;
    drop(lock);
    tell(context, &user, &stored)?;
    Ok(Exit::Done)
}

/// What is to be done elsewhere. Both are of plain characters, however the provider writes them.
fn show(authorization: &Authorization) {
    note("Open this page in a browser, on whatever device:");
    note_whole(&format!("    {}", authorization.verification_uri));
    note(&format!("and enter the code {}", authorization.user_code));
    if let Some(complete) = &authorization.verification_uri_complete {
        note("or open this one, and see whether it shows that code:");
        note_whole(&format!("    {complete}"));
    }
    let seconds = authorization.expires_in.as_secs();
    note(&format!("It is good for {}. Waiting; Ctrl-C gives up.", duration(seconds)));
}

/// Who the API takes somebody for.
async fn user(context: &Context, id_token: &SecretString) -> Result<Value, CliError> {
    let client: Client = client(context.address()?, Some(id_token))?;
    client.get("user/").await.map_err(|error| match error {
        error @ ClientError::Unauthorized { .. } => CliError::from(error).of_sign_in(),
        error => error.into(),
    })
}

fn kept(url: &str, sign_in: &SignIn, token_endpoint: &str, tokens: Tokens) -> Stored {
    let (issuer, client_id) = (sign_in.issuer.clone(), sign_in.client_id.clone());
    let (url, token_endpoint) = (url.to_owned(), token_endpoint.to_owned());
    let Tokens { id_token, refresh_token } = tokens;
    Stored { url, issuer, client_id, token_endpoint, id_token, refresh_token, received: now() }
}

fn tell(context: &Context, user: &Value, stored: &Stored) -> Result<(), CliError> {
    let name = user["username"].as_str().unwrap_or_default();
    let (ends, is_renewed) = (stored.ends(), stored.refresh_token.is_some());
    if context.screen.is_json() {
        let ends = ends.map(Timestamp::iso);
        let shown = json!({"username": name, "url": stored.url, "issuer": stored.issuer, "ends": ends, "is_renewed": is_renewed});
        context.screen.json(&shown)?;
    } else {
        context.screen.line(&format!("You are signed in to {} as {name}.", stored.url))?;
        let left = ends.map(|ends| u64::try_from(ends.unix() - now().unix()).unwrap_or_default());
        if let (false, Some(left)) = (is_renewed, left) {
            let why = "the provider has given nothing to renew it by";
            context.screen.line(&format!("It ends in {}: {why} (OidcScopes).", duration(left)))?;
        }
    }
    if context.token()?.is_some() {
        note("The token that is given (MOORAGE_TOKEN or --token-file) comes before the sign-in.");
    }
    Ok(())
}

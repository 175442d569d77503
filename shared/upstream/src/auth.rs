//! Authentication: Basic, and Bearer tokens that are fetched once for all who wait.

use std::time::Instant;

use moorage_domain::{Credentials, ExposeSecret as _, TokenRealm};
use reqwest::{StatusCode, header::HeaderValue};
use tokio::sync::Mutex;
use url::Url;

use crate::{
    UpstreamError,
    address::display,
    answer::{Head, error_message},
    challenge::{self, Challenge},
    http::Http,
    realm::{Verdict, judge, resolve},
    root,
    scopes::Scopes,
    token::{REFRESH_MARGIN, Server, basic},
};

/// How often `/v2/` is asked, each time as often as any request is made, before nobody waits for its answer any more.
const MAX_PINGS: u32 = 2;
/// How often one request logs in: once; once more where what it was given is refused, which asks for a token of other
/// scopes; and once for the last of these.
const MAX_LOGINS: u32 = 3;
/// How many tokens of a run may be refused that were made for the very request: registries that refuse whom they know by
/// 401 are not asked three times for everything.
const SPARE_LOGINS: u32 = 8;

/// The identity of one sync at one registry.
#[derive(Debug)]
pub(crate) struct Auth {
    credentials: Option<Credentials>,
    /// Token servers of other domains that may have the credentials.
    realms: Vec<TokenRealm>,
    /// Held while a token is fetched: that makes everybody else wait for it.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The challenge that was answered last, and where it came from.
    challenge: Option<(Challenge, Url)>,
    /// What `/v2/` challenges by, once it has answered, or how it failed to, several times. It is asked no more then.
    base: Option<Result<Vec<Challenge>, UpstreamError>>,
    /// How often it was asked in vain.
    pings: u32,
    /// The token server that answered first, without its query. There is no other in a run.
    realm: Option<Url>,
    /// Why the token server was asked without the credentials, if it was.
    withheld: Option<String>,
    /// Why nobody could log in by what `/v2/` says.
    failed: Option<String>,
    scopes: Scopes,
    header: Option<HeaderValue>,
    /// When a token must be replaced.
    refresh_at: Option<Instant>,
    /// Counts headers, so that of many who were refused with one only the first replaces it.
    generation: u64,
    /// How many more fresh tokens may be refused.
    spare: u32,
}

impl State {
    /// Takes in the scopes of challenges. Tells whether any is new.
    fn learn(&mut self, challenges: &[Challenge]) -> bool {
        let named: Vec<_> = challenges.iter().flat_map(Challenge::scopes).cloned().collect();
        self.scopes.learn(&named)
    }
}

/// The authorization of one request.
#[derive(Debug, Default)]
pub(crate) struct Authorization {
    pub(crate) header: Option<HeaderValue>,
    generation: u64,
}

/// How far one request has come in logging in.
#[derive(Debug, Default)]
pub(crate) struct Login {
    /// What it was sent with.
    pub(crate) used: Authorization,
    /// How often it was refused.
    refusals: u32,
}

impl Auth {
    /// With the scope that tokens are asked for (distribution's token specification).
    pub(crate) fn new(credentials: Option<Credentials>, realms: Vec<TokenRealm>, scope: String) -> Self {
        let state = State {
            challenge: None,
            base: None,
            pings: 0,
            realm: None,
            withheld: None,
            failed: None,
            scopes: Scopes::new(scope),
            header: None,
            refresh_at: None,
            generation: 0,
            spare: SPARE_LOGINS,
        };
        Self { credentials, realms, state: Mutex::new(state) }
    }

    /// What to send with a request now. Replaces a token that is about to end.
    pub(crate) async fn authorization(&self, http: &Http) -> Result<Authorization, UpstreamError> {
        let mut state = self.state.lock().await;
        if state.refresh_at.is_some_and(|at| at <= Instant::now())
            && let Some((challenge, registry)) = state.challenge.clone()
        {
            // Boxed, as below: what logs in is large, and most requests need not.
            Box::pin(self.answer(challenge, false, &registry, &mut state, http)).await?;
        }
        Ok(Authorization { header: state.header.clone(), generation: state.generation })
    }

    /// Whether a request to `registry` that was answered so is to be sent again, because there is another authorization
    /// now. If somebody else has logged in meanwhile, that will do.
    ///
    /// A refusal (401) asks to log in; one of whom we know little (403, and 404 where a registry hides what it has) may.
    pub(crate) async fn logs_in(
        &self,
        login: &mut Login,
        registry: &Url,
        head: &Head,
        http: &Http,
    ) -> Result<bool, UpstreamError> {
        let is_asked = head.status == StatusCode::UNAUTHORIZED;
        if !head.is_own || !(is_asked || matches!(head.status.as_u16(), 403 | 404)) || login.refusals >= MAX_LOGINS {
            return Ok(false);
        }
        let mut state = self.state.lock().await;
        if state.generation != login.used.generation {
            login.refusals += 1;
            return Ok(true);
        }
        let challenges = challenge::of(&head.headers);
        let again = if is_asked {
            Box::pin(self.challenged(challenges, login, registry, &mut state, http)).await?
        } else if login.used.header.is_some() {
            // Whoever has logged in is believed what it is told, unless more is asked for (RFC 6750, 3.1).
            let is_new = state.learn(&challenges);
            is_new && Box::pin(self.challenged(challenges, login, registry, &mut state, http)).await?
        } else {
            Box::pin(self.guess(challenges, registry, &mut state, http)).await?
        };
        login.refusals += 1;
        Ok(again)
    }

    /// What a refusal comes from, if the registry's token server was not given the credentials, or they were of no use.
    pub(crate) async fn explanation(&self, status: StatusCode) -> Option<UpstreamError> {
        let state = self.state.lock().await;
        let why = match status.as_u16() {
            401 | 403 => state.withheld.as_deref().or(state.failed.as_deref()),
            404 => state.failed.as_deref(),
            _ => None,
        };
        let is_closed = status == StatusCode::UNAUTHORIZED && state.challenge.is_none();
        let why = why.or(is_closed.then_some("the registry refuses access and names no way to log in"));
        why.map(|why| UpstreamError::Auth(why.to_owned()))
    }

    /// What the registry says of an error, without what it was sent as a secret.
    pub(crate) async fn said(&self, body: &[u8]) -> Option<String> {
        let state = self.state.lock().await;
        let header = state.header.as_ref().and_then(|header| header.to_str().ok()).unwrap_or_default();
        // Of the scheme and what it sends, the latter.
        let sent = header.split_once(' ').map_or(header, |(_, sent)| sent);
        let password = self.credentials.as_ref().map(|credentials| credentials.password.expose_secret());
        error_message(body, [sent].into_iter().chain(password))
    }

    /// Logs in after a refusal. Tells whether there is anything that was not tried.
    async fn challenged(
        &self,
        mut challenges: Vec<Challenge>,
        login: &Login,
        registry: &Url,
        state: &mut State,
        http: &Http,
    ) -> Result<bool, UpstreamError> {
        if challenges.is_empty() {
            challenges = match &state.challenge {
                // A registry that says how to log in once says it for all.
                Some((challenge, _)) => vec![challenge.clone()],
                None => self.base(registry, state, http).await?.to_vec(),
            };
        }
        if challenges.is_empty() {
            return Ok(false);
        }
        let is_new = state.learn(&challenges);
        let mut basic_first = false;
        if login.used.header.is_some() {
            if matches!(state.challenge, Some((Challenge::Basic, _))) {
                // The same password again would be one more wrong one.
                challenges.retain(|challenge| *challenge != Challenge::Basic);
                if challenges.is_empty() {
                    return Ok(false);
                }
            }
            if login.refusals > 0 && !is_new {
                let is_nobodys = state.withheld.is_some() && !state.scopes.are_several();
                if state.spare == 0 || is_nobodys {
                    return Ok(false);
                }
                state.spare = state.spare.saturating_sub(1);
                basic_first = challenges.contains(&Challenge::Basic) && self.credentials.is_some();
                state.scopes.turn();
            }
        }
        self.answer_one(challenges, basic_first, registry, state, http).await.map(|()| true)
    }

    /// Logs in where nobody was asked to, by the answer's challenges or those of `/v2/`: some registries hide what they
    /// have from whoever has not. Tells whether that succeeded; it is tried once.
    async fn guess(
        &self,
        mut challenges: Vec<Challenge>,
        registry: &Url,
        state: &mut State,
        http: &Http,
    ) -> Result<bool, UpstreamError> {
        if matches!(state.base, Some(Ok(_))) {
            return Ok(false);
        }
        let base = self.base(registry, state, http).await?;
        if challenges.is_empty() {
            challenges = base.to_vec();
        }
        if self.credentials.is_none() {
            challenges.retain(|challenge| *challenge != Challenge::Basic);
        }
        if challenges.is_empty() {
            return Ok(false);
        }
        state.learn(&challenges);
        match self.answer_one(challenges, false, registry, state, http).await {
            Ok(()) => Ok(true),
            // Nobody in particular is told no more than before.
            Err(_) if self.credentials.is_none() => Ok(false),
            Err(error) => {
                state.failed = Some(error.to_string());
                let is_lasting = !error.is_transient() && !matches!(error, UpstreamError::RateLimited { .. });
                if is_lasting { Ok(false) } else { Err(error) }
            }
        }
    }

    /// What `/v2/` challenges by; nothing if it does not. Fails where it does not say: what was refused may have been
    /// refused only to whoever has not logged in.
    async fn base<'a>(
        &self,
        registry: &Url,
        state: &'a mut State,
        http: &Http,
    ) -> Result<&'a [Challenge], UpstreamError> {
        if state.base.is_none() {
            let said = root::challenges(registry, http).await;
            if let Err(error) = &said {
                state.pings = state.pings.saturating_add(1);
                if state.pings < MAX_PINGS || matches!(error, UpstreamError::RateLimited { .. }) {
                    return Err(error.clone());
                }
            }
            state.base = Some(said);
        }
        match &state.base {
            Some(Ok(challenges)) => Ok(challenges),
            Some(Err(error)) => Err(error.clone()),
            None => Ok(&[]),
        }
    }

    /// Answers the first challenge that can be answered. A token keeps the password off the wire, so it comes first.
    async fn answer_one(
        &self,
        mut challenges: Vec<Challenge>,
        basic_first: bool,
        registry: &Url,
        state: &mut State,
        http: &Http,
    ) -> Result<(), UpstreamError> {
        challenges.sort_by_key(|challenge| (*challenge == Challenge::Basic) != basic_first);
        challenges.dedup();
        let mut failure = None;
        while !challenges.is_empty() {
            let challenge = challenges.remove(0);
            let has_other = challenges.contains(&Challenge::Basic) && self.credentials.is_some();
            match self.answer(challenge, has_other, registry, state, http).await {
                Ok(()) => return Ok(()),
                Err(error @ UpstreamError::RateLimited { .. }) => return Err(error),
                Err(error) => drop(failure.get_or_insert(error)),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// The challenge that was answered last.
    pub(crate) async fn challenge(&self) -> Option<Challenge> {
        Some(self.state.lock().await.challenge.as_ref()?.0.clone())
    }

    /// Answers a challenge. Where there is another way to log in, that comes before a token for nobody in particular.
    async fn answer(
        &self,
        challenge: Challenge,
        has_other: bool,
        registry: &Url,
        state: &mut State,
        http: &Http,
    ) -> Result<(), UpstreamError> {
        let (header, lifetime) = match &challenge {
            Challenge::Basic => {
                let missing = || UpstreamError::Auth("the registry asks for a user name and a password".into());
                state.withheld = None;
                (self.credentials.as_ref().and_then(basic).ok_or_else(missing)?, None)
            }
            Challenge::Bearer { realm, service, .. } => {
                let realm = resolve(realm, registry);
                let realm = realm.ok_or_else(|| UpstreamError::Protocol("the realm is not a URL".into()))?;
                let place = place(&realm);
                if let Some(pinned) = state.realm.as_ref().filter(|pinned| **pinned != place) {
                    let (other, pinned) = (display(&place), display(pinned));
                    let message = format!("the registry asks to log in at {other}, after it did at {pinned}");
                    return Err(UpstreamError::Protocol(message));
                }
                let (credentials, withheld) = match &self.credentials {
                    Some(credentials) => match self.judge(&realm, registry, http).await {
                        Verdict::May => (Some(credentials), None),
                        verdict => (None, Some(explain(verdict, &realm))),
                    },
                    None => (None, None),
                };
                if let Some(why) = withheld.as_ref().filter(|_| has_other) {
                    return Err(UpstreamError::Auth(why.clone()));
                }
                state.withheld = withheld;
                let is_registry = place.origin() == registry.origin();
                let server = Server { realm, service: service.as_deref(), is_registry };
                let fetched = server.fetch(&mut state.scopes, credentials, http).await;
                let (header, lifetime) = match (fetched, &state.withheld) {
                    (Err(UpstreamError::Auth(_)), Some(why)) => return Err(UpstreamError::Auth(why.clone())),
                    (fetched, _) => fetched?,
                };
                state.realm = Some(place);
                (header, Some(lifetime))
            }
        };
        let until = lifetime.and_then(|lifetime| Instant::now().checked_add(lifetime.saturating_sub(REFRESH_MARGIN)));
        (state.challenge, state.header, state.refresh_at) = (Some((challenge, registry.clone())), Some(header), until);
        state.failed = None;
        state.generation += 1;
        Ok(())
    }

    /// Whether a token server may have the credentials. What it resolves to counts, too, where it is a stranger to the
    /// registry.
    async fn judge(&self, realm: &Url, registry: &Url, http: &Http) -> Verdict {
        let verdict = judge(registry, realm, &self.realms);
        let is_inside = verdict == Verdict::May
            && realm.host_str() != registry.host_str()
            && http.transport.leads_inside(realm).await
            && !http.transport.leads_inside(registry).await;
        if is_inside { Verdict::Never } else { verdict }
    }
}

/// Where a token server is: some registries change its query from one challenge to the next.
fn place(realm: &Url) -> Url {
    let mut place = realm.clone();
    place.set_query(None);
    place.set_fragment(None);
    place
}

/// How the mirror's settings name a token server.
fn named(realm: &Url) -> String {
    let port = realm.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", realm.host_str().unwrap_or_default())
}

/// Why a token server was not given the credentials, and what to do.
fn explain(verdict: Verdict, realm: &Url) -> String {
    let realm = named(realm);
    match verdict {
        Verdict::Never => format!(
            "the registry refuses access without a login, and the credentials are not sent to its token server {realm}: \
             that is not reached by https as the registry is, or at an address of this machine"
        ),
        Verdict::Unnamed | Verdict::May => format!(
            "the registry refuses access without a login, and its token server {realm} is not of its own domain: to send \
             the credentials there, name it in external_registry_config.token_realms"
        ),
    }
}

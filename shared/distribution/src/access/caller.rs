//! Who calls: a robot, a person, the holder of a token of the API, or nobody known.

use moorage_domain::{
    ExposeSecret as _, FederationId, Generation, Namespace, RobotLogin, RobotName, SecretString, Timestamp, UserName,
};
use moorage_runtime::StackSecret;
use moorage_state::{ApiToken, AppToken, Repository, Robot, RobotIdentity, RobotToken, Table};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::{
    access::people::{APP_USER, People, Provider},
    cache::{Cache, KEPT},
    error::PullError,
};

/// The user name that goes with tokens of the API, as in Quay.
const TOKEN_USER: &str = "$oauthtoken";
/// How many callers are kept.
const CAPACITY: usize = 1_000;
/// How much of a secret's hash a token names it by, in characters.
const CREDENTIAL_LENGTH: usize = 16;
/// What a token names a federation by that its robot has logged in by. No hash begins so.
const FEDERATION: &str = "federation:";
/// What an unknown caller's secret is compared with, so that the answer takes as long as for a known one.
const NO_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Anybody.
    Anonymous,
    /// A robot.
    Robot(RobotName),
    /// A person, by an app token of theirs.
    Person(UserName, Uuid),
    /// The holder of a token that the API made.
    Token(Uuid),
    /// The holder of the stack's first token.
    Admin,
}

impl Caller {
    /// The name: empty for nobody.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Anonymous => String::new(),
            Self::Robot(robot) => robot.to_string(),
            Self::Person(name, _) => name.to_string(),
            Self::Token(id) => format!("{TOKEN_USER}:{id}"),
            Self::Admin => TOKEN_USER.to_owned(),
        }
    }

    /// Whose name it is, of whoever has shown what `credential` names.
    pub(crate) fn parse(name: &str, credential: &str) -> Option<Self> {
        match name.strip_prefix(TOKEN_USER) {
            _ if name.is_empty() => Some(Self::Anonymous),
            Some("") => Some(Self::Admin),
            Some(id) => id.strip_prefix(':')?.parse().ok().map(Self::Token),
            None => match People::token_of(credential) {
                Some(token) => Some(Self::Person(name.parse().ok()?, token)),
                None => name.parse().ok().map(Self::Robot),
            },
        }
    }
}

/// What is kept of a token of the API.
#[derive(Clone)]
struct Known {
    hash: String,
    namespace: Option<Namespace>,
    /// Which of the organizations that bore the namespace's name it is limited to.
    organization: Generation,
}

/// What is kept of a robot.
#[derive(Clone)]
pub(crate) struct KnownRobot {
    hash: String,
    identity: RobotIdentity,
    /// By which of its federations passwords of it may have been given.
    federations: Vec<FederationId>,
}

/// Who somebody says they are. An app token may say it alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Such a caller.
    Caller(Caller),
    /// The user of an app token, whoever that is.
    AppToken(Uuid),
}

/// All callers, as the table and the stack's secret know them. Who is not there is kept, too: what is unknown must not
/// take longer to refuse than what is known.
pub(crate) struct Callers {
    table: Table,
    admin: StackSecret,
    robots: Cache<RobotName, Option<KnownRobot>>,
    tokens: Cache<Uuid, Option<Known>>,
    pub(crate) people: People,
}

impl Callers {
    pub(crate) fn new(table: Table, admin: StackSecret, provider: Option<Provider>) -> Self {
        let (robots, tokens) = (Cache::new(CAPACITY, KEPT), Cache::new(CAPACITY, KEPT));
        let people = People::new(table.clone(), provider);
        Self { table, admin, robots, tokens, people }
    }

    /// Who somebody claims to be by a user name and a password; nobody yet says that it is so.
    pub(crate) fn shown(user: &str, password: &SecretString) -> Option<Shown> {
        let password = password.expose_secret();
        if user == TOKEN_USER {
            return ApiToken::id_of(password).map(|id| Shown::Caller(Caller::Token(id)));
        }
        if let Ok(robot) = user.parse() {
            return Some(Shown::Caller(Caller::Robot(robot)));
        }
        Some(match People::shown(user, AppToken::id_of(password))? {
            (id, Some(name)) => Shown::Caller(Caller::Person(name, id)),
            (id, None) => Shown::AppToken(id),
        })
    }

    /// Whether a password has to be one that a robot was given for a workload's token. The stack's secret may have any
    /// form, so that with its user name none is.
    pub(crate) fn is_federated(user: &str, password: &SecretString) -> bool {
        user != TOKEN_USER && RobotLogin::is_one(password)
    }

    /// Whose user name and password these are, and by what tokens name the password.
    pub(crate) async fn login(
        &self,
        user: &str,
        password: SecretString,
        now: Timestamp,
    ) -> Result<Option<(Caller, String)>, PullError> {
        let password = RobotToken(password);
        let (caller, given) = if user == TOKEN_USER {
            let given = password.hash();
            if matches(&given, self.hash(&Caller::Admin, now).await?.as_deref()) {
                return Ok(Some((Caller::Admin, credential(&given))));
            }
            let shown = password.0.expose_secret();
            let Some(id) = ApiToken::id_of(shown) else { return Ok(None) };
            (Caller::Token(id), ApiToken::hash_of(shown))
        } else if is_persons(user) {
            let shown = password.0.expose_secret();
            let (id, hash) = (AppToken::id_of(shown), AppToken::hash_of(shown));
            let person = self.people.login(user, (id, &hash), now).await?;
            return Ok(person.map(|(name, id)| (Caller::Person(name, id), People::credential(id))));
        } else {
            let Ok(robot) = user.parse() else { return Ok(None) };
            (Caller::Robot(robot), password.hash())
        };
        let known = self.hash(&caller, now).await?;
        Ok(matches(&given, known.as_deref()).then(|| (caller, credential(&given))))
    }

    /// Who has logged in by a federation, and by what tokens name it; nobody if the robot does not have it any more.
    pub(crate) async fn federated(
        &self,
        login: RobotLogin,
        now: Timestamp,
    ) -> Result<Option<(Caller, String)>, PullError> {
        let known = self.robot(&login.robot, now).await?;
        let is_its = |known: KnownRobot| known.identity.id == login.id && known.federations.contains(&login.federation);
        let credential = format!("{FEDERATION}{}", login.federation);
        Ok(known.is_some_and(is_its).then_some((Caller::Robot(login.robot), credential)))
    }

    /// Whether what a token was given for is still the caller's.
    pub(crate) async fn holds(&self, caller: &Caller, shown: &str, now: Timestamp) -> Result<bool, PullError> {
        if let (Caller::Robot(robot), Some(shown)) = (caller, shown.strip_prefix(FEDERATION)) {
            let is_one = |known: KnownRobot| known.federations.iter().any(|own| own.to_string() == shown);
            return Ok(self.robot(robot, now).await?.is_some_and(is_one));
        }
        if let Caller::Person(name, token) = caller {
            let is_known = self.people.person(name, *token, now).await?.is_some();
            return Ok(is_known && shown == People::credential(*token));
        }
        let known = self.hash(caller, now).await?.map(|hash| credential(&hash)).unwrap_or_default();
        Ok(known == shown)
    }

    /// The hash of the caller's secret, if there is such a caller; people may have several.
    async fn hash(&self, caller: &Caller, now: Timestamp) -> Result<Option<String>, PullError> {
        match caller {
            Caller::Anonymous | Caller::Person(..) => Ok(None),
            Caller::Admin => Ok(Some(RobotToken(self.admin.get(now).await?).hash())),
            Caller::Token(id) => Ok(self.known(*id, now).await?.map(|known| known.hash)),
            Caller::Robot(robot) => Ok(self.robot(robot, now).await?.map(|robot| robot.hash)),
        }
    }

    /// What decides which roles are a robot's, if there is such a robot.
    pub(crate) async fn identity(&self, robot: &RobotName, now: Timestamp) -> Result<Option<RobotIdentity>, PullError> {
        Ok(self.robot(robot, now).await?.map(|robot| robot.identity))
    }

    /// Which of the organizations that bore the name of `namespace` a caller may have roles in; for those who are in none it
    /// does not matter.
    pub(crate) async fn organization(
        &self,
        caller: &Caller,
        namespace: &Namespace,
        now: Timestamp,
    ) -> Result<Generation, PullError> {
        let found = match caller {
            Caller::Robot(robot) => self.robot(robot, now).await?.map(|robot| robot.identity.organization_id),
            Caller::Person(name, token) => self.people.identity(name, *token, now).await?.and_then(|(_, person)| {
                person.teams.iter().find(|team| team.organization == *namespace).map(|team| team.organization_id)
            }),
            Caller::Anonymous | Caller::Token(_) | Caller::Admin => None,
        };
        Ok(found.unwrap_or_default())
    }

    async fn robot(&self, name: &RobotName, now: Timestamp) -> Result<Option<KnownRobot>, PullError> {
        if let Some(known) = self.robots.get(name, now) {
            return Ok(known);
        }
        let robot = self.table.robot(name).await?;
        Ok(self.keep(name, robot, now))
    }

    /// Keeps what was read of a robot.
    pub(crate) fn keep(&self, name: &RobotName, robot: Option<Robot>, now: Timestamp) -> Option<KnownRobot> {
        let known = robot.map(|robot| KnownRobot {
            hash: robot.token_hash.clone(),
            federations: robot.federation.iter().map(|federation| federation.id).collect(),
            identity: robot.into(),
        });
        self.robots.insert(name.clone(), known.clone(), now);
        known
    }

    /// Whether a token of the API is good for a repository. Each role includes to pull. One that was kept for a moment is
    /// not good for the next organization of the name.
    pub(crate) async fn reaches(&self, id: Uuid, repository: &Repository, now: Timestamp) -> Result<bool, PullError> {
        let known = self.known(id, now).await?;
        Ok(known.is_some_and(|known| {
            let is_of = |limit: Namespace| {
                limit == repository.repository.namespace() && known.organization == repository.organization_id
            };
            known.namespace.is_none_or(is_of)
        }))
    }

    /// The namespace that a token of the API is limited to, if it is.
    pub(crate) async fn limit(&self, id: Uuid, now: Timestamp) -> Result<Option<Namespace>, PullError> {
        // One that ended a moment ago is not without a limit.
        let gone = || PullError::Unauthorized { scope: None, problem: Some("invalid_token") };
        self.known(id, now).await?.map(|known| known.namespace).ok_or_else(gone)
    }

    /// Has a token of the API kept that may be asked for soon.
    pub(crate) async fn look_ahead(&self, id: Uuid, now: Timestamp) -> Result<(), PullError> {
        self.known(id, now).await.map(drop)
    }

    async fn known(&self, id: Uuid, now: Timestamp) -> Result<Option<Known>, PullError> {
        if let Some(known) = self.tokens.get(&id, now) {
            return Ok(known);
        }
        let token = self.table.api_token(id, now).await?;
        let known = token.map(|token| Known {
            hash: token.secret_hash().to_owned(),
            namespace: token.namespace,
            organization: token.organization_id,
        });
        self.tokens.insert(id, known.clone(), now);
        Ok(known)
    }
}

/// Whether such a user name goes with app tokens. No robot's does.
fn is_persons(user: &str) -> bool {
    user == APP_USER || user.parse::<UserName>().is_ok()
}

/// By what a token names the secret that it was given for. The hash is of 64 random characters, and only its owner has
/// the token.
fn credential(hash: &str) -> String {
    hash.chars().take(CREDENTIAL_LENGTH).collect()
}

/// Compares hashes in a time that does not depend on what was given.
fn matches(given: &str, known: Option<&str>) -> bool {
    let is_equal = given.as_bytes().ct_eq(known.unwrap_or(NO_HASH).as_bytes());
    bool::from(is_equal) && known.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_have_names() {
        let token = Uuid::from_u128(7);
        for (caller, credential) in [
            (Caller::Anonymous, String::new()),
            (Caller::Robot("a+bot".parse().unwrap()), "0123456789abcdef".to_owned()),
            (Caller::Robot("a+bot".parse().unwrap()), format!("{FEDERATION}{token}")),
            (Caller::Person("ann@example.com".parse().unwrap(), token), People::credential(token)),
            (Caller::Token(token), "0123456789abcdef".to_owned()),
            (Caller::Admin, "0123456789abcdef".to_owned()),
        ] {
            assert_eq!(Caller::parse(&caller.name(), &credential), Some(caller));
        }
        for name in ["x", "+", "$oauthtokenx", "$oauthtoken:", "$oauthtoken:7", "$admin", "$app"] {
            assert_eq!(Caller::parse(name, "0123456789abcdef"), None, "{name}");
        }
        for name in ["a+bot", "admin", "$app", "$app:ann"] {
            assert_eq!(Caller::parse(name, &People::credential(token)), None, "{name}");
        }
        assert_eq!(Caller::parse("ann", "app:7"), None);
    }

    #[test]
    fn who_somebody_says_they_are() {
        let token = format!("{:032x}{}", 7, "ab".repeat(32));
        let shown = |user: &str, password: &str| Callers::shown(user, &password.into());
        let (id, ann) = (Uuid::from_u128(7), "ann".parse().unwrap());
        assert_eq!(shown("ann", &token), Some(Shown::Caller(Caller::Person(ann, id))));
        assert_eq!(shown("$app", &token), Some(Shown::AppToken(id)));
        assert_eq!(shown("a+bot", &token), Some(Shown::Caller(Caller::Robot("a+bot".parse().unwrap()))));
        assert_eq!(shown(TOKEN_USER, &token), Some(Shown::Caller(Caller::Token(id))));
        for (user, password) in [("ann", "secret"), ("$app", ""), ("admin", token.as_str()), ("$other", &token)] {
            assert_eq!(shown(user, password), None, "{user}");
        }
    }

    #[test]
    fn only_robots_have_passwords_of_federations() {
        let is_one = |user: &str, password: &str| Callers::is_federated(user, &password.into());
        assert!(is_one("acme+ci", "a.b.c") && is_one("nobody", "a.b.c"));
        assert!(!is_one("acme+ci", "ABC"));
        assert!(!is_one(TOKEN_USER, "a secret. With points."), "an admin chose it");
    }

    #[test]
    fn nothing_matches_what_is_not_known() {
        assert!(matches("a", Some("a")));
        assert!(!matches("a", Some("b")) && !matches("a", None) && !matches(NO_HASH, None) && !matches("", Some("a")));
    }
}

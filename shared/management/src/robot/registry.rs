//! A robot's credentials at an external registry: written, used by syncs, never shown. They go only to the registry that
//! they are for, over verified TLS and without a proxy unless the robot says that they may go otherwise.

use moorage_domain::{
    CloudLogin, CloudRefusal, CloudWay, Guard, RobotName, SecretString, TlsSecrets, cloud::Exposure, mirror::TLS,
};
use moorage_state::{MAX_SECRET_LENGTH, Purpose, RobotRegistry, SecretOwner, StateError, now};
use serde_json::{Map, Value};

use crate::{
    api::Api,
    external_registry::{cloud, location::reference, tls::SentTls},
    http::{answer::Answer, call::Call, endpoint::Parameters, error::ApiError, field::Fields},
    robot::{
        find::{find_robot, robot_token, unknown_robot},
        view::view,
    },
};

/// The longest user name, as a mirror's.
const USERNAME_LENGTH: usize = 4_096;

/// Credentials as they were sent.
#[derive(Debug)]
pub(crate) struct NewRegistry {
    host: String,
    username: String,
    password: SecretString,
    allow_insecure: bool,
    allow_proxy: bool,
    tls: SentTls,
    credentials: Option<CloudLogin>,
}

impl NewRegistry {
    /// As they are stored, where `before` is what is stored now. Of that, what TLS goes by stays with its registry.
    pub(crate) async fn encrypt(
        self,
        api: &Api,
        robot: &RobotName,
        before: Option<&RobotRegistry>,
    ) -> Result<RobotRegistry, ApiError> {
        let owner = SecretOwner::Robot(robot);
        let password = api.secrets.encrypt(Purpose::Registry(owner, &self.host), &self.password).await?;
        let kept = before.filter(|before| before.host.eq_ignore_ascii_case(&self.host));
        let kept = kept.map_or_else(TlsSecrets::default, |before| before.tls.clone());
        let tls = self.tls.sealed(api, (owner, &self.host), kept).await?;
        let Self { host, username, allow_insecure, allow_proxy, credentials, .. } = self;
        if let Some(login) = &credentials {
            let exposure = allow_insecure.then_some(Exposure::UnverifiedTls);
            let exposure = exposure.or(tls.ca_bundle.as_ref().map(|_| Exposure::OwnAuthorities));
            let way = CloudWay { authority: &host, exposure };
            let judged = api.clouds.check(&robot.namespace(), login, way);
            judged.map_err(|error| cloud::refused(&error))?;
        }
        Ok(RobotRegistry { host, username, password, allow_insecure, allow_proxy, tls, credentials })
    }
}

/// `PUT …/robots/{robot_shortname}/external-registry`.
pub(crate) async fn change(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let registry = parse(&call.object()?, &api.guard)?;
    let mut robot = find_robot(api, path).await?;
    let registry = registry.encrypt(api, &robot.name, robot.external_registry.as_ref()).await?;
    store(api, &robot.name, Some(&registry)).await?;
    robot.external_registry = Some(registry);
    let token = robot_token(api, &robot).await?;
    Ok(Answer::ok(view(&robot, &token)))
}

/// `DELETE …/robots/{robot_shortname}/external-registry`.
pub(crate) async fn delete(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    let robot = find_robot(api, path).await?;
    store(api, &robot.name, None).await?;
    Ok(Answer::NoContent)
}

async fn store(api: &Api, name: &RobotName, registry: Option<&RobotRegistry>) -> Result<(), ApiError> {
    match api.table.set_robot_registry(name, registry).await {
        Err(StateError::NotFound) => Err(unknown_robot()),
        result => Ok(result?),
    }
}

/// The field `external_registry` of a new robot.
pub(crate) fn parse_optional(fields: Fields<'_>, guard: &Guard) -> Result<Option<NewRegistry>, ApiError> {
    fields.object("external_registry")?.map(|registry| parse(registry, guard)).transpose()
}

fn parse(body: &Map<String, Value>, guard: &Guard) -> Result<NewRegistry, ApiError> {
    let fields = Fields(body);
    let credentials = cloud::parse(body)?.flatten();
    if credentials.is_some()
        && let Some(twice) = ["username", "password"].into_iter().find(|name| body.contains_key(*name))
    {
        return Err(cloud::refused(&CloudRefusal::Twice(twice)));
    }
    // Who shows a certificate may need no password; and a cloud gives one.
    let needs_none = credentials.is_some() || body.get(TLS).is_some_and(Value::is_object);
    let is_anonymous = needs_none && !body.contains_key("username") && !body.contains_key("password");
    fields.require(if is_anonymous { &["host"] } else { &["host", "username", "password"] })?;
    let text = |name| fields.string(name).map(Option::unwrap_or_default);
    let (host, username, password) = (text("host")?, text("username")?, text("password")?);
    // With a path it must be a reference as mirrors have it; so what is compared later can be equal.
    let reference = reference(&format!("{host}/x"), guard)?;
    if reference.authority() != host {
        return Err(ApiError::InvalidRequest("host must be a registry's host, with its port if it has one".into()));
    }
    let long = |what: &str, limit: usize| ApiError::InvalidRequest(format!("{what} is longer than {limit} bytes"));
    if username.len() > USERNAME_LENGTH {
        return Err(long("username", USERNAME_LENGTH));
    }
    if password.len() > MAX_SECRET_LENGTH {
        return Err(long("password", MAX_SECRET_LENGTH));
    }
    // A password may be empty, as a mirror's: some registries have users without one.
    if username.is_empty() && !is_anonymous {
        return Err(ApiError::InvalidRequest("username must not be empty".into()));
    }
    let allows = |name| fields.boolean(name).map(Option::unwrap_or_default);
    let (allow_insecure, allow_proxy) = (allows("allow_insecure")?, allows("allow_proxy")?);
    let (host, username, password) = (host.to_owned(), username.to_owned(), password.into());
    let tls = SentTls::parse(body, now())?;
    Ok(NewRegistry { host, username, password, allow_insecure, allow_proxy, tls, credentials })
}

#[cfg(test)]
mod tests {
    use moorage_domain::ExposeSecret as _;
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_belong_to_a_host() {
        let parse = |body: Value| parse(body.as_object().unwrap(), &Guard::default());
        let sent = |host: &str| json!({"host": host, "username": "u", "password": "hunter2"});
        let registry = parse(sent("quay.io:443")).unwrap();
        assert_eq!((registry.host.as_str(), registry.password.expose_secret()), ("quay.io:443", "hunter2"));
        assert!(!format!("{registry:?}").contains("hunter2"));
        assert!(!registry.allow_insecure && !registry.allow_proxy);
        let mut allowed = sent("quay.io");
        allowed["allow_proxy"] = true.into();
        assert!(parse(allowed.clone()).unwrap().allow_proxy);
        allowed["allow_insecure"] = "yes".into();
        assert!(parse(allowed).is_err());
        for host in [
            "",
            "quay.io/redhat",
            "https://quay.io",
            "user@quay.io",
            "127.0.0.1",
            "localhost:5000",
            "a b",
            "0x7f.1",
            "127.1:5000",
        ] {
            assert!(parse(sent(host)).is_err(), "{host}");
        }
        assert!(parse(json!({"host": "quay.io", "username": "u"})).is_err());
        assert!(parse(json!({"host": "quay.io", "username": "", "password": "p"})).is_err());
        let cloud = parse(json!({"host": "public.ecr.aws", "credentials": {"type": "ecr"}})).unwrap();
        assert_eq!((cloud.username.as_str(), cloud.credentials), ("", Some(CloudLogin::Ecr { role_arn: None })));
        let twice = json!({"host": "public.ecr.aws", "credentials": {"type": "ecr"}, "username": "u", "password": "p"});
        assert!(parse(twice).unwrap_err().to_string().contains("username exclude each other"));
        let empty = parse(json!({"host": "quay.io", "username": "u", "password": ""})).unwrap();
        assert!(empty.password.expose_secret().is_empty());
    }
}

//! Robots' federations: which workloads may log in as a robot by the tokens of their own provider, as Quay has it.

use moorage_domain::{FederationId, Guard, RobotName, usage_log::LogKind};
use moorage_identity::Issuer;
use moorage_state::{Federation, Race, StateError};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    api::Api,
    http::{
        answer::Answer,
        call::Call,
        endpoint::Parameters,
        error::ApiError,
        field::{Fields, repr},
    },
    robot::find::find_robot,
};

/// The most federations of a robot: they are in its item, which every login of it reads.
const MAX_FEDERATIONS: usize = 32;
/// The longest subject, in bytes. GitHub's, with the names of an organization, a repository and a workflow, are the longest.
const SUBJECT_LENGTH: usize = 512;
/// The most audiences of a federation, any of which will do.
const MAX_AUDIENCES: usize = 8;
/// The longest audience, in bytes: URLs, mostly.
const AUDIENCE_LENGTH: usize = 512;
/// The longest JSON of all federations of a robot, in bytes. Every login of the robot reads them, and every change is in the
/// usage log: 32 of GitHub's with an audience each have half of it.
const MAX_LENGTH: usize = 16 * 1024;

/// A federation as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sent {
    issuer: String,
    subject: String,
    audiences: Vec<String>,
}

/// `GET …/robots/{robot_shortname}/federation`.
pub(crate) async fn federation(api: &Api, path: &Parameters) -> Result<Answer, ApiError> {
    Ok(Answer::ok(view(&find_robot(api, path).await?.federation)))
}

/// `POST …/robots/{robot_shortname}/federation`: these, and no others any more. One that was there stays what it is, so that
/// what was logged in by it goes on.
pub(crate) async fn create(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let sent = parse(&call.json()?, &api.guard)?;
    let (name, federation) = replace(api, path, &sent).await?;
    let shown = view(&federation);
    let metadata = [("robot", name.short().into()), ("config", shown.clone())];
    api.log_namespace(call, &name.namespace(), LogKind::CreateRobotFederation, metadata).await;
    Ok(Answer::ok(shown))
}

/// `DELETE …/robots/{robot_shortname}/federation`: what was logged in by them works no more.
pub(crate) async fn delete(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let (name, _) = replace(api, path, &[]).await?;
    let metadata = [("robot", name.short().into())];
    api.log_namespace(call, &name.namespace(), LogKind::DeleteRobotFederation, metadata).await;
    Ok(Answer::NoContent)
}

/// Has a robot have these federations. Which of them it has already is decided by what it has when they are written: what
/// ended meanwhile comes back as another one.
async fn replace(api: &Api, path: &Parameters, sent: &[Sent]) -> Result<(RobotName, Vec<Federation>), ApiError> {
    let mut race = Race::begin();
    loop {
        let robot = find_robot(api, path).await?;
        let federation: Vec<_> = sent.iter().map(|sent| kept(&robot.federation, sent.clone())).collect();
        match api.table.set_robot_federation((&robot.name, robot.id), &robot.federation, &federation).await {
            Err(StateError::Conflict) => race.lost().await?,
            result => return Ok(result.map(|()| (robot.name, federation))?),
        }
    }
}

/// The field `federation` of a new robot, which is ours, not Quay's.
pub(crate) fn parse_optional(body: &Map<String, Value>, guard: &Guard) -> Result<Vec<Federation>, ApiError> {
    let sent = body.get("federation").map(|federation| parse(federation, guard)).transpose()?;
    Ok(sent.into_iter().flatten().map(|sent| kept(&[], sent)).collect())
}

/// A federation, with the identity that it has, or a new one.
fn kept(present: &[Federation], sent: Sent) -> Federation {
    let Sent { issuer, subject, audiences } = sent;
    let is_same = |own: &&Federation| own.issuer == issuer && own.subject == subject && own.audiences == audiences;
    let own = present.iter().find(is_same).map(|own| own.id);
    let id = own.unwrap_or_else(|| FederationId::new(Uuid::new_v4()));
    Federation { id, issuer, subject, audiences }
}

/// As Quay shows them; audiences are ours, and there only where there are some.
pub(crate) fn view(federation: &[Federation]) -> Value {
    federation.iter().map(|one| entry(&one.issuer, &one.subject, &one.audiences)).collect()
}

fn entry(issuer: &str, subject: &str, audiences: &[String]) -> Value {
    let mut entry = json!({"issuer": issuer, "subject": subject});
    if !audiences.is_empty() {
        entry["audiences"] = json!(audiences);
    }
    entry
}

fn parse(body: &Value, guard: &Guard) -> Result<Vec<Sent>, ApiError> {
    let invalid = |message: String| ApiError::InvalidRequest(message);
    let list = body.as_array().ok_or_else(|| invalid(format!("{} is not of type 'array'", repr(body))))?;
    if list.len() > MAX_FEDERATIONS {
        return Err(invalid(format!("A robot has at most {MAX_FEDERATIONS} federations")));
    }
    let mut all: Vec<Sent> = Vec::with_capacity(list.len());
    for item in list {
        let item = item.as_object().ok_or_else(|| invalid(format!("{} is not of type 'object'", repr(item))))?;
        let sent = parse_one(Fields(item), guard)?;
        if all.iter().any(|other| (&other.issuer, &other.subject) == (&sent.issuer, &sent.subject)) {
            return Err(invalid("Duplicate federation config entry".into()));
        }
        all.push(sent);
    }
    let shown: Value = all.iter().map(|one| entry(&one.issuer, &one.subject, &one.audiences)).collect();
    if shown.to_string().len() > MAX_LENGTH {
        return Err(invalid(format!("The federations of a robot have more than {MAX_LENGTH} bytes of JSON")));
    }
    Ok(all)
}

fn parse_one(fields: Fields<'_>, guard: &Guard) -> Result<Sent, ApiError> {
    let invalid = |message: String| ApiError::InvalidRequest(message);
    fields.require(&["issuer", "subject"])?;
    let text = |name| fields.string(name).map(Option::unwrap_or_default);
    let (issuer, subject) = (text("issuer")?, text("subject")?);
    if issuer.is_empty() || subject.is_empty() {
        return Err(invalid("Missing one or more required fields (issuer, subject)".into()));
    }
    if subject.len() > SUBJECT_LENGTH {
        return Err(invalid(format!("subject is longer than {SUBJECT_LENGTH} bytes")));
    }
    if subject.contains(char::is_control) {
        return Err(invalid("subject has control characters".into()));
    }
    let issuer = Issuer::parse(issuer, guard).map_err(|error| invalid(error.to_string()))?;
    let audiences = fields.strings("audiences")?.unwrap_or_default();
    let is_one = |audience: &String| (1..=AUDIENCE_LENGTH).contains(&audience.len());
    if audiences.len() > MAX_AUDIENCES || !audiences.iter().all(is_one) {
        return Err(invalid(format!("audiences are at most {MAX_AUDIENCES} texts of 1 to {AUDIENCE_LENGTH} bytes")));
    }
    if audiences.iter().any(|audience| audience.contains(char::is_control)) {
        return Err(invalid("audiences have control characters".into()));
    }
    Ok(Sent { issuer: issuer.as_str().to_owned(), subject: subject.to_owned(), audiences })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &Value) -> Result<Vec<Sent>, String> {
        parse(body, &Guard::new("localhost").unwrap()).map_err(|error| error.to_string())
    }

    #[test]
    fn federations_are_lists_as_quay_takes_them() {
        let sent = |issuer: &str, subject: &str, audiences: &[&str]| Sent {
            issuer: issuer.into(),
            subject: subject.into(),
            audiences: audiences.iter().map(|audience| (*audience).to_owned()).collect(),
        };
        assert_eq!(parsed(&json!([])), Ok(Vec::new()));
        let (first, second) = ("https://token.actions.githubusercontent.com", "http://localhost:9000");
        let body = json!([
            {"issuer": first, "subject": "repo:acme/app:ref:refs/heads/main", "other": 1},
            {"issuer": second, "subject": "s", "audiences": ["a", "b"]},
            {"issuer": second, "subject": "t", "audiences": []},
        ]);
        let expected = vec![
            sent(first, "repo:acme/app:ref:refs/heads/main", &[]),
            sent(second, "s", &["a", "b"]),
            sent(second, "t", &[]),
        ];
        assert_eq!(parsed(&body), Ok(expected));
        let one = json!({"issuer": first, "subject": "s"});
        let with = |name: &str, value: Value| {
            let mut one = one.clone();
            one[name] = value;
            json!([one])
        };
        for (body, message) in [
            (json!({"issuer": first, "subject": "s"}), "is not of type 'array'"),
            (json!(null), "None is not of type 'array'"),
            (json!(["x"]), "'x' is not of type 'object'"),
            (json!([{}]), "'issuer' is a required property"),
            (json!([{"issuer": first}]), "'subject' is a required property"),
            (with("subject", json!(7)), "7 is not of type 'string'"),
            (with("subject", json!("")), "Missing one or more required fields (issuer, subject)"),
            (with("issuer", json!("")), "Missing one or more required fields (issuer, subject)"),
            (with("issuer", json!("idp.example")), "Issuer must be a URL (http:// or https://)"),
            (with("issuer", json!("http://idp.example")), "Issuer must be an https:// URL"),
            (with("issuer", json!("https://169.254.169.254")), "Issuer is at a host that is not allowed"),
            (with("audiences", json!("a")), "is not of type 'array'"),
            (with("audiences", json!([""])), "audiences are at most"),
            (with("audiences", json!(vec!["a"; 9])), "audiences are at most"),
            (with("subject", json!("s".repeat(513))), "subject is longer than"),
            (with("subject", json!("a\nb")), "subject has control characters"),
            (with("audiences", json!(["a", "b\u{7f}"])), "audiences have control characters"),
            (json!([one, one]), "Duplicate federation config entry"),
            (json!(vec![json!({}); 33]), "at most 32"),
        ] {
            let refused = parsed(&body).unwrap_err();
            assert!(refused.contains(message), "{body}: {refused}");
        }
    }

    #[test]
    fn all_federations_of_a_robot_have_a_length() {
        let of = |count: usize, audience: usize| {
            let one = |number| json!({"issuer": "https://idp.example", "subject": format!("{number:04}"), "audiences": ["a".repeat(audience)]});
            (0..count).map(one).collect::<Value>()
        };
        let fixed = of(32, 1).to_string().len() - 32;
        let most = (MAX_LENGTH - fixed) / 32;
        assert_eq!(parsed(&of(32, most)).map(|all| all.len()), Ok(32));
        let refused = parsed(&of(32, most + 1)).unwrap_err();
        assert_eq!(refused, "The federations of a robot have more than 16384 bytes of JSON");
        let escaped = json!(vec!["\"".repeat(AUDIENCE_LENGTH); MAX_AUDIENCES]);
        let entry = |number: usize| json!({"issuer": "https://idp.example", "subject": number.to_string(), "audiences": escaped});
        assert!(
            parsed(&json!([entry(1)])).is_ok() && parsed(&json!([entry(1), entry(2)])).is_err(),
            "as it is written"
        );
    }
}

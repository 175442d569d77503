//! What there is, as the API has answered.

use std::collections::BTreeMap;

use moorage_domain::{UserName, notification::Owner};
use serde_json::{Map, Value, json};

use crate::{
    key::{Grantee, Key},
    reading::{self, Reading},
};

/// What a path was answered with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body. Of a list that comes in pages: an object with all entries.
    pub body: Value,
    /// The entity tag, if there is one.
    pub etag: Option<String>,
}

/// What there is: the answers, by what was read.
#[derive(Debug, Clone, Default)]
pub struct Present(BTreeMap<Reading, Answer>);

/// Why it cannot be said what there is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresentError {
    /// A fault of whoever reads.
    #[error("{0} was not read")]
    NotRead(String),
    /// It was read, and nothing can be said by it.
    #[error("{path} was answered with {status}{}", why(.message))]
    Refused {
        /// What was read.
        path: String,
        /// The status.
        status: u16,
        /// What the API says.
        message: String,
    },
    /// Whoever reads is not told of it.
    #[error("{path}: which group the team has cannot be read with this token")]
    Hidden {
        /// What was read.
        path: String,
    },
}

fn why(message: &str) -> String {
    if message.is_empty() { String::new() } else { format!(": {message}") }
}

/// One thing that there is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    /// Its fields, as the API shows them.
    pub(crate) view: Map<String, Value>,
    /// Its entity tag, if it has one.
    pub(crate) etag: Option<String>,
}

impl FromIterator<(Reading, Answer)> for Present {
    fn from_iter<T: IntoIterator<Item = (Reading, Answer)>>(answers: T) -> Self {
        let answers = answers.into_iter().map(|(reading, mut answer)| {
            // A robot's token is shown with it, and nothing here needs it.
            if let Some(view) = answer.body.as_object_mut() {
                view.remove("token");
            }
            (reading, answer)
        });
        Self(answers.collect())
    }
}

impl Present {
    /// How the API shows an element, if there is one; a robot without its token.
    pub fn view(&self, key: &Key) -> Result<Option<Map<String, Value>>, PresentError> {
        Ok(self.find(key)?.map(|found| found.view))
    }

    /// The element of a key, if there is one.
    pub(crate) fn find(&self, key: &Key) -> Result<Option<Found>, PresentError> {
        match key {
            Key::Notification(owner, title) => Ok(self.titled(owner, title)?.into_iter().next()),
            Key::Permission(repository, grantee) => {
                let name = match grantee {
                    Grantee::Robot(robot) => robot.to_string(),
                    Grantee::Team(team) => team.to_string(),
                    Grantee::User(user) => user.to_string(),
                };
                self.entry(&reading::permissions(repository, grantee), "permissions", &name)
            }
            Key::Team(organization, team) => {
                let entry = self.entry(&format!("organization/{organization}"), "teams", team.as_str())?;
                let Some(mut found) = entry else { return Ok(None) };
                let path = format!("{}/members", key.path());
                let members = self.whole(&path)?.map(|members| members.view).unwrap_or_default();
                found.view.extend(who(&members).ok_or(PresentError::Hidden { path })?);
                Ok(Some(found))
            }
            Key::Repository(_) => self.whole(&format!("{}?includeTags=false", key.path())),
            _ => self.whole(&key.path()),
        }
    }

    /// Whether there is somebody of a name: who has signed in once.
    pub(crate) fn has_user(&self, name: &UserName) -> Result<bool, PresentError> {
        Ok(self.whole(&reading::user(name))?.is_some())
    }

    /// The notifications that have a title.
    pub(crate) fn titled(&self, owner: &Owner, title: &str) -> Result<Vec<Found>, PresentError> {
        let is_it = |view: &Map<String, Value>| view.get("title").and_then(Value::as_str) == Some(title);
        let all = self.list(&reading::notifications(owner), None, "notifications")?;
        let found = all.into_iter().filter(is_it).map(|mut view| {
            // It is shown by another name than it is sent by.
            let event_config = view.remove("event_config").unwrap_or_else(|| json!({}));
            view.insert("eventConfig".to_owned(), event_config);
            Found { view, etag: None }
        });
        Ok(found.collect())
    }

    /// The entries of a list; none if what has it is not there.
    pub(crate) fn list(
        &self,
        path: &str,
        list: Option<&'static str>,
        name: &str,
    ) -> Result<Vec<Map<String, Value>>, PresentError> {
        let found = self.answer(path, list)?;
        let entries = found.as_ref().and_then(|found| found.view.get(name)).and_then(Value::as_array);
        Ok(entries.into_iter().flatten().filter_map(|entry| entry.as_object().cloned()).collect())
    }

    /// The entries of an object, by their names.
    pub(crate) fn entries(&self, path: &str, name: &str) -> Result<Map<String, Value>, PresentError> {
        let found = self.whole(path)?;
        Ok(found
            .and_then(|mut found| found.view.remove(name))
            .and_then(|it| it.as_object().cloned())
            .unwrap_or_default())
    }

    fn entry(&self, path: &str, list: &str, name: &str) -> Result<Option<Found>, PresentError> {
        let entries = self.entries(path, list)?;
        let view = entries.get(name).and_then(Value::as_object);
        Ok(view.map(|view| Found { view: view.clone(), etag: None }))
    }

    /// All of an answer; nothing if there is nothing.
    pub(crate) fn whole(&self, path: &str) -> Result<Option<Found>, PresentError> {
        self.answer(path, None)
    }

    fn answer(&self, path: &str, list: Option<&'static str>) -> Result<Option<Found>, PresentError> {
        let reading = Reading { path: path.to_owned(), list };
        let answer = self.0.get(&reading).ok_or_else(|| PresentError::NotRead(path.to_owned()))?;
        let message = ["detail", "message"].into_iter().find_map(|name| answer.body.get(name)?.as_str());
        match (answer.status, &answer.body) {
            (200, Value::Object(view)) => Ok(Some(Found { view: view.clone(), etag: answer.etag.clone() })),
            (404, _) => Ok(None),
            // Quay's answer for a robot that there is not.
            (400, _) if message.is_some_and(|message| message.starts_with("Could not find robot")) => Ok(None),
            (status, _) => {
                let message = message.unwrap_or_default().chars().take(300).collect();
                Err(PresentError::Refused { path: path.to_owned(), status, message })
            }
        }
    }
}

/// The members and the group of a team, by what lists its members; nothing if it has a group, and it is not told which one.
/// Of a team with a group the people are the group's.
fn who(view: &Map<String, Value>) -> Option<[(String, Value); 2]> {
    let synced = view.get("synced").filter(|synced| !synced.is_null());
    let group = match synced {
        None => Value::Null,
        Some(synced) => synced.get("config")?.get("group_name").filter(|name| name.is_string())?.clone(),
    };
    let members = view.get("members").and_then(Value::as_array).into_iter().flatten();
    let members = members.filter(|member| synced.is_none() || member.get("is_robot") == Some(&true.into()));
    let names = members.filter_map(|member| member.get("name").cloned()).collect();
    Some([("members".to_owned(), names), ("group".to_owned(), group)])
}

//! What both kinds of mirrors share: who asks the registry, how, and when.

use moorage_declaration::{Moment, SecretSource};
use moorage_domain::{ProxyUrl, Timestamp};
use serde_json::{Map, Value, json};

use super::read::text;
use crate::import::{draft::Draft, names, options::Options, report::Entry, times};

/// What Quay shows of a user name that it cannot decrypt.
const INVALID: &str = "(invalid. please re-enter)";
/// What another Moorage shows of a proxy's password.
const MASK: &str = "********";
/// The fields of `external_registry_config` that are known.
const CONFIG: [&str; 3] = ["verify_tls", "unsigned_images", "token_realms"];
/// Its proxies.
const PROXIES: [&str; 2] = ["http_proxy", "https_proxy"];

/// Those of these fields that say something.
pub(super) fn pick(view: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let said = |name: &&str| Some(((*name).to_owned(), view.get(*name).filter(|value| is_said(value))?.clone()));
    names.iter().filter_map(said).collect()
}

fn is_said(value: &Value) -> bool {
    !value.is_null() && value != "" && value.as_array().is_none_or(|list| !list.is_empty())
}

/// The login at a registry: the fields of it, and how it is something else.
pub(super) fn login(view: &Map<String, Value>, host: &str, draft: &mut Draft) -> (Map<String, Value>, Option<String>) {
    let (mut fields, user) = (Map::new(), text(view, "external_registry_username"));
    match user {
        "" => (fields, None),
        INVALID => {
            let how = "Quay cannot decrypt its user any more: it asks anonymously until it has a user and a password";
            (fields, Some(how.to_owned()))
        }
        user => {
            fields.insert("external_registry_username".to_owned(), user.into());
            // Of a repository's mirror Quay does not say whether there is one.
            if view.get("has_external_registry_password") != Some(&false.into()) {
                let password = draft.questions.ask(&format!("password of {user} at {}", names::host(host)), None);
                fields.insert("external_registry_password".to_owned(), json!(password));
            }
            (fields, None)
        }
    }
}

/// `external_registry_config`, in which a proxy with a password is named, and how it is something else.
pub(super) fn config(view: &Map<String, Value>, draft: &mut Draft) -> (Option<Value>, Vec<String>) {
    let Some(given) = view.get("external_registry_config").and_then(Value::as_object) else {
        return (None, Vec::new());
    };
    let mut config = pick(given, &CONFIG);
    let mut changes = Vec::new();
    let mut proxy = Map::new();
    let proxies = given.get("proxy").and_then(Value::as_object);
    for (name, value) in proxies.into_iter().flatten() {
        match value.as_str().filter(|text| !text.is_empty()) {
            Some(text) if PROXIES.contains(&name.as_str()) => match named(text, draft) {
                Ok(value) => drop(proxy.insert(name.clone(), value)),
                Err(why) => changes.push(why),
            },
            Some(text) if name == "no_proxy" => drop(proxy.insert(name.clone(), text.into())),
            _ => {}
        }
    }
    let known = |name: &&String| CONFIG.contains(&name.as_str()) || *name == "proxy";
    changes.extend(given.keys().filter(|name| !known(name)).map(|name| format!("it is not known what {name} means")));
    if !proxy.is_empty() {
        config.insert("proxy".to_owned(), proxy.into());
    }
    ((!config.is_empty()).then(|| config.into()), changes)
}

/// A proxy, or what names it if it has a password.
fn named(text: &str, draft: &mut Draft) -> Result<Value, String> {
    let Ok(url) = ProxyUrl::parse(text) else {
        // It may have a password all the same.
        return Err("its proxy is not the URL of one, and is left out".to_owned());
    };
    if url.password().is_none() {
        return Ok(text.into());
    }
    let known = (!text.contains(MASK)).then(|| text.into());
    let what = format!("proxy with a password, {}", text.rsplit('@').next().unwrap_or_default());
    Ok(json!(draft.questions.ask(&what, known)))
}

/// When it starts: its interval and the moment, and how they are something else.
pub(super) fn starts(name: &str, view: &Map<String, Value>, options: &Options) -> (Map<String, Value>, Option<String>) {
    let mut fields = Map::new();
    let Some(seconds) = view.get("sync_interval").and_then(Value::as_u64) else { return (fields, None) };
    let (interval, how) = times::interval(seconds);
    fields.insert("sync_interval".to_owned(), interval.into());
    // Earlier releases have fractions of seconds.
    let given = text(view, "sync_start_date");
    let whole = given.split_once('.').map_or_else(|| given.to_owned(), |(whole, _)| format!("{whole}Z"));
    if let Some(first) = Timestamp::parse_iso(&whole) {
        let start = times::start(name, first, interval, options.spread, options.now);
        fields.insert("sync_start_date".to_owned(), json!(Moment(start)));
    }
    (fields, how)
}

/// An entry with all of these changes.
pub(super) fn told(entry: Entry, how: impl IntoIterator<Item = Option<String>>) -> Entry {
    entry.all_changed(how.into_iter().flatten())
}

/// A text as it is, or what names it because whoever knows it may use it.
pub(super) fn secret(what: &str, text: &str, draft: &mut Draft) -> SecretSource {
    draft.questions.ask(what, Some(text.into()))
}

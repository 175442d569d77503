//! What a verified token tells of its holder.

use moorage_domain::{GroupName, UserName};
use moorage_identity::Claims;
use serde_json::Value;

use crate::access::{provider::Provider, refusal::Refusal};

/// The most groups that are looked at: a token of 8 KiB hardly has more.
const MOST_GROUPS: usize = 1_000;
/// The longest address that is kept, as in mail (RFC 5321, 4.5.3.1.3). A longer one is none.
const EMAIL_LENGTH: usize = 256;
/// The claim that is an address.
const EMAIL: &str = "email";

/// What a token tells of its holder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) name: UserName,
    pub(crate) email: Option<String>,
    pub(crate) groups: Vec<GroupName>,
    /// How many groups were left out, as they are too many or no names.
    pub(crate) left_out: usize,
}

impl Told {
    /// By the claims that the provider's settings name.
    pub(crate) fn of(claims: &Claims, provider: &Provider) -> Result<Self, Refusal> {
        let text = |name: &str| claims.all.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let name = text(&provider.user_claim).ok_or(Refusal::NoName)?;
        // Some providers write it as a text.
        let verified = claims.all.get("email_verified");
        let is = |word: &str, truth: bool| verified.is_some_and(|it| *it == truth || it == word);
        if provider.user_claim == EMAIL && !is("true", true) {
            return Err(Refusal::Unverified);
        }
        let email = text(EMAIL).filter(|email| email.len() <= EMAIL_LENGTH && !is("false", false));
        let told = match claims.all.get(&provider.groups_claim) {
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        let group = |value: &Value| value.as_str()?.parse().ok();
        let groups: Vec<_> = told.iter().take(MOST_GROUPS).filter_map(group).collect();
        Ok(Self {
            name: UserName::of_claim(name).map_err(|_| Refusal::Name)?,
            email: email.map(str::to_owned),
            left_out: told.len() - groups.len(),
            groups,
        })
    }
}

#[cfg(test)]
mod tests {
    use moorage_domain::{Guard, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::access::provider::ProviderSettings;

    fn provider(user_claim: &str) -> Provider {
        let settings = ProviderSettings {
            issuer: "https://idp.example".into(),
            client_id: "moorage".into(),
            client_secret: None,
            user_claim: user_claim.into(),
            groups_claim: "groups".into(),
            superuser_group: String::new(),
            scopes: "openid".into(),
        };
        Provider::new(settings, &Guard::default()).unwrap()
    }

    fn told_by(user_claim: &str, all: &Value) -> Result<Told, Refusal> {
        let claims = Claims {
            issuer: "https://idp.example".into(),
            subject: "s".into(),
            audiences: vec!["moorage".into()],
            issued: Timestamp::from_unix(0),
            expires: Timestamp::from_unix(0),
            all: all.as_object().unwrap().clone(),
        };
        Told::of(&claims, &provider(user_claim))
    }

    fn told(all: &Value) -> Result<Told, Refusal> {
        told_by("preferred_username", all)
    }

    #[test]
    fn a_name_is_one_however_it_is_written() {
        let name = |value: Value| told(&json!({"preferred_username": value})).map(|told| told.name.to_string());
        assert_eq!(name(json!("Ada.Lovelace@Example.com")), Ok("ada.lovelace@example.com".into()));
        for none in [json!(null), json!(7), json!(""), json!(["ada"]), json!({})] {
            assert_eq!(name(none.clone()), Err(Refusal::NoName), "{none}");
        }
        for wrong in ["admin", "Admin", "acme+bot", "$app", "ada lovelace", "a/b", "@ada", "ädä", &"a".repeat(256)] {
            assert_eq!(name(json!(wrong)), Err(Refusal::Name), "{wrong}");
        }
        assert_eq!(told(&json!({"sub": "ada"})), Err(Refusal::NoName), "no other claim stands in");
    }

    #[test]
    fn an_address_is_a_name_only_if_the_provider_has_verified_it() {
        let by = |verified: Value| told_by("email", &json!({"email": "ada@example.com", "email_verified": verified}));
        for yes in [json!(true), json!("true")] {
            assert_eq!(by(yes).unwrap().name.as_str(), "ada@example.com");
        }
        for no in [json!(false), json!("false"), json!(null), json!(1), json!("True")] {
            assert_eq!(by(no.clone()), Err(Refusal::Unverified), "{no}");
        }
        assert_eq!(told_by("email", &json!({"email": "ada@example.com"})), Err(Refusal::Unverified));
        let email = |more: Value| {
            let mut all = json!({"preferred_username": "ada", "email": "ada@example.com"});
            all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            told(&all).unwrap().email
        };
        assert_eq!(email(json!({})).as_deref(), Some("ada@example.com"));
        for none in [json!({"email_verified": false}), json!({"email": "a".repeat(257)}), json!({"email": 7})] {
            assert_eq!(email(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn groups_are_a_list_or_one() {
        let groups = |value: Value| {
            let told = told(&json!({"preferred_username": "ada", "groups": value})).unwrap();
            (told.groups.iter().map(ToString::to_string).collect::<Vec<_>>(), told.left_out)
        };
        assert_eq!(groups(json!(["a", "b c", "/d/e"])), (vec!["a".into(), "b c".into(), "/d/e".into()], 0));
        assert_eq!(groups(json!("a")), (vec!["a".into()], 0));
        assert_eq!(groups(json!(["a", 7, "", "x".repeat(256)])), (vec!["a".into()], 3));
        assert_eq!(groups(json!({"a": true})), (vec![], 1));
        assert_eq!(groups(json!([])), (vec![], 0));
        let (some, left_out) = groups(json!((0..1_500).map(|number| format!("g{number}")).collect::<Vec<_>>()));
        assert_eq!((some.len(), left_out), (MOST_GROUPS, 500));
        assert!(told(&json!({"preferred_username": "ada"})).unwrap().groups.is_empty());
    }
}

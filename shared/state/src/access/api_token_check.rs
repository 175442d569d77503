//! Which tokens are good: it takes more than the token.

use std::collections::{BTreeSet, HashMap, HashSet};

use moorage_domain::{Generation, Namespace, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    StateError, Table,
    access::api_token::ApiToken,
    key::{API_TOKENS, Key, prefix},
    organizations::generation::ADMIN,
    people::user::UserRef,
};

/// What tokens depend on: the tokens that made them, the people who did, and their organizations.
#[derive(Debug, Deserialize)]
struct Item {
    /// Which of these it is: names do not tell.
    pk: String,
    #[serde(default)]
    id: Uuid,
    #[serde(default)]
    name: String,
    #[serde(default)]
    enabled: bool,
    expires_at: Option<Timestamp>,
}

/// What of that is there.
#[derive(Debug, Default)]
struct Present {
    tokens: HashSet<Uuid>,
    users: HashSet<UserRef>,
    organizations: HashMap<Namespace, Generation>,
}

impl Table {
    /// Those of these tokens that are good. One request, unless there is nothing to ask.
    pub(crate) async fn good_api_tokens(
        &self,
        mut tokens: Vec<ApiToken>,
        now: Timestamp,
    ) -> Result<Vec<ApiToken>, StateError> {
        let makers: BTreeSet<_> = tokens.iter().flat_map(|token| &token.makers).collect();
        let namespaces: BTreeSet<_> = tokens.iter().filter_map(|token| token.namespace.as_ref()).collect();
        let users: BTreeSet<_> = tokens.iter().filter_map(|token| Some(&token.user.as_ref()?.name)).collect();
        let makers = makers.into_iter().map(|maker| Key::ApiToken(*maker));
        let keys = makers.chain(users.into_iter().map(Key::User)).chain(namespaces.into_iter().map(Key::Organization));
        let keys: Vec<_> = keys.map(|key| key.attributes()).collect();
        let mut present = Present::default();
        for item in if keys.is_empty() { Vec::new() } else { self.get_all::<Item>(keys).await? } {
            present.add(&item, now);
        }
        tokens.retain(|token| present.is_good(token, now));
        Ok(tokens)
    }
}

impl Present {
    fn add(&mut self, item: &Item, now: Timestamp) {
        let id = Generation::new(item.id);
        if item.pk == API_TOKENS {
            if item.expires_at.is_none_or(|end| end > now) {
                self.tokens.insert(item.id);
            }
        } else if item.pk.starts_with(prefix::USER) {
            // Who is disabled may do nothing, and so may their tokens.
            let user = item.name.parse().ok().filter(|_| item.enabled);
            self.users.extend(user.map(|name| UserRef { name, id }));
        } else {
            self.organizations.extend(item.name.parse().ok().map(|name: Namespace| (name, id)));
        }
    }

    fn is_good(&self, token: &ApiToken, now: Timestamp) -> bool {
        let is_there = |namespace: &Namespace| {
            namespace.as_str() == ADMIN || self.organizations.get(namespace) == Some(&token.organization_id)
        };
        token.expires_at.is_none_or(|end| end > now)
            && token.makers.iter().all(|maker| self.tokens.contains(maker))
            && token.user.as_ref().is_none_or(|user| self.users.contains(user))
            && token.namespace.as_ref().is_none_or(is_there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access::{api_token::NewApiToken, permission::Role},
        organizations::organization::Organization,
        people::user::{User, tests::user},
        table::item,
    };

    #[test]
    fn a_token_is_good_with_its_makers_and_its_organization() {
        let (now, first) = (Timestamp::from_unix(10), Generation::new(Uuid::max()));
        let make = |maker: Option<&ApiToken>, end: Option<i64>| {
            let new = NewApiToken {
                description: String::new(),
                namespace: Some("own".parse().unwrap()),
                role: Role::Admin,
                created_by: String::new(),
                expires_at: end.map(Timestamp::from_unix),
                organization_id: first,
                maker: maker.cloned(),
                user: None,
            };
            ApiToken::generate(new, Timestamp::from_unix(0)).0
        };
        let (maker, ended) = (make(None, None), make(None, Some(10)));
        let second = make(Some(&maker), None);
        let organization = |id| HashMap::from([("own".parse().unwrap(), id)]);
        let both =
            Present { tokens: HashSet::from([maker.id]), organizations: organization(first), ..Present::default() };
        assert!(both.is_good(&maker, now) && both.is_good(&second, now) && !both.is_good(&ended, now));
        let alone = Present { tokens: HashSet::new(), ..both };
        assert!(alone.is_good(&maker, now) && !alone.is_good(&second, now), "its maker is gone");
        let next = Present { organizations: organization(Generation::default()), ..alone };
        assert!(!next.is_good(&maker, now), "another organization bears the name");
        assert!(!Present::default().is_good(&maker, now), "none does");
    }
    #[test]
    fn a_persons_token_is_good_while_that_very_person_is_enabled() {
        let now = Timestamp::from_unix(10);
        let (ann, next) = (user("ann", 1), user("ann", 2));
        let new = NewApiToken {
            description: String::new(),
            namespace: None,
            role: Role::Admin,
            created_by: "ann".into(),
            expires_at: None,
            organization_id: Generation::default(),
            maker: None,
            user: Some(UserRef::from(&ann)),
        };
        let token = ApiToken::generate(new, now).0;
        let is_good = |items: &[Result<crate::table::Item, StateError>]| {
            let mut present = Present::default();
            for item in items {
                present.add(&serde_dynamo::from_item(item.as_ref().unwrap().clone()).unwrap(), now);
            }
            present.is_good(&token, now)
        };
        let stored = |user: &User| item(Key::User(&user.name), user);
        assert!(is_good(&[stored(&ann)]));
        assert!(!is_good(&[]), "they are gone");
        assert!(!is_good(&[stored(&next)]), "another user of the name");
        assert!(!is_good(&[stored(&User { enabled: false, ..ann.clone() })]));
        let organization = Organization {
            name: "ann".parse().unwrap(),
            id: ann.id,
            email: None,
            created: now,
            is_ending: false,
            is_notified: false,
        };
        assert!(!is_good(&[item(Key::Organization(&organization.name), &organization)]), "an organization is nobody");
    }
}

//! Which tokens are good: it takes more than the token.

use std::collections::{BTreeSet, HashMap, HashSet};

use moorage_domain::{Generation, Namespace, Timestamp};
use serde::Deserialize;
use uuid::Uuid;

use crate::{StateError, Table, access::api_token::ApiToken, key::Key, organizations::generation::ADMIN};

/// What tokens depend on: the tokens that made them, and their organizations.
#[derive(Debug, Deserialize)]
struct Item {
    #[serde(default)]
    id: Uuid,
    /// Only organizations have one.
    name: Option<Namespace>,
    expires_at: Option<Timestamp>,
}

/// What of that is there.
#[derive(Debug, Default)]
struct Present {
    tokens: HashSet<Uuid>,
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
        let keys = makers.into_iter().map(|maker| Key::ApiToken(*maker).attributes());
        let keys: Vec<_> = keys.chain(namespaces.into_iter().map(|it| Key::Organization(it).attributes())).collect();
        let mut present = Present::default();
        for item in if keys.is_empty() { Vec::new() } else { self.get_all::<Item>(keys).await? } {
            match item.name {
                Some(name) => _ = present.organizations.insert(name, Generation::new(item.id)),
                None if item.expires_at.is_none_or(|end| end > now) => _ = present.tokens.insert(item.id),
                None => {}
            }
        }
        tokens.retain(|token| present.is_good(token, now));
        Ok(tokens)
    }
}

impl Present {
    fn is_good(&self, token: &ApiToken, now: Timestamp) -> bool {
        let is_there = |namespace: &Namespace| {
            namespace.as_str() == ADMIN || self.organizations.get(namespace) == Some(&token.organization_id)
        };
        token.expires_at.is_none_or(|end| end > now)
            && token.makers.iter().all(|maker| self.tokens.contains(maker))
            && token.namespace.as_ref().is_none_or(is_there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{api_token::NewApiToken, permission::Role};

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
            };
            ApiToken::generate(new, Timestamp::from_unix(0)).0
        };
        let (maker, ended) = (make(None, None), make(None, Some(10)));
        let second = make(Some(&maker), None);
        let organization = |id| HashMap::from([("own".parse().unwrap(), id)]);
        let both = Present { tokens: HashSet::from([maker.id]), organizations: organization(first) };
        assert!(both.is_good(&maker, now) && both.is_good(&second, now) && !both.is_good(&ended, now));
        let alone = Present { tokens: HashSet::new(), ..both };
        assert!(alone.is_good(&maker, now) && !alone.is_good(&second, now), "its maker is gone");
        let next = Present { organizations: organization(Generation::default()), ..alone };
        assert!(!next.is_good(&maker, now), "another organization bears the name");
        assert!(!Present::default().is_good(&maker, now), "none does");
    }
}

//! What a token is for, as the distribution's token protocol writes it: `repository:<name>:pull`; and of ours,
//! `mirror:<registry>/<name>:pull`.

use std::fmt;

use moorage_domain::{Origin, RepositoryName};
use serde::{Deserialize, Serialize};

/// How many scopes one token may have: clients ask for one, or two where they copy. Each is looked up.
const MAX_SCOPES: usize = 8;

/// Something that a token allows. There is nothing else: no token allows to push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Entry", into = "Entry")]
pub(crate) enum Scope {
    /// To pull from a repository.
    Pull(RepositoryName),
    /// To pull from the mirrors of a repository of an external registry, whichever the caller may read: which these are is told
    /// to nobody.
    Mirror(Origin),
    /// To list repositories.
    Catalog,
}

/// A scope as tokens carry it.
#[derive(Serialize, Deserialize)]
struct Entry {
    r#type: String,
    name: String,
    actions: Vec<String>,
}

impl Scope {
    /// The scopes that a client asks for, each parameter holding one or several with spaces between. What we do not know
    /// is passed over: clients ask for more than they need, and have to look at what they get.
    pub(crate) fn parse_all<'a>(parameters: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let mut scopes = Vec::new();
        for scope in parameters.flat_map(str::split_whitespace).filter_map(Self::parse) {
            if !scopes.contains(&scope) && scopes.len() < MAX_SCOPES {
                scopes.push(scope);
            }
        }
        scopes
    }

    /// The repository that it is for.
    pub(crate) fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Pull(repository) => Some(repository),
            Self::Mirror(_) | Self::Catalog => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (resource, rest) = text.split_once(':')?;
        let (name, actions) = rest.rsplit_once(':')?;
        let mut actions = actions.split(',');
        match (resource, name) {
            ("registry", "catalog") => actions.any(|action| action == "*").then_some(Self::Catalog),
            ("mirror", _) if actions.any(|action| action == "pull") => name.parse().ok().map(Self::Mirror),
            ("repository", _) if actions.any(|action| matches!(action, "pull" | "*")) => {
                name.parse().ok().map(Self::Pull)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pull(repository) => write!(f, "repository:{repository}:pull"),
            Self::Mirror(origin) => write!(f, "mirror:{origin}:pull"),
            Self::Catalog => f.write_str("registry:catalog:*"),
        }
    }
}

impl From<Scope> for Entry {
    fn from(scope: Scope) -> Self {
        let (r#type, name, action) = match scope {
            Scope::Pull(repository) => ("repository", repository.into(), "pull"),
            Scope::Mirror(origin) => ("mirror", origin.to_string(), "pull"),
            Scope::Catalog => ("registry", "catalog".to_owned(), "*"),
        };
        Self { r#type: r#type.to_owned(), name, actions: vec![action.to_owned()] }
    }
}

impl TryFrom<Entry> for Scope {
    type Error = &'static str;

    fn try_from(entry: Entry) -> Result<Self, &'static str> {
        let text = format!("{}:{}:{}", entry.r#type, entry.name, entry.actions.join(","));
        Self::parse(&text).ok_or("no scope of ours")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(name: &str) -> Scope {
        Scope::Pull(name.parse().unwrap())
    }

    fn mirror(origin: &str) -> Scope {
        Scope::Mirror(origin.parse().unwrap())
    }

    #[test]
    fn clients_scopes() {
        for (parameters, expected) in [
            (vec!["repository:a/b:pull"], vec![pull("a/b")]),
            (vec!["repository:a/b:pull,push"], vec![pull("a/b")]),
            (vec!["repository:a/b/c:push,pull repository:d/e:pull"], vec![pull("a/b/c"), pull("d/e")]),
            (vec!["repository:a/b:*", "repository:a/b:pull"], vec![pull("a/b")]),
            (vec!["registry:catalog:*"], vec![Scope::Catalog]),
            (vec!["mirror:docker.io/nginx:pull"], vec![mirror("registry-1.docker.io/library/nginx")]),
            (vec!["mirror:localhost:5000/a:pull,push"], vec![mirror("localhost:5000/a")]),
            (vec!["mirror:nginx:pull", "mirror:docker.io/nginx:push", "mirror:docker.io/x y:pull"], vec![]),
            (vec!["repository:a/b:push", "repository:A/b:pull", "repository:b:pull", "repository:a/b"], vec![]),
            (vec!["registry:other:*", "registry:catalog:pull", "x:a/b:pull", "", ":", "::"], vec![]),
        ] {
            assert_eq!(Scope::parse_all(parameters.iter().copied()), expected, "{parameters:?}");
        }
        let many: Vec<_> = (0..100).map(|n| format!("repository:a/b{n}:pull")).collect();
        assert_eq!(Scope::parse_all(many.iter().map(String::as_str)).len(), MAX_SCOPES);
    }

    #[test]
    fn tokens_carry_scopes_as_docker_writes_them() {
        let json = r#"{"type":"repository","name":"a/b","actions":["pull"]}"#;
        assert_eq!(serde_json::to_string(&pull("a/b")).unwrap(), json);
        for scope in [pull("a/b"), mirror("[::1]:5000/a"), Scope::Catalog] {
            let json = serde_json::to_string(&scope).unwrap();
            assert_eq!(serde_json::from_str::<Scope>(&json).unwrap(), scope);
            assert_eq!(Scope::parse(&scope.to_string()), Some(scope));
        }
        assert!(serde_json::from_str::<Scope>(r#"{"type":"repository","name":"a/b","actions":["push"]}"#).is_err());
    }
}

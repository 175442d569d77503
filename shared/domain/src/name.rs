//! Names of our own things (namespaces, repositories, robots) and of tags.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::Digest;

/// The longest tag (distribution-spec v1.1.1, "Pulling manifests").
const TAG_LENGTH: usize = 128;
/// How much of a digest's value a referrers tag holds (distribution-spec v1.1.1, "Referrers Tag Schema").
pub(crate) const ATTACHED_LENGTH: usize = 64;
/// The longest namespace or path component, and the longest whole repository path, as Quay has them.
const PATH_LENGTH: usize = 255;
/// The longest name of a user or a group, in bytes: what providers say in claims is not longer, and many of them must fit an
/// item of the table.
const CLAIMED_LENGTH: usize = 255;
/// The deployment's own user, whom the stack's first token stands for: nobody else is called so.
const ADMIN: &str = "admin";
/// A robot's short name, as Quay has it.
const ROBOT_LENGTH: std::ops::RangeInclusive<usize> = 2..=255;

/// A text that is not the name it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct NameError(&'static str);

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:path) => {
        $(#[$doc])*
        ///
        /// Clones share the text: a run holds several copies of its list of tags.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                if $valid(text) { Ok(Self(text.into())) } else { Err(NameError($what)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// A tag: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}` (distribution-spec v1.1.1).
    TagName, "tag", is_tag
);
impl TagName {
    /// The tag of what is attached to `subject`: algorithm and value, each cut as the distribution-spec says, and a
    /// suffix of ours.
    pub(crate) fn attached(subject: &Digest, suffix: &'static str) -> Self {
        let (algorithm, hex) = (subject.algorithm().as_str(), subject.hex());
        Self(format!("{algorithm}-{}{suffix}", &hex[..hex.len().min(ATTACHED_LENGTH)]).into())
    }
}

name!(
    /// A namespace (an organization): `[a-z0-9][a-z0-9._-]{0,254}`, as Quay has it.
    Namespace, "namespace", is_component
);
name!(
    /// One repository of ours, `namespace/name`; the name may have further `/`, as Quay's extended names.
    ///
    /// Components follow Quay's `^[a-z0-9][\.a-z0-9_-]{0,254}$`; all together at most 255 characters each side.
    RepositoryName, "repository name", is_repository
);
name!(
    /// A robot account's full name, `namespace+shortname`.
    RobotName, "robot name", is_robot
);
name!(
    /// A team of an organization. Quay's rule is the one for robots' short names.
    TeamName, "team name", is_robot_short
);
name!(
    /// A person's name, as their provider says it: `[a-z0-9][a-z0-9._@-]{0,254}`, but not `admin`. No robot's name is one, for
    /// the `+` in that, and none that begins with `$`, as those of tokens do.
    UserName, "user name", is_user
);
name!(
    /// The name of a group of people, as their provider says it: any text of 1 to 255 bytes without control characters.
    GroupName, "group name", is_group
);

impl UserName {
    /// The name that a claim says. Capital letters of ASCII are taken for small ones: providers do not tell them apart, and two
    /// people must not look alike.
    pub fn of_claim(claim: &str) -> Result<Self, NameError> {
        claim.to_ascii_lowercase().parse()
    }
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= TAG_LENGTH
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'-'))
}

fn is_component(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= PATH_LENGTH
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'_' | b'-'))
}

fn is_user(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= CLAIMED_LENGTH
        && text != ADMIN
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|byte| word(byte) || matches!(byte, b'.' | b'_' | b'-' | b'@'))
}

fn is_group(text: &str) -> bool {
    (1..=CLAIMED_LENGTH).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn is_repository(text: &str) -> bool {
    text.split_once('/').is_some_and(|(namespace, name)| {
        is_component(namespace) && name.len() <= PATH_LENGTH && name.split('/').all(is_component)
    })
}

fn is_robot(text: &str) -> bool {
    text.split_once('+').is_some_and(|(namespace, short)| is_component(namespace) && is_robot_short(short))
}

/// Quay's `^([a-z0-9]+(?:[._-][a-z0-9]+)*)$`, 2 to 255 characters.
fn is_robot_short(text: &str) -> bool {
    ROBOT_LENGTH.contains(&text.len())
        && text
            .split(['.', '_', '-'])
            .all(|run| !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
}

impl RepositoryName {
    /// Joins the two parts of an API path.
    pub fn new(namespace: &str, name: &str) -> Result<Self, NameError> {
        format!("{namespace}/{name}").parse()
    }

    /// The namespace it belongs to.
    pub fn namespace(&self) -> Namespace {
        Namespace(self.split().0.into())
    }

    /// The part behind the namespace.
    pub fn name(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once('/').unwrap_or((&self.0, ""))
    }
}

impl RobotName {
    /// The robot `short` of `namespace`.
    pub fn new(namespace: &Namespace, short: &str) -> Result<Self, NameError> {
        format!("{namespace}+{short}").parse()
    }

    /// The namespace it belongs to.
    pub fn namespace(&self) -> Namespace {
        Namespace(self.split().0.into())
    }

    /// The part behind the `+`.
    pub fn short(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once('+').unwrap_or((&self.0, ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_follow_the_distribution_spec() {
        for tag in ["latest", "v1.2", "_", "1-alpine", &"a".repeat(128)] {
            assert!(tag.parse::<TagName>().is_ok(), "{tag}");
        }
        for tag in ["", "-a", ".a", "a/b", "a b", "é", "a\n", "..", &"a".repeat(129)] {
            assert!(tag.parse::<TagName>().is_err(), "{tag}");
        }
    }

    #[test]
    fn repositories_have_a_namespace_and_a_path() {
        let repository: RepositoryName = "acme/tools/app_1.x".parse().unwrap();
        assert_eq!(repository.namespace().as_str(), "acme");
        assert_eq!(repository.name(), "tools/app_1.x");
        for text in ["acme", "acme/", "/app", "Acme/app", "acme//app", "acme/../app", "acme/_layers", "a/b\n"] {
            assert!(text.parse::<RepositoryName>().is_err(), "{text}");
        }
    }

    #[test]
    fn people_are_called_as_their_provider_says() {
        for text in ["ann", "ann.lee@example.com", "4dm1n", "a_b-c", "a"] {
            assert_eq!(text.parse::<UserName>().unwrap().as_str(), text);
        }
        assert_eq!(UserName::of_claim("Ann.Lee@Example.COM").unwrap().as_str(), "ann.lee@example.com");
        // The last ones look like `k` and `a`.
        for text in
            ["", "Ann", "acme+bot", "$app", "@ann", "-ann", "a b", "a/b", "a#b", "ann\n", "\u{212a}", "\u{430}nn"]
        {
            assert!(text.parse::<UserName>().is_err(), "{text}");
        }
        for text in ["admin", "Admin", "ADMIN", &"a".repeat(256), "\u{212a}im"] {
            assert!(UserName::of_claim(text).is_err(), "{text}");
        }
    }

    #[test]
    fn groups_are_any_text_that_is_not_too_long() {
        for text in ["platform", "CN=Dev Ops,OU=Gruppen", "/team/ä", &"g".repeat(255)] {
            assert!(text.parse::<GroupName>().is_ok(), "{text}");
        }
        for text in ["", "a\nb", "\0", &"g".repeat(256), &"ä".repeat(128)] {
            assert!(text.parse::<GroupName>().is_err(), "{text}");
        }
    }

    #[test]
    fn robots_belong_to_a_namespace() {
        let robot: RobotName = "acme+mirror.bot-1".parse().unwrap();
        assert_eq!((robot.namespace().as_str(), robot.short()), ("acme", "mirror.bot-1"));
        for text in ["acme", "acme+a", "acme+A1", "acme+a..b", "acme+-ab", "acme+ab+cd"] {
            assert!(text.parse::<RobotName>().is_err(), "{text}");
        }
        assert!("dev-ops.1".parse::<TeamName>().is_ok() && "Dev".parse::<TeamName>().is_err());
    }
}

//! The types of resources.

/// A type: `Custom::Moorage` and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Organization,
    Robot,
    Repository,
    Mirror,
    OrganizationMirror,
    Permission,
    Notification,
}

/// What the names of all types begin with.
const PREFIX: &str = "Custom::Moorage";

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Organization,
        Self::Robot,
        Self::Repository,
        Self::Mirror,
        Self::OrganizationMirror,
        Self::Permission,
        Self::Notification,
    ];

    /// The one that a template names.
    pub(crate) fn of(resource_type: &str) -> Option<Self> {
        let name = resource_type.strip_prefix(PREFIX)?;
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its own name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::Robot => "Robot",
            Self::Repository => "Repository",
            Self::Mirror => "Mirror",
            Self::OrganizationMirror => "OrganizationMirror",
            Self::Permission => "Permission",
            Self::Notification => "Notification",
        }
    }

    /// The properties that say which one it is. If one of them changes, it is another one.
    pub(crate) fn identity(self) -> &'static [&'static str] {
        match self {
            Self::Organization => &["name"],
            Self::Robot => &["organization", "robot_shortname"],
            Self::Repository | Self::Mirror => &["repository"],
            Self::OrganizationMirror => &["organization"],
            Self::Permission => &["repository", "username", "teamname"],
            Self::Notification => &["repository", "organization"],
        }
    }

    /// The name in the API's description of what it is made of, and those of its fields that are properties; all of them if
    /// none are named.
    pub(crate) fn body(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Organization => ("NewOrganization", &["email"]),
            Self::Robot => ("NewRobot", &[]),
            Self::Repository => ("NewRepository", &["visibility", "description"]),
            Self::Mirror => ("NewMirror", &[]),
            Self::OrganizationMirror => ("NewOrganizationMirror", &[]),
            Self::Permission => ("Role", &[]),
            Self::Notification => ("NewNotification", &[]),
        }
    }

    /// What has no default.
    pub(crate) fn required(self) -> &'static [&'static str] {
        match self {
            Self::Organization | Self::Robot | Self::Repository => &[],
            Self::Mirror => &["external_reference", "root_rule", "robot_username"],
            Self::OrganizationMirror => {
                &["external_registry_type", "external_registry_url", "external_namespace", "robot_username"]
            }
            Self::Permission => &["role"],
            Self::Notification => &["event", "method"],
        }
    }

    /// What the API cannot change.
    pub(crate) fn fixed(self) -> &'static [&'static str] {
        match self {
            Self::Robot => &["description", "unstructured_metadata"],
            Self::OrganizationMirror => &["external_registry_type"],
            _ => &[],
        }
    }

    /// Whether it takes a secret.
    pub(crate) fn has_secret(self) -> bool {
        matches!(self, Self::Robot | Self::Mirror | Self::OrganizationMirror | Self::Notification)
    }

    /// Whether it can be taken over, and corrected: a notification is made anew whenever it is to be another one.
    pub(crate) fn is_lasting(self) -> bool {
        self != Self::Notification
    }

    /// Whether others may have put something into it that is worth keeping.
    pub(crate) fn is_container(self) -> bool {
        matches!(self, Self::Organization | Self::Repository)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_of_the_guide() {
        let guide = include_str!("../../../functions/resource/README.md");
        for kind in Kind::ALL {
            let name = format!("{PREFIX}{}", kind.name());
            assert_eq!(Kind::of(&name), Some(kind));
            assert!(guide.contains(&format!("`{name}`")), "{name}");
        }
        assert_eq!(Kind::of("Custom::MoorageTeam"), None);
        assert_eq!(Kind::of("AWS::CloudFormation::CustomResource"), None);
    }
}

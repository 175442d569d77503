//! What a run left undone on purpose, and somebody should look at. It is no failure, and does not make the run one.
//! And which secrets a mirror has lost, which is one reason for it.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A warning; it stands until a later run comes to its end without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Warning {
    /// More tags would have been deleted than one run may delete, so none of these was.
    DeletionsHeld {
        /// How many tags are held back.
        tags: u64,
        /// How many one run may delete.
        limit: u64,
        /// How many of the tags the rule does not select; the others vanished at the registry.
        #[serde(default, skip_serializing_if = "is_zero")]
        deselected: u64,
    },
    /// The registry lists no tag at all, which deletes nothing.
    ListEmpty {
        /// How many tags the mirror holds.
        tags: u64,
    },
    /// The registry did not list tags that it still has, or says nothing certain of, so these were not deleted.
    ListIncomplete {
        /// How many tags were kept.
        tags: u64,
    },
    /// Not everything that is attached to the images could be mirrored. What was mirrored of it before stays.
    AttachmentsIncomplete {
        /// How many images the registry did not say of what refers to them.
        unasked: u64,
        /// How many signatures and other referrers could not be had.
        missing: u64,
        /// How many images' referrers have no place, because their tag is one of the registry's images.
        taken: u64,
    },
    /// Tags wait at the gate: what they point to at the registry is not mirrored yet.
    TagsHeld {
        /// How many.
        tags: u64,
        /// When the first of them may be let in, if only time is waited for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Passwords were dropped because they were entrusted to us for another place, and have not been sent again.
    CredentialsDropped(Dropped),
    /// The robot's credentials for the registry were not sent, because they may not go this way.
    CredentialsWithheld {
        /// Whether it is without verified TLS, or by authorities of the mirror's own.
        insecure: bool,
        /// Whether it is by a proxy.
        proxy: bool,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Which passwords of a mirror were dropped when its registry's host, a proxy, `verify_tls` or `ca_bundle` was changed, and
/// have been neither sent again nor removed since. Without passwords the mirror is anonymous.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one setting whether it is to be sent again")]
pub struct Dropped {
    /// The one at the registry.
    pub external_registry_password: bool,
    /// The one at the proxy for plain http.
    pub http_proxy: bool,
    /// The one at the proxy for https.
    pub https_proxy: bool,
    /// What TLS goes by: authorities, and the certificate with its key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tls: bool,
}

impl Dropped {
    /// What stands for nothing dropped.
    pub fn is_nothing(self) -> bool {
        self == Self::default()
    }

    /// The settings to send again, by their names in the API.
    pub fn settings(self) -> Vec<&'static str> {
        let all = [
            ("external_registry_password", self.external_registry_password),
            ("http_proxy", self.http_proxy),
            ("https_proxy", self.https_proxy),
            ("tls", self.tls),
        ];
        all.into_iter().filter(|(_, is_dropped)| *is_dropped).map(|(name, _)| name).collect()
    }

    /// The warning, as long as something is dropped.
    pub fn warning(self) -> Option<Warning> {
        (!self.is_nothing()).then_some(Warning::CredentialsDropped(self))
    }
}

impl Warning {
    /// The name on the wire.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::DeletionsHeld { .. } => "deletions_held",
            Self::ListEmpty { .. } => "list_empty",
            Self::ListIncomplete { .. } => "list_incomplete",
            Self::AttachmentsIncomplete { .. } => "attachments_incomplete",
            Self::TagsHeld { .. } => "tags_held",
            Self::CredentialsDropped(_) => "credentials_dropped",
            Self::CredentialsWithheld { .. } => "credentials_withheld",
        }
    }

    /// How many tags it is about; of attachments, how many of them or of their images.
    pub const fn tags(self) -> u64 {
        match self {
            Self::DeletionsHeld { tags, .. }
            | Self::ListEmpty { tags }
            | Self::ListIncomplete { tags }
            | Self::TagsHeld { tags, .. } => tags,
            Self::AttachmentsIncomplete { unasked, missing, taken } => {
                unasked.saturating_add(missing).saturating_add(taken)
            }
            Self::CredentialsDropped(_) | Self::CredentialsWithheld { .. } => 0,
        }
    }

    /// When the first of what waits may be let in, if that is known.
    pub const fn until(self) -> Option<Timestamp> {
        match self {
            Self::TagsHeld { until, .. } => until,
            _ => None,
        }
    }

    /// How many tags were not deleted.
    pub const fn held(self) -> u64 {
        match self {
            Self::DeletionsHeld { tags, .. } | Self::ListEmpty { tags } | Self::ListIncomplete { tags } => tags,
            _ => 0,
        }
    }

    /// Whether it is about what the registry is told of who asks.
    pub const fn is_about_credentials(self) -> bool {
        matches!(self, Self::CredentialsDropped(_) | Self::CredentialsWithheld { .. })
    }

    /// The settings that it is about, by their names in the API: those that were dropped, or those of the mirror or of the
    /// robot's external registry that would allow what was not done.
    pub fn settings(self) -> Vec<&'static str> {
        match self {
            Self::DeletionsHeld { .. } => vec!["deletion_limit"],
            Self::ListIncomplete { .. } => vec!["deletion_grace"],
            Self::ListEmpty { .. } | Self::AttachmentsIncomplete { .. } | Self::TagsHeld { .. } => Vec::new(),
            Self::CredentialsDropped(dropped) => dropped.settings(),
            Self::CredentialsWithheld { insecure, proxy } => {
                let all = [("allow_insecure", insecure), ("allow_proxy", proxy)];
                all.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect()
            }
        }
    }

    /// What happened, and what to do about it.
    pub fn message(self) -> String {
        match self {
            Self::DeletionsHeld { tags, limit, deselected } => held_back(tags, limit, deselected),
            Self::ListEmpty { tags } => format!(
                "the registry lists no tags at all; that deletes nothing, and the {tags} tags that the mirror holds stay: \
                 look whether external_reference is right and whether the credentials let it see the tags; if the \
                 repository is empty for good, delete the mirror, which keeps the tags, and then the tags through the API, \
                 or the repository"
            ),
            Self::ListIncomplete { tags } => format!(
                "the registry's list lacks {tags} tags that the mirror holds and that the registry still has, or did \
                 not say that it has not: they were not deleted; those that it says nothing certain of go after \
                 deletion_grace complete lists without them; if this stays so, look at the registry, or narrow root_rule"
            ),
            Self::AttachmentsIncomplete { unasked, missing, taken } => {
                let parts = [
                    (
                        unasked,
                        "it is not known what refers to {} images (the registry's referrers API refuses, limits requests, or lists too much)",
                    ),
                    (
                        missing,
                        "{} referrers that it lists could not be had, not be served, or do not refer to the image",
                    ),
                    (taken, "the tag for the referrers of {} images is an image that the mirror selects"),
                ];
                let parts = parts.into_iter().filter(|(count, _)| *count > 0);
                let parts: Vec<_> = parts.map(|(count, text)| text.replace("{}", &count.to_string())).collect();
                format!(
                    "{}: the images are there, their signatures and other attachments only as far as they could be had; \
                     what was mirrored of them before stays",
                    parts.join("; ")
                )
            }
            Self::TagsHeld { tags, until } => {
                let next = until.map_or_else(String::new, |until| format!(", the first of them until {until}"));
                format!(
                    "{tags} tags wait at the gate{next}: they stay what they are here; the list of holds says for what \
                     each waits, and what its time or its move holds can be released there"
                )
            }
            Self::CredentialsDropped(dropped) => format!(
                "{}: dropped when the registry's host, a proxy, verify_tls or ca_bundle was changed, so that nobody gets a password \
                 that was meant for another place; syncs go without until it is sent again, or removed (PUT of the \
                 mirror, a registry's password together with external_registry_username, ca_bundle and client_certificate in \
                 tls; of an organization's mirror, if that manages the repository)",
                dropped.settings().join(", ")
            ),
            Self::CredentialsWithheld { .. } => format!(
                "the robot's credentials for the registry were not sent, because they go only over TLS that is \
                 verified without authorities of the mirror's own, and without a proxy: set {} of the robot's external registry to true if they may, or give the mirror \
                 credentials of its own",
                self.settings().join(" and ")
            ),
        }
    }
}

/// What is said of tags that are held back: why they would go, and what lets them.
fn held_back(tags: u64, limit: u64, deselected: u64) -> String {
    let vanished = tags.saturating_sub(deselected);
    let (cause, look) = match (vanished, deselected) {
        (_, 0) => (
            format!("the registry does not list {tags} of the tags that the mirror holds"),
            "look whether the registry has lost them",
        ),
        (0, _) => (format!("root_rule does not select {tags} of the tags that the mirror holds"), "look at root_rule"),
        _ => (
            format!(
                "of the tags that the mirror holds, root_rule does not select {deselected}, and the registry does not \
                 list {vanished}"
            ),
            "look at root_rule, and whether the registry has lost what it does not list",
        ),
    };
    format!(
        "{cause}; that is more than the {limit} that one sync may delete, so none of them was: {look}; if they are to go, \
         set the deletion_limit of the mirror, or of the organization's mirror if that manages the repository, to {tags} \
         or more (0 for no limit) and sync again; or delete the mirror, which keeps the tags, and then single tags through \
         the API"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wire_has_the_reason() {
        let warning = Warning::DeletionsHeld { tags: 30, limit: 10, deselected: 0 };
        let wire = serde_json::to_value(warning).unwrap();
        assert_eq!(wire, serde_json::json!({"reason": warning.reason(), "tags": 30, "limit": 10}));
        assert_eq!(serde_json::from_value::<Warning>(wire).unwrap(), warning);
        for warning in [
            warning,
            Warning::ListIncomplete { tags: 2 },
            Warning::CredentialsDropped(Dropped { http_proxy: true, ..Dropped::default() }),
            Warning::CredentialsWithheld { insecure: false, proxy: true },
        ] {
            let wire = serde_json::to_value(warning).unwrap();
            assert_eq!(wire["reason"], warning.reason());
            assert_eq!(serde_json::from_value::<Warning>(wire).unwrap(), warning);
            assert!(warning.message().contains(warning.settings()[0]), "{}", warning.message());
        }
        assert_eq!(Dropped::default().warning(), None);
        let attached = Warning::AttachmentsIncomplete { unasked: 0, missing: 2, taken: 1 };
        let wire = serde_json::to_value(attached).unwrap();
        assert_eq!(wire["reason"], attached.reason());
        assert_eq!(serde_json::from_value::<Warning>(wire).unwrap(), attached);
        assert_eq!((attached.tags(), attached.held(), warning.held()), (3, 0, 30));
        assert!(attached.message().starts_with("2 referrers") && !attached.message().contains("API"));
    }
    #[test]
    fn the_advice_fits_the_cause() {
        let told = |tags, deselected| Warning::DeletionsHeld { tags, limit: 10, deselected }.message();
        let [vanished, deselected, both] = [told(30, 0), told(30, 30), told(30, 12)];
        assert!(!vanished.contains("root_rule"), "no rule brings back what vanished: {vanished}");
        assert!(deselected.contains("look at root_rule;") && !deselected.contains("the registry"), "{deselected}");
        assert!(both.contains("does not select 12") && both.contains("does not list 18"), "{both}");
        for message in [vanished, deselected, both] {
            assert!(message.contains("to 30 or more") && message.contains("through the API"), "{message}");
        }
        let empty = Warning::ListEmpty { tags: 4 };
        assert_eq!((empty.reason(), empty.tags(), empty.held()), ("list_empty", 4, 4));
        assert!(
            ["external_reference", "credentials", "delete the mirror"].iter().all(|way| empty.message().contains(way))
        );
        let older = serde_json::json!({"reason": "deletions_held", "tags": 3, "limit": 2});
        let older: Warning = serde_json::from_value(older).unwrap();
        assert_eq!(older, Warning::DeletionsHeld { tags: 3, limit: 2, deselected: 0 });
    }
}

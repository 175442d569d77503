//! Replication rules, as Harbor's API has them.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};

use crate::import::input::record;

/// Some rules: a list, or one.
pub(super) struct Policies(pub(super) Vec<Policy>);

impl<'de> Deserialize<'de> for Policies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;

        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Policies;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a rule or a list of rules")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Policies, A::Error> {
                Ok(Policies(vec![Policy::deserialize(MapAccessDeserializer::new(map))?]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Policies, A::Error> {
                let mut policies = Vec::new();
                while let Some(policy) = list.next_element()? {
                    policies.push(policy);
                }
                Ok(Policies(policies))
            }
        }

        deserializer.deserialize_any(OneOrMany)
    }
}

record! {
    /// A rule.
    Policy {
        /// Its number.
        id: i64 = "id",
        /// Its name.
        name: String = "name",
        /// What it is for.
        description: String = "description",
        /// From where; nothing, or Harbor itself, for a rule that pushes.
        src_registry: Registry = "src_registry",
        /// To where.
        dest_registry: Registry = "dest_registry",
        /// Where it goes.
        dest_namespace: String = "dest_namespace",
        /// How much of the name is replaced by that.
        dest_namespace_replace_count: i64 = "dest_namespace_replace_count",
        /// What is replicated.
        filters: Vec<Filter> = "filters",
        /// When.
        trigger: Trigger = "trigger",
        /// Whether tags move.
        r#override: bool = "override",
        /// Whether it is on.
        enabled: bool = "enabled",
        /// Whether what is deleted is deleted there, too; of rules that push.
        deletion: bool = "deletion",
        /// The same.
        replicate_deletion: bool = "replicate_deletion",
        /// In kilobytes a second; none for less than 1.
        speed: i64 = "speed",
        /// How it copies.
        copy_by_chunk: bool = "copy_by_chunk",
        /// Whether it runs once at a time.
        single_active_replication: bool = "single_active_replication",
        /// When it was made.
        creation_time: String = "creation_time",
        /// When it was changed.
        update_time: String = "update_time",
        /// By whom.
        creator: String = "creator",
    }
}

record! {
    /// A registry.
    Registry {
        /// Its number; 0 is Harbor itself.
        id: i64 = "id",
        /// Its name.
        name: String = "name",
        /// What it is for.
        description: String = "description",
        /// What it is.
        kind: String = "type",
        /// Where it is.
        url: String = "url",
        /// Who asks.
        credential: Credential = "credential",
        /// Whether its certificate need not be right.
        insecure: bool = "insecure",
        /// Of which it is shown.
        ca_certificate: String = "ca_certificate",
        /// Whether it answers.
        status: String = "status",
        /// How it is asked.
        token_service_url: String = "token_service_url",
        /// When it was made.
        creation_time: String = "creation_time",
        /// When it was changed.
        update_time: String = "update_time",
    }
}

record! {
    /// A login.
    Credential {
        /// Of which kind.
        kind: String = "type",
        /// The user.
        access_key: String = "access_key",
        /// Never the password.
        access_secret: IgnoredAny = "access_secret",
    }
}

record! {
    /// What is replicated.
    Filter {
        /// By what.
        kind: String = "type",
        /// What that has to be.
        value: Texts = "value",
        /// Whether it has to be that, or must not be.
        decoration: String = "decoration",
    }
}

record! {
    /// When.
    Trigger {
        /// By what.
        kind: String = "type",
        /// How.
        settings: TriggerSettings = "trigger_settings",
    }
}

record! {
    /// How a rule is started.
    TriggerSettings {
        /// The times.
        cron: String = "cron",
    }
}

/// A text, or a list of them as labels are.
pub(crate) enum Texts {
    One(String),
    Many,
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Texts::Many)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

impl Filter {
    /// What it has to be, if that is one text.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Some(Texts::One(text)) => Some(text),
            Some(Texts::Many) => None,
            None => Some(""),
        }
    }
}

impl Policy {
    /// The registry that it pulls from; why it does not, otherwise.
    pub(super) fn source(&self) -> Result<&Registry, String> {
        let is_remote = |registry: &&Registry| registry.id.is_some_and(|id| id != 0) && registry.url.is_some();
        match (self.src_registry.as_ref().filter(is_remote), self.dest_registry.as_ref().filter(is_remote)) {
            (Some(source), None) => Ok(source),
            (None, Some(_)) => Err("it pushes; a mirror pulls: declare one where its images are to be".to_owned()),
            _ => Err("it is not said from where it pulls".to_owned()),
        }
    }
}

//! A live Quay, by its API: another Moorage is one, too.

mod fields;
mod mirror;
mod notifications;
mod organization;
mod permissions;
mod read;
mod repository;
mod team;

use moorage_client::Client;
use moorage_domain::Namespace;

use crate::{
    error::CliError,
    import::{draft::Draft, options::Options},
};

/// What holds for everything that comes from it.
const NOTES: [&str; 6] = [
    "no password of an upstream registry can be read from Quay: the document names each",
    "images are not copied from Quay: each mirror's first sync fetches them from its registry again",
    "a rule that matches nothing deletes what it no longer matches; unchanged tags are not copied again; signatures and other \
     referrers come with the images that they are attached to (functions/api/QUAY.md has all that differs)",
    "skopeo_timeout_interval is how long an answer of the registry may take, not how long a tag may take",
    "people are not imported: they are those who sign in here, by the names that the provider gives (OidcUserClaim). Look \
     whether who has a name there has it here; until somebody has signed in once, what is theirs waits: apply it again then",
    "logs, builds, labels, starred repositories and applications are not looked at",
];

/// Reads organizations.
pub(crate) async fn import(
    client: &Client,
    organizations: &[Namespace],
    options: &Options,
    draft: &mut Draft,
) -> Result<(), CliError> {
    draft.notes.extend(NOTES);
    for name in organizations {
        let found = Box::pin(read::organization(client, name)).await?;
        translate(&found, organizations, options, draft);
    }
    Ok(())
}

/// What an organization has.
fn translate(found: &read::Organization, all: &[Namespace], options: &Options, draft: &mut Draft) {
    organization::add(found, options, draft);
    team::add(found, options, draft);
    for repository in &found.repositories {
        repository::add(&found.name, repository, all, options, draft);
    }
    if let Some(view) = &found.mirror {
        mirror::add_organization(&found.name, view, options, draft);
    }
}

#[cfg(test)]
mod tests;

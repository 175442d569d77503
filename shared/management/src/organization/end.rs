//! The end of an organization: its repositories with their mirrors, its robots and tokens, itself. Nothing can be made in it
//! from the first call on, and its name is free when all of it is gone. The sync function does the work, which has access to
//! the bucket; if it comes to no end while the call waits, it goes on by itself.

use moorage_domain::{
    Namespace,
    task::{Task, TaskAnswer},
};

use crate::{
    api::Api,
    http::{answer::Answer, error::ApiError},
};

/// `DELETE organization/{orgname}`. What takes longer than a call may goes on by itself; the call can be repeated until all
/// is gone.
pub(crate) async fn delete(api: &Api, name: &str) -> Result<Answer, ApiError> {
    let name: Namespace = name.parse().map_err(|_| ApiError::NotFound)?;
    let organization = api.table.any_organization(&name).await?.ok_or(ApiError::NotFound)?;
    api.table.mark_organization_ending(&organization).await?;
    match api.invoker.ask(&Task::EndOrganization { organization: name, invocation: 0 }).await? {
        TaskAnswer::Done | TaskAnswer::NotFound => {}
        TaskAnswer::Failed(failure) => return Err(failure.into()),
        _ => return Err(ApiError::Unfinished("The organization is not deleted yet. Call again to go on.".into())),
    }
    // They are void without it, and until now somebody may have called again with one of them.
    api.table.delete_api_tokens_of(&organization).await?;
    Ok(Answer::NoContent)
}

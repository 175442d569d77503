//! What there is.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use moorage_client::{Client, ClientError, Method, Request};
use moorage_declaration::{
    Answer, Declaration, Present, needed,
    reading::{self, Reading},
};
use serde_json::{Map, Value};

use crate::error::CliError;

/// Paths that are read at once: as many as the API's functions take without making others wait.
const READS: usize = 8;
/// The most entries of a list: of an organization's repositories.
const ENTRIES: usize = 100_000;

/// Reads what has to be known of what is declared, and if asked of what is not.
pub(crate) async fn read(client: &Client, declaration: &Declaration, with_others: bool) -> Result<Present, CliError> {
    let mut readings = reading::of_declared(declaration);
    readings.extend(needed::readings(declaration));
    if with_others {
        readings.extend(reading::of_undeclared(declaration));
    }
    let one = |reading: Reading| async move {
        let answer = answer(client, &reading).await?;
        Ok::<_, CliError>((reading, answer))
    };
    let answers: Vec<_> = stream::iter(readings).map(one).buffer_unordered(READS).try_collect().await?;
    Ok(answers.into_iter().collect())
}

async fn answer(client: &Client, reading: &Reading) -> Result<Answer, CliError> {
    let Some(list) = reading.list else {
        let answer = client.ask(&Request::new(Method::Get, &reading.path)).await?;
        if answer.status == 401 {
            return Err(client.failure(&reading.path, &answer).into());
        }
        return Ok(Answer { status: answer.status, body: answer.body, etag: answer.etag });
    };
    let pages = match client.pages(&reading.path, list, ENTRIES).await {
        Err(ClientError::NotFound { .. }) => return Ok(Answer { status: 404, ..Answer::default() }),
        pages => pages?,
    };
    if pages.is_more {
        return Err(CliError::Refused(format!("{} has more than {ENTRIES} entries", reading.path)));
    }
    let body = Map::from_iter([(list.to_owned(), Value::Array(pages.entries))]);
    Ok(Answer { status: 200, body: body.into(), etag: None })
}

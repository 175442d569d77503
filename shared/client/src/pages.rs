//! Lists, page by page.

use serde_json::Value;

use crate::{client::Client, error::ClientError, request::segment};

/// The most pages of a list: a list of a hundred thousand entries has so many, and a server that never ends has no more.
pub const MAX_PAGES: usize = 1_000;

/// The entries of a list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pages {
    /// As many as were asked for, in order.
    pub entries: Vec<Value>,
    /// Whether there are more.
    pub is_more: bool,
}

impl Client {
    /// The entries of a list that a page has as `name`, at most so many, from as many pages as that takes.
    pub async fn pages(&self, path: &str, name: &str, most: usize) -> Result<Pages, ClientError> {
        let mut found = Pages::default();
        let mut next = path.to_owned();
        for _ in 0..MAX_PAGES {
            let mut page = self.get(&next).await?;
            let Some(Value::Array(entries)) = page.get_mut(name).map(Value::take) else {
                let (host, why) = (self.address().host().to_owned(), format!("a page without {name}"));
                return Err(ClientError::NotUnderstood { host, why });
            };
            found.entries.extend(entries);
            let token = page.get("next_page").and_then(Value::as_str);
            if found.entries.len() >= most || token.is_none() {
                found.is_more = token.is_some() || found.entries.len() > most;
                found.entries.truncate(most);
                return Ok(found);
            }
            let separator = if path.contains('?') { '&' } else { '?' };
            next = format!("{path}{separator}next_page={}", segment(token.unwrap_or_default()));
        }
        found.is_more = true;
        Ok(found)
    }
}

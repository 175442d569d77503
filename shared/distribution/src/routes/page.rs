//! Pages of lists: `n` and `last` of the query, and the `Link` to the next page.

use url::form_urlencoded;

use crate::{error::PullError, routes::route::Wanted};

/// The parameters of a request's query.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of a parameter that has one.
    pub(crate) fn get(&self, name: &'static str) -> Option<&str> {
        self.all(name).find(|value| !value.is_empty())
    }

    /// How many entries a page is to have: as many as are asked for, and never more than `most`.
    pub(crate) fn count(&self, most: usize) -> Result<usize, PullError> {
        let Some(text) = self.get("n") else { return Ok(most) };
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is too long to be read is larger than `most`.
        if is_number {
            Ok(text.parse().unwrap_or(most).min(most))
        } else {
            Err(PullError::PageInvalid("n is no number"))
        }
    }
}

/// The link to what follows of a list of a repository, as the client calls it.
pub(crate) fn next(wanted: &Wanted, list: &str, parameters: &[(&str, &str)]) -> String {
    let host = wanted.host().map(|host| ("ns", host));
    next_of(&format!("/v2/{}/{list}", wanted.name()), parameters.iter().copied().chain(host))
}

/// The link to what follows of a list.
pub(crate) fn next_of<'a>(path: &str, parameters: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    format!(r#"<{path}?{query}>; rel="next""#)
}

#[cfg(test)]
mod tests {
    use moorage_domain::{Digest, RepositoryName, TagName};

    use super::*;

    #[test]
    fn n_is_a_number_and_bounded() {
        let count = |query: &str| Query::parse(query).count(100).map_err(|error| error.to_string());
        for (query, expected) in [
            ("", 100),
            ("n=", 100),
            ("n=0", 0),
            ("n=7", 7),
            ("n=100", 100),
            ("n=101", 100),
            ("ns=docker.io&n=3", 3),
            ("n=99999999999999999999999999", 100),
        ] {
            assert_eq!(count(query), Ok(expected), "{query}");
        }
        for query in ["n=-1", "n=x", "n=1.5", "n=%2B1"] {
            assert!(count(query).is_err(), "{query}");
        }
    }

    #[test]
    fn links_of_earlier_builds_can_be_followed() {
        fn last<T: std::str::FromStr + ToString>(query: &str) -> String {
            let last = Query::parse(query).get("last").and_then(|last| last.parse::<T>().ok());
            last.unwrap_or_else(|| panic!("{query}")).to_string()
        }
        assert_eq!(last::<TagName>("n=2&last=v1.0-rc_1"), "v1.0-rc_1");
        assert_eq!(last::<RepositoryName>("n=100&last=acme%2Ftools%2Fapp"), "acme/tools/app");
        let hex = "0123456789abcdef".repeat(4);
        let query = format!("artifactType=application%2Fspdx%2Bjson&last=sha256%3A{hex}");
        assert_eq!(last::<Digest>(&query), format!("sha256:{hex}"));
    }

    #[test]
    fn links_can_be_followed() {
        let link = next_of("/v2/_catalog", [("n", "2"), ("last", "a/b+c")]);
        assert_eq!(link, r#"</v2/_catalog?n=2&last=a%2Fb%2Bc>; rel="next""#);
        let wanted = Wanted::Original {
            origin: "localhost:5000/a".parse().unwrap(),
            host: "localhost:5000".to_owned(),
            name: "a".to_owned(),
        };
        let link = next(&wanted, "tags/list", &[("n", "2")]);
        assert_eq!(link, r#"</v2/a/tags/list?n=2&ns=localhost%3A5000>; rel="next""#, "it leads to the same mirror");
        let query = Query::parse("n=2&last=a%2Fb%2Bc");
        assert_eq!((query.get("last"), query.get("other")), (Some("a/b+c"), None));
    }
}

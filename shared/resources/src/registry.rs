//! What clients pull from, as attributes name it.

use url::Url;

/// The registry that the stack has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Registry {
    host: String,
}

impl Registry {
    /// The one behind the deployment's URL.
    pub(crate) fn at(public_url: &str) -> Self {
        let url = Url::parse(public_url).ok();
        let authority = url.as_ref().map(|url| &url[url::Position::BeforeHost..url::Position::AfterPort]);
        Self { host: authority.unwrap_or_default().to_owned() }
    }

    /// Its host, with the port if it has one: what `docker login` takes.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// What is pulled, without a tag.
    pub(crate) fn reference(&self, repository: &str) -> String {
        format!("{}/{repository}", self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_host_and_path() {
        assert_eq!(Registry::at("https://x.example.com").reference("acme/app"), "x.example.com/acme/app");
        assert_eq!(Registry::at("http://localhost:8080").host(), "localhost:8080");
    }
}

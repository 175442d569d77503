//! A browser as far as a provider's pages need one: cookies, redirects and forms.

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use moorage_domain::Digest;
use reqwest::{Method, Response, Url};

use crate::http;

/// More redirects in a row lead nowhere.
const MOST_REDIRECTS: usize = 10;

/// The form of RFC 6749 and of web pages.
pub(super) fn form<'f>(pairs: impl IntoIterator<Item = (&'f str, &'f str)>) -> String {
    Url::parse_with_params("http://form", pairs).unwrap().query().unwrap_or_default().to_owned()
}

/// The challenge of a verifier (RFC 7636, 4.2).
pub(super) fn challenge(verifier: &Digest) -> String {
    URL_SAFE_NO_PAD.encode(hex::decode(verifier.hex().to_string()).unwrap())
}

/// One window.
#[derive(Debug)]
pub(super) struct Browser {
    provider: Url,
    client: String,
    cookies: BTreeMap<String, String>,
    /// What is shown.
    pub(super) page: String,
    /// Where the provider has sent it: to the client.
    pub(super) left: Option<String>,
}

impl Browser {
    /// Nothing is open.
    pub(super) fn new(provider: &str, client: &str) -> Self {
        let (provider, client) = (Url::parse(provider).unwrap(), client.to_owned());
        Self { provider, client, cookies: BTreeMap::new(), page: String::new(), left: None }
    }

    /// Opens a page of the provider's.
    pub(super) async fn open(&mut self, path: &str) {
        self.go(Method::GET, path, None).await;
    }

    /// Sends the form that is shown, with its hidden fields and what is typed.
    pub(super) async fn submit(&mut self, typed: &[(&str, &str)]) {
        let page = self.page.clone();
        let (_, form_element) = page.split_once("<form").unwrap_or_else(|| panic!("no form: {page}"));
        let action = attribute(form_element, "action").unwrap_or_else(|| panic!("no action: {page}"));
        let inputs = form_element.split("<input").skip(1);
        let hidden = inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)));
        let fields = hidden.filter(|(name, _)| typed.iter().all(|(other, _)| other != name));
        let body = form(fields.chain(typed.iter().copied()));
        self.go(Method::POST, action, Some(body)).await;
    }

    /// Asks for something, and follows where that leads, unless it leads back to the client.
    async fn go(&mut self, method: Method, path: &str, body: Option<String>) {
        let (mut url, mut answer) = (self.provider.join(path).unwrap(), self.send(method, path, body).await);
        for _ in 0..MOST_REDIRECTS {
            let Some(location) = answer.headers().get("location") else {
                self.page = answer.text().await.unwrap();
                return;
            };
            url = url.join(location.to_str().unwrap()).unwrap();
            if url.as_str().starts_with(&self.client) {
                self.left = Some(url.into());
                return;
            }
            answer = self.send(Method::GET, url.as_str(), None).await;
        }
        panic!("redirected for ever: {url}");
    }

    async fn send(&mut self, method: Method, path: &str, body: Option<String>) -> Response {
        let url = self.provider.join(path).unwrap();
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = http().request(method, url).header("cookie", cookies.join("; "));
        let request = match body {
            Some(body) => request.header("content-type", "application/x-www-form-urlencoded").body(body),
            None => request,
        };
        let answer = request.send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap_or_default();
            let (name, value) = cookie.split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
        answer
    }
}

/// An attribute of the element that the text is the rest of.
fn attribute<'t>(element: &'t str, name: &str) -> Option<&'t str> {
    let (element, _) = element.split_once('>')?;
    let (_, value) = element.split_once(&format!(" {name}=\""))?;
    Some(value.split_once('"')?.0)
}

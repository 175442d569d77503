//! Documents of a server that is no registry, by their paths.

use moorage_domain::{Guard, Proxy, Tls};
use reqwest::{Method, StatusCode, header::HeaderMap};
use url::Url;

use crate::{
    Limits, Meter, Settings, UpstreamError,
    http::Http,
    transport::{Recipient, Request, Transport},
};

/// Such a server.
#[derive(Debug)]
pub struct Documents {
    base: Url,
    http: Http,
}

impl Documents {
    /// Opens a server. Nothing is sent yet. What is fetched by https has a valid certificate; by plain http it has to be
    /// signed, and verified by whoever asks for it.
    pub fn new(base: &Url, guard: Guard, limits: Limits) -> Result<Self, UpstreamError> {
        let meter = Meter::default();
        let settings = Settings {
            credentials: None,
            verify_tls: base.scheme() == "https",
            tls: Tls::default(),
            proxy: Proxy::default(),
            token_realms: Vec::new(),
            guard,
            limits,
            meter: meter.clone(),
        };
        let transport = Transport::new(&settings, meter.clone())?;
        Ok(Self { base: base.clone(), http: Http::new(transport, settings.limits, meter) })
    }

    /// A document of at most `limit` bytes; nothing if there is none of that path, which object stores say by 403, too.
    pub async fn get(&self, path: &str, limit: usize) -> Result<Option<Vec<u8>>, UpstreamError> {
        let mut url = self.base.clone();
        let segments = url.path_segments_mut();
        let not_a_url = |()| UpstreamError::Protocol(format!("{} is not a URL", self.base));
        segments.map_err(not_a_url)?.pop_if_empty().extend(path.split('/'));
        let request =
            Request { method: Method::GET, url, headers: HeaderMap::new(), body: None, to: Recipient::Registry };
        let answer = self.http.fetch(&request, limit, "a document").await?;
        match answer.head.status {
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(None),
            status if status.is_success() => Ok(Some(answer.body.to_vec())),
            _ => Err(answer.into_error(&request.url)),
        }
    }
}

//! What the clients of one sync are made of, and how each keeps its connections.

use std::{sync::Arc, time::Duration};

use moorage_domain::Guard;
use moorage_resolver::GuardedResolver;
use reqwest::{Client, Proxy, redirect, retry};

use crate::{UpstreamError, tls::ClientTls};

/// A registry that needs longer to accept a connection is down.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How much one stream of HTTP/2 may send ahead of who reads it, which is then in memory: all of a small blob. What is large
/// comes by no stream, or is read as it comes.
const STREAM_WINDOW: u32 = 128 * 1024;
/// How much the streams of one connection may, all together: as many of them as there are requests at once. Were it less,
/// streams that nobody reads for a while could take all of it, and leave nothing to the one that they wait for. What frames
/// take beyond their bytes is bounded by its half.
const CONNECTION_WINDOW: u32 = 64 * STREAM_WINDOW;
/// The least that HTTP/2 allows (RFC 9113, 4.2): a frame is in memory before any of it is read.
const FRAME_SIZE: u32 = 16 * 1024;
/// The headers of one answer, unpacked. What has more is asked for once more by HTTP/1.1, which bears more.
const HEADERS_SIZE: u32 = 16 * 1024;
/// Who we are, for the registry's logs.
const USER_AGENT: &str = concat!("moorage/", env!("CARGO_PKG_VERSION"));

/// What a client is made of. Whatever two mirrors have in common, they have no client in common: no connection is shared, and
/// no session of TLS is taken up again, that was made with another one's certificate.
#[derive(Debug)]
pub(crate) struct Recipe {
    pub(crate) proxies: Vec<Proxy>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) verify_tls: bool,
    pub(crate) tls: ClientTls,
    pub(crate) patience: Duration,
}

/// How a client keeps connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// One for many requests at once where TLS's other end offers HTTP/2; else as [`Self::Apart`].
    Shared,
    /// One for each request at a time, by HTTP/1.1.
    Apart,
    /// None: each request has a new one, by HTTP/1.1.
    Never,
}

impl Recipe {
    pub(crate) fn client(&self, kept: Kept) -> Result<Client, UpstreamError> {
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(self.patience)
            .redirect(redirect::Policy::none())
            .dns_resolver(Arc::new(GuardedResolver(Arc::clone(&self.guard))))
            .tls_danger_accept_invalid_certs(!self.verify_tls)
            // Whatever is sent again is sent by us, counted, and on a new connection.
            .retry(retry::never())
            .no_proxy();
        let builder = match kept {
            Kept::Shared => builder
                .http2_initial_stream_window_size(STREAM_WINDOW)
                .http2_initial_connection_window_size(CONNECTION_WINDOW)
                .http2_max_frame_size(FRAME_SIZE)
                .http2_max_header_list_size(HEADERS_SIZE),
            Kept::Apart => builder.http1_only(),
            Kept::Never => builder.http1_only().pool_max_idle_per_host(0),
        };
        let builder = self.tls.apply(builder);
        let builder = self.proxies.iter().cloned().fold(builder, reqwest::ClientBuilder::proxy);
        builder.build().map_err(|_| UpstreamError::Settings)
    }
}

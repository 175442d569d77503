//! What the registry allows: some manifests, or some requests of any kind in a window.

use bytes::Bytes;
use hyper::Response;

use super::body::{Body, plain};

/// What is left of it.
#[derive(Debug, Default)]
pub(super) struct Limit {
    /// How many more manifests may be fetched, if that is limited.
    pub(super) manifests: Option<usize>,
    /// How many more requests are answered in this window, if that is limited, and for how many seconds a refusal says to
    /// wait.
    pub(super) window: Option<(usize, u64)>,
    /// How many requests were answered in all windows.
    pub(super) answered: usize,
}

impl Limit {
    /// Takes one more request from what is left, or refuses it.
    pub(super) fn refuse(&mut self, is_manifest: bool, method: &str) -> Option<Response<Body>> {
        if let Some((left, seconds)) = self.window {
            if left == 0 {
                return Some(plain(429, &[("retry-after", seconds.to_string())], Bytes::new()));
            }
            self.window = Some((left - 1, seconds));
            self.answered += 1;
        }
        if let Some(left) = self.manifests.filter(|_| is_manifest && method == "GET") {
            if left == 0 {
                return Some(plain(429, &[("ratelimit-remaining", "0;w=21600".into())], Bytes::new()));
            }
            self.manifests = Some(left - 1);
        }
        None
    }
}

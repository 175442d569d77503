#![doc = include_str!("../README.md")]

use std::{net::SocketAddr, sync::Arc};

use moorage_domain::Guard;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// An address or host that the guard refuses; travels inside reqwest's errors.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not an allowed address")]
pub struct NotAllowed(pub String);

/// Resolves names to addresses that the guard allows, so that what was judged is what is connected to.
pub struct GuardedResolver(pub Arc<Guard>);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let resolved: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed = |address: &SocketAddr| guard.allows_resolved(name.as_str(), address.ip());
            let allowed: Vec<_> = resolved.into_iter().filter(allowed).collect();
            if allowed.is_empty() {
                return Err(NotAllowed(name.as_str().to_owned()).into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

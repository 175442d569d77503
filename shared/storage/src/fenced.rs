//! Requests that are only sent as long as somebody has the right to change links.

use std::time::SystemTime;

use aws_sdk_s3::{
    client::customize::CustomizableOperation,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
};
use moorage_domain::Fence;

use crate::Storage;

/// Holds each try of a request against a fence, by the wall clock, at the last moment before it is sent.
#[derive(Debug)]
struct Guard(Fence);

impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "Fence"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        Ok(self.0.pass(SystemTime::now().into())?)
    }
}

impl Storage {
    /// The same bucket, for one who may change links and delete by a right that ends: then it fails with
    /// [`StorageError::Closed`](crate::StorageError::Closed).
    #[must_use]
    pub fn fenced(&self, fence: &Fence) -> Self {
        Self { fence: Some(fence.clone()), ..self.clone() }
    }

    /// A request that is held against the fence, if there is one.
    pub(crate) fn guarded<T, E, B>(&self, request: CustomizableOperation<T, E, B>) -> CustomizableOperation<T, E, B> {
        match &self.fence {
            Some(fence) => request.interceptor(Guard(fence.clone())),
            None => request,
        }
    }
}

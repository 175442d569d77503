//! Requests that are only sent as long as somebody has the right to write.

use std::time::SystemTime;

use aws_sdk_dynamodb::{
    client::customize::CustomizableOperation,
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
};
use moorage_domain::Fence;

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

/// A request that is held against a fence, if there is one.
pub(crate) fn guarded<T, E, B>(
    fence: Option<&Fence>,
    request: CustomizableOperation<T, E, B>,
) -> CustomizableOperation<T, E, B> {
    match fence {
        Some(fence) => request.interceptor(Guard(fence.clone())),
        None => request,
    }
}

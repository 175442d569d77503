//! What the table and KMS are asked is counted: of the table, what DynamoDB says that it charges for.

mod units;

use aws_sdk_dynamodb::{
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{
            AfterDeserializationInterceptorContextRef, BeforeSerializationInterceptorContextMut,
            BeforeTransmitInterceptorContextRef,
        },
    },
    error::BoxError,
};
use moorage_domain::{AwsMeter, AwsUsage};

/// Has a meter count the units that DynamoDB charges a client for. For its configuration.
///
/// Each request asks for what it consumes, and each answer says it, with the indexes. What is tried again without an answer
/// is counted once, by the answer.
#[derive(Debug)]
pub struct UnitCounter(AwsMeter);

/// Has a meter count the requests to KMS that a client sends, each try. For its configuration.
#[derive(Debug)]
pub struct KmsCounter(AwsMeter);

impl UnitCounter {
    /// One that counts by this meter.
    pub const fn new(meter: AwsMeter) -> Self {
        Self(meter)
    }
}

impl KmsCounter {
    /// One that counts by this meter.
    pub const fn new(meter: AwsMeter) -> Self {
        Self(meter)
    }
}

impl Intercept for UnitCounter {
    fn name(&self) -> &'static str {
        "UnitCounter"
    }

    fn modify_before_serialization(
        &self,
        context: &mut BeforeSerializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        units::ask(context.input_mut());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.add(match context.output_or_error() {
            Ok(output) => units::consumed(output),
            Err(error) => error.as_operation_error().map(units::refused).unwrap_or_default(),
        });
        Ok(())
    }
}

impl Intercept for KmsCounter {
    fn name(&self) -> &'static str {
        "KmsCounter"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.add(AwsUsage { kms_requests: 1, ..AwsUsage::default() });
        Ok(())
    }
}

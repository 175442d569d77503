//! Requests to S3 are counted when they are sent.

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextRef},
    error::BoxError,
};
use moorage_domain::{AwsMeter, AwsUsage};

/// Has a meter count what a client sends, each try, by what S3 charges for it. For its configuration.
#[derive(Debug)]
pub struct RequestCounter(AwsMeter);

impl RequestCounter {
    /// One that counts by this meter.
    pub const fn new(meter: AwsMeter) -> Self {
        Self(meter)
    }
}

impl Intercept for RequestCounter {
    fn name(&self) -> &'static str {
        "RequestCounter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request();
        let query = request.uri().split_once('?').map_or("", |(_, query)| query);
        self.0.add(charged(request.method(), query));
        Ok(())
    }
}

/// As what a request counts. Lists are those of objects, of uploads and of an upload's parts. To delete many objects is a
/// `POST`: of it S3 says nowhere that it is free.
fn charged(method: &str, query: &str) -> AwsUsage {
    let has = |name: &str| query.split('&').any(|pair| pair.split('=').next() == Some(name));
    let none = AwsUsage::default();
    match method {
        "GET" if ["list-type", "uploads", "uploadId"].into_iter().any(has) => AwsUsage { s3_writes: 1, ..none },
        "GET" | "HEAD" => AwsUsage { s3_reads: 1, ..none },
        "DELETE" => AwsUsage { s3_deletes: 1, ..none },
        _ => AwsUsage { s3_writes: 1, ..none },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_of_three_prices() {
        for (method, query, [writes, reads, deletes]) in [
            ("GET", "", [0, 1, 0]),
            ("GET", "x-id=GetObject", [0, 1, 0]),
            ("HEAD", "", [0, 1, 0]),
            ("GET", "list-type=2&prefix=a%2Fb", [1, 0, 0]),
            ("GET", "uploads&prefix=a", [1, 0, 0]),
            ("GET", "x-id=ListParts&uploadId=1", [1, 0, 0]),
            ("PUT", "", [1, 0, 0]),
            ("PUT", "partNumber=1&uploadId=1", [1, 0, 0]),
            ("POST", "uploads", [1, 0, 0]),
            ("POST", "delete", [1, 0, 0]),
            ("DELETE", "x-id=DeleteObject", [0, 0, 1]),
            ("DELETE", "uploadId=1", [0, 0, 1]),
        ] {
            let usage = charged(method, query);
            assert_eq!(
                [usage.s3_writes, usage.s3_reads, usage.s3_deletes],
                [writes, reads, deletes],
                "{method} {query}"
            );
        }
    }
}

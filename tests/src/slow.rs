//! The collector's function with little time, and an S3 that takes longer.

use std::{
    panic::{AssertUnwindSafe, resume_unwind},
    path::Path,
    process::Command,
    time::Duration,
};

use aws_sdk_lambda::types::Environment;
use futures_util::FutureExt as _;

use crate::{
    eventually,
    process::{Server, free_port},
    stack::Stack,
};

/// The endpoint of S3 alone.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_S3";

/// Runs `test` while each request of the collector to S3 takes so much longer, and each of its invocations has so many
/// seconds. Afterwards the function is as it was, whatever came of the test.
pub async fn slow_collector<T>(stack: &Stack, delay: Duration, seconds: i32, test: impl Future<Output = T>) -> T {
    let port = free_port();
    let shape = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/debug/moorage-shape");
    let mut command = Command::new(shape);
    command.args([&format!("127.0.0.1:{port}"), stack.endpoint(), &format!("delay={}", delay.as_millis())]);
    let _proxy = Server::start(&mut command, port);
    let lambda = aws_sdk_lambda::Client::new(&stack.aws);
    let get = lambda.get_function_configuration().function_name(&stack.gc_function);
    let before = get.send().await.unwrap();
    let variables = before.environment.and_then(|environment| environment.variables).unwrap_or_default();
    let change = async |variables, timeout| {
        let environment = Environment::builder().set_variables(Some(variables)).build();
        eventually("the collector can be changed", Duration::from_secs(30), async || {
            let update = lambda.update_function_configuration().function_name(&stack.gc_function);
            update.environment(environment.clone()).set_timeout(timeout).send().await.ok()
        })
        .await;
    };
    let mut slow = variables.clone();
    slow.insert(ENDPOINT.to_owned(), format!("http://127.0.0.1:{port}"));
    change(slow, Some(seconds)).await;
    let tested = AssertUnwindSafe(test).catch_unwind().await;
    change(variables, before.timeout).await;
    tested.unwrap_or_else(|panic| resume_unwind(panic))
}

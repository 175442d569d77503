//! A function of the stack once more, with a table that counts what it is asked.

use std::sync::{Arc, Mutex};

use aws_sdk_lambda::{
    primitives::Blob,
    types::{Environment, FunctionCode, Runtime},
};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{http, stack::Stack};

/// The header by which DynamoDB knows what it is asked.
const TARGET: &str = "x-amz-target";

/// The function's copy.
#[derive(Debug)]
pub struct Counted {
    lambda: aws_sdk_lambda::Client,
    name: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Counted {
    /// A copy of the stack's function `name`.
    pub async fn copy_of(stack: &Stack, name: &str) -> Self {
        let asked = Arc::default();
        let endpoint = listen(stack.endpoint().to_owned(), Arc::clone(&asked)).await;
        let lambda = aws_sdk_lambda::Client::new(&stack.aws);
        let original = lambda.get_function().function_name(name).send().await.unwrap();
        let location = original.code().unwrap().location().unwrap().to_owned();
        let zip = http().get(location).send().await.unwrap().bytes().await.unwrap();
        let original = original.configuration.unwrap();
        let variables = original.environment.and_then(|environment| environment.variables).unwrap_or_default();
        let environment = Environment::builder().set_variables(Some(variables));
        let environment = environment.variables("AWS_ENDPOINT_URL_DYNAMODB", endpoint).build();
        // Several tests may have one.
        let name = format!("{name}-{:08x}", rand::random::<u32>());
        let create = lambda.create_function().function_name(&name).runtime(Runtime::Providedal2023);
        let create = create.handler("bootstrap").set_role(original.role).set_timeout(original.timeout);
        let create = create.set_memory_size(original.memory_size).set_architectures(original.architectures);
        let code = FunctionCode::builder().zip_file(Blob::new(zip)).build();
        create.environment(environment).code(code).send().await.unwrap();
        Self { lambda, name, asked }
    }

    /// What the function answers to an event, and what it asked the table for that.
    pub async fn invoke(&self, event: &Value) -> (Value, Vec<String>) {
        let invoke = self.lambda.invoke().function_name(&self.name).payload(Blob::new(event.to_string()));
        let answer = invoke.send().await.unwrap();
        let answer = serde_json::from_slice(answer.payload.unwrap().as_ref()).unwrap();
        (answer, std::mem::take(&mut *self.asked.lock().unwrap()))
    }

    /// Ends it.
    pub async fn delete(self) {
        self.lambda.delete_function().function_name(self.name).send().await.unwrap();
    }
}

/// Passes everything on to `target`, and notes what is asked for. Returns its own URL.
async fn listen(target: String, asked: Arc<Mutex<Vec<String>>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (target, asked) = (target.clone(), Arc::clone(&asked));
            let service = service_fn(move |request| pass_on(target.clone(), Arc::clone(&asked), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            // Clients break connections off.
            tokio::spawn(async move { connection.await.ok() });
        }
    });
    url
}

async fn pass_on(
    target: String,
    asked: Arc<Mutex<Vec<String>>>,
    request: Request<Incoming>,
) -> Result<Response<Full<bytes::Bytes>>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
    let what = head.headers.get(TARGET).map_or("", |value| value.to_str().unwrap());
    asked.lock().unwrap().push(what.rsplit('.').next().unwrap().to_owned());
    // With the host that it was sent to: that is signed.
    let answer = http().post(target).headers(head.headers).body(body).send().await.map_err(std::io::Error::other)?;
    let (status, kind) = (answer.status(), answer.headers().get("content-type").cloned());
    let body = answer.bytes().await.map_err(std::io::Error::other)?;
    let response =
        kind.into_iter().fold(Response::builder().status(status), |it, kind| it.header("content-type", kind));
    Ok(response.body(Full::new(body)).unwrap())
}

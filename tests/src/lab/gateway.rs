//! API Gateway before the API's function, as far as the tests need one.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::Mutex};
use tokio_util::task::AbortOnDropHandle;

use crate::function::{Function, Outcome};

/// How long API Gateway waits.
const WITHIN: Duration = Duration::from_secs(30);

/// Serves the function. Returns the URL, and what ends it.
pub(crate) async fn listen(api: Function) -> (String, AbortOnDropHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let api = Arc::new(Mutex::new(api));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let api = Arc::clone(&api);
            let service = service_fn(move |request| answer(Arc::clone(&api), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(async move { connection.await.ok() });
        }
    });
    (url, AbortOnDropHandle::new(serving))
}

async fn answer(api: Arc<Mutex<Function>>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let headers = [("content-type", header("content-type")), ("authorization", header("authorization"))];
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let event = event(head.method.as_str(), path, query, &headers, &String::from_utf8_lossy(&body));
    let Outcome::Answer(answer) = api.lock().await.invoke(&event, WITHIN).await else {
        return Ok(Response::builder().status(503).body(Full::default()).unwrap());
    };
    let status = answer["statusCode"].as_u64().and_then(|status| status.try_into().ok()).unwrap_or(500_u16);
    let body = answer["body"].as_str().unwrap_or_default().to_owned();
    Ok(Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap())
}

/// A request as API Gateway hands it to a function.
pub fn event(method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let mut all = serde_json::Map::from_iter([("host".to_owned(), json!("localhost"))]);
    all.extend(headers.iter().filter(|(_, value)| !value.is_empty()).map(|(name, it)| ((*name).to_owned(), json!(it))));
    json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": query, "headers": all,
        "requestContext": {
            "accountId": "000000000000", "apiId": "x", "domainName": "localhost", "domainPrefix": "x", "requestId": "x",
            "routeKey": "$default", "stage": "$default", "time": "25/Nov/2026:00:00:00 +0000", "timeEpoch": 1,
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test"},
        },
        "body": body, "isBase64Encoded": false,
    })
}

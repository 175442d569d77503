//! How the pages are handed out, by whoever asks.

use moorage_tests::{http, stack::Stack};
use reqwest::{Method, Response, StatusCode};

async fn ask(stack: &Stack, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = http().request(method, format!("{}{path}", stack.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_pages_come_with_a_policy_and_only_once() {
    let stack = Stack::from_env().await;
    for path in ["/", "/console"] {
        let page = ask(&stack, Method::GET, path, &[]).await;
        assert_eq!((page.status(), header(&page, "cache-control")), (StatusCode::OK, "no-cache"), "{path}");
        assert!(header(&page, "content-security-policy").starts_with("default-src 'none'"), "{page:?}");
        let tag = header(&page, "etag").to_owned();
        let again = ask(&stack, Method::GET, path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    }
    let page = ask(&stack, Method::GET, "/", &[]).await.text().await.unwrap();
    let script = page.split('"').find(|it| it.ends_with("/main.js")).unwrap().to_owned();
    let plain = ask(&stack, Method::GET, &script, &[]).await;
    assert_eq!((header(&plain, "content-type"), header(&plain, "content-encoding")), ("text/javascript", ""));
    assert!(header(&plain, "cache-control").contains("immutable"));
    let plain = plain.bytes().await.unwrap();
    let packed = ask(&stack, Method::GET, &script, &[("accept-encoding", "gzip")]).await;
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    let packed = packed.bytes().await.unwrap();
    assert!(packed.starts_with(&[0x1f, 0x8b]) && packed.len() < plain.len());
}

#[tokio::test]
async fn nothing_else_is_handed_out() {
    let stack = Stack::from_env().await;
    for (method, path, status) in [
        (Method::POST, "/", 405),
        (Method::DELETE, "/console", 405),
        (Method::HEAD, "/", 200),
        (Method::GET, "/console/0000000000000000/main.js", 404),
    ] {
        let answer = ask(&stack, method.clone(), path, &[]).await;
        assert_eq!(answer.status().as_u16(), status, "{method} {path}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    }
}

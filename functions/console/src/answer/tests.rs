//! Paths and what is answered to them.

use std::io::Read as _;

use flate2::read::GzDecoder;

use super::*;

fn ask(method: &Method, path: &str, headers: &[(HeaderName, &str)]) -> Response<&'static [u8]> {
    let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap()));
    answer(method, path, &headers.collect())
}

fn get(path: &str) -> Response<&'static [u8]> {
    ask(&Method::GET, path, &[])
}

fn header<'a>(answer: &'a Response<&'static [u8]>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

fn asset(name: &str) -> String {
    format!("/console/{}/{name}", folder())
}

#[test]
fn the_page_names_files_that_are_there() {
    for path in ["/", "/console", "/console/"] {
        let page = get(path);
        assert_eq!((page.status().as_u16(), header(&page, "cache-control")), (200, "no-cache"), "{path}");
        let text = std::str::from_utf8(page.body()).unwrap();
        let named: Vec<_> = text.split('"').filter(|it| it.starts_with("/console/")).collect();
        assert_eq!(named.len(), 3, "{text}");
        for file in named {
            let file = get(file);
            assert_eq!((file.status().as_u16(), header(&file, "cache-control")), (200, KEEP));
        }
    }
}

/// What a module exports, by itself and of others.
fn exported(module: &str) -> Vec<&'static str> {
    let text = std::str::from_utf8(get(&asset(module)).into_body()).unwrap();
    let handed_on = text.split("export*from\"./").skip(1).flat_map(|rest| exported(rest.split('"').next().unwrap()));
    let own = text.rsplit_once("export{").map_or("", |(_, names)| names.split('}').next().unwrap());
    handed_on.chain(own.split(',').filter_map(|it| it.rsplit(" as ").next())).collect()
}

#[test]
fn what_scripts_import_is_there() {
    let mut waiting = vec!["main.js".to_owned()];
    let mut seen = Vec::new();
    while let Some(name) = waiting.pop() {
        let file = get(&asset(&name));
        assert_eq!((file.status().as_u16(), header(&file, "content-type")), (200, "text/javascript"), "{name}");
        let text = std::str::from_utf8(file.body()).unwrap();
        // The names of what modules share are the same in all of them, however short those of the others are.
        for import in text.split("import{").skip(1) {
            let (names, from) = import.split_once("}from\"./").unwrap();
            let exported = exported(from.split('"').next().unwrap());
            for name in names.split(',').filter_map(|it| it.split(" as ").next()) {
                assert!(exported.contains(&name), "{name} is not in {from}");
            }
        }
        let imported = text.split("from\"./").skip(1).filter_map(|rest| rest.split('"').next());
        waiting.extend(imported.map(str::to_owned).filter(|it| !seen.contains(it)));
        seen.push(name);
    }
    assert!(seen.len() > 20, "{seen:?}");
}

#[test]
fn every_answer_has_the_policy() {
    for (path, status) in [("/", 200), ("/console/x", 404), ("/favicon.ico", 404), ("/consoles", 404)] {
        let answer = get(path);
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let policy = header(&answer, "content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "referrer-policy"), "no-referrer");
        assert_eq!(header(&answer, "cross-origin-opener-policy"), "same-origin");
    }
}

#[test]
fn other_names_and_folders_are_not_found() {
    for path in
        [&asset("index.html"), &asset(""), &asset("../main.js"), &asset("x.js"), "/console/0/main.js", "/main.js"]
    {
        assert_eq!(get(path).status().as_u16(), 404, "{path}");
    }
}

#[test]
fn only_reading_is_allowed() {
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let refused = ask(&method, "/", &[]);
        assert_eq!((refused.status().as_u16(), header(&refused, "allow")), (405, "GET, HEAD"));
    }
    let head = ask(&Method::HEAD, "/", &[]);
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
    assert_eq!(header(&head, "content-type"), "text/html; charset=utf-8");
}

#[test]
fn compressed_for_whoever_takes_it() {
    for (accepted, is_compressed) in [
        ("gzip, deflate, br", true),
        ("br;q=1.0, GZIP;q=0.5", true),
        ("*", true),
        ("gzip;q=0", false),
        ("gzip;q=0, *", false),
        ("br", false),
        ("", false),
    ] {
        let answer = ask(&Method::GET, &asset("main.css"), &[(ACCEPT_ENCODING, accepted)]);
        assert_eq!(header(&answer, "content-encoding") == "gzip", is_compressed, "{accepted}");
        let mut text = String::new();
        if is_compressed {
            GzDecoder::new(*answer.body()).read_to_string(&mut text).unwrap();
        } else {
            text = std::str::from_utf8(answer.body()).unwrap().to_owned();
        }
        assert!(text.starts_with(":root{"), "{accepted}: {text}");
    }
}

#[test]
fn what_is_known_is_not_sent_again() {
    let tag = header(&get("/"), "etag").to_owned();
    for known in [tag.as_str(), "\"x\", *", &format!("\"x\", {tag}"), strong(&tag)] {
        let answer = ask(&Method::GET, "/", &[(IF_NONE_MATCH, known)]);
        assert_eq!((answer.status().as_u16(), answer.body().len()), (304, 0), "{known}");
        assert_eq!(header(&answer, "etag"), tag);
    }
    assert_eq!(ask(&Method::GET, "/", &[(IF_NONE_MATCH, "W/\"x\"")]).status().as_u16(), 200);
}

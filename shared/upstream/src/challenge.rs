//! `WWW-Authenticate` (RFC 9110, 11.6.1) as registries send it.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token from `realm`, for what `scopes` name: mostly, but not always, what was asked for.
    Bearer { realm: String, service: Option<String>, scopes: Vec<String> },
}

impl Challenge {
    /// What a token must be for, as the registry says it.
    pub(crate) fn scopes(&self) -> &[String] {
        match self {
            Self::Basic => &[],
            Self::Bearer { scopes, .. } => scopes,
        }
    }
}

/// All challenges of an answer that we know, in their order. A realm may be written in any character set.
pub(crate) fn of(headers: &HeaderMap) -> Vec<Challenge> {
    let values = headers.get_all(WWW_AUTHENTICATE).iter();
    values.flat_map(|value| parse(&String::from_utf8_lossy(value.as_bytes()))).collect()
}

/// All challenges of one header's value that we know. Unknown schemes are passed over.
pub(crate) fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges = Vec::new();
    let mut rest = header.trim_start();
    while !rest.is_empty() {
        let (scheme, after) = split_token(rest);
        if scheme.is_empty() {
            // Not a token: skip one character of what we do not understand.
            rest = rest.get(1..).unwrap_or_default().trim_start_matches([',', ' ']);
            continue;
        }
        let (parameters, after) = parameters(after);
        let value = |name: &str| {
            let found = parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone())
        };
        if scheme.eq_ignore_ascii_case("basic") {
            challenges.push(Challenge::Basic);
        } else if scheme.eq_ignore_ascii_case("bearer")
            && let Some(realm) = value("realm").filter(|realm| !realm.trim().is_empty())
        {
            let named = parameters.iter().filter(|(key, _)| key.eq_ignore_ascii_case("scope"));
            let scopes = named.flat_map(|(_, scopes)| scopes.split_ascii_whitespace()).map(str::to_owned).collect();
            let service = value("service").filter(|service| !service.is_empty());
            challenges.push(Challenge::Bearer { realm: realm.trim().to_owned(), service, scopes });
        }
        rest = after;
    }
    challenges
}

/// `name=value, name="value"…`, up to the next scheme.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start_matches([',', ';', ' ', '\t']);
    loop {
        let (name, after) = split_token(rest);
        let Some(after) = after.trim_start().strip_prefix('=').filter(|_| !name.is_empty()) else {
            return (parameters, rest);
        };
        let (value, after) = value(after.trim_start());
        parameters.push((name.to_owned(), value));
        rest = after.trim_start_matches([',', ';', ' ', '\t']);
    }
}

/// A token or a quoted string.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (token, after) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
        return (token.to_owned(), after);
    };
    let (mut value, mut characters) = (String::new(), quoted.char_indices());
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[index + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

fn split_token(text: &str) -> (&str, &str) {
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    text.split_at(text.find(|c| !is_token(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(realm: &str, service: Option<&str>) -> Challenge {
        scoped(realm, service, &[])
    }

    fn scoped(realm: &str, service: Option<&str>, scopes: &[&str]) -> Challenge {
        let scopes = scopes.iter().map(ToString::to_string).collect();
        Challenge::Bearer { realm: realm.into(), service: service.map(Into::into), scopes }
    }

    #[test]
    fn registries_challenges() {
        for (header, expected) in [
            (r#"Basic realm="Registry Realm""#, vec![Challenge::Basic]),
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                vec![scoped("https://auth.docker.io/token", Some("registry.docker.io"), &["repository:a/b:pull,push"])],
            ),
            (
                r#"Bearer scope="repository:a:pull  repository:b:pull", error="insufficient_scope",service="" , realm = "r""#,
                vec![scoped("r", None, &["repository:a:pull", "repository:b:pull"])],
            ),
            (r#"BEARER REALM=r,SCOPE=aws,Scope="x""#, vec![scoped("r", None, &["aws", "x"])]),
            (r#"Bearer realm="r";service="s""#, vec![bearer("r", Some("s"))]),
            (
                r#"Negotiate YII/aG+0==, Basic realm="a", NTLM TlRM/TV=, Bearer realm="b""#,
                vec![Challenge::Basic, bearer("b", None)],
            ),
            (r#"Bearer realm="", Basic realm="a""#, vec![Challenge::Basic]),
            (r#"Bearer service="x""#, vec![]),
            (
                r#"bearer Realm="https://a/t?x=1,2", error="insufficient_scope""#,
                vec![bearer("https://a/t?x=1,2", None)],
            ),
            (
                r#"Negotiate, Basic realm="a", Bearer realm="b",service=c"#,
                vec![Challenge::Basic, bearer("b", Some("c"))],
            ),
            (r#"Bearer realm="a\"b""#, vec![bearer("a\"b", None)]),
            (r#"Digest realm="x", nonce="Bearer realm=y""#, vec![]),
            ("Bearer", vec![]),
            ("", vec![]),
            (r#"=,,"" Bearer realm="r"#, vec![bearer("r", None)]),
            ("Basic é", vec![Challenge::Basic]),
        ] {
            assert_eq!(parse(header), expected, "{header}");
        }
    }

    #[test]
    fn challenges_of_several_headers_and_in_any_character_set() {
        let values = [&b"Negotiate"[..], b"Basic realm=\"Registre priv\xe9\"", b"Bearer realm=\"r\",scope=\"aws\""];
        let headers = values.map(|value| (WWW_AUTHENTICATE, reqwest::header::HeaderValue::from_bytes(value).unwrap()));
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(name, value);
        }
        assert_eq!(of(&all), vec![Challenge::Basic, scoped("r", None, &["aws"])]);
        assert_eq!(of(&HeaderMap::new()), vec![]);
    }
}

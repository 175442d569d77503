//! `WWW-Authenticate` (RFC 9110, 11.6.1) as registries send it.

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// User name and password with each request.
    Basic,
    /// A token from `realm`.
    Bearer { realm: String, service: Option<String> },
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
            && let Some(realm) = value("realm")
        {
            challenges.push(Challenge::Bearer { realm, service: value("service") });
        }
        rest = after;
    }
    challenges
}

/// `name=value, name="value"…`, up to the next scheme.
fn parameters(text: &str) -> (Vec<(String, String)>, &str) {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start_matches([',', ' ', '\t']);
    loop {
        let (name, after) = split_token(rest);
        let Some(after) = after.trim_start().strip_prefix('=').filter(|_| !name.is_empty()) else {
            return (parameters, rest);
        };
        let (value, after) = value(after.trim_start());
        parameters.push((name.to_owned(), value));
        rest = after.trim_start_matches([',', ' ', '\t']);
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
        Challenge::Bearer { realm: realm.into(), service: service.map(Into::into) }
    }

    #[test]
    fn registries_challenges() {
        for (header, expected) in [
            (r#"Basic realm="Registry Realm""#, vec![Challenge::Basic]),
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                vec![bearer("https://auth.docker.io/token", Some("registry.docker.io"))],
            ),
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
}

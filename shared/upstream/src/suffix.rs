//! Which hosts are of one owner: the Public Suffix List (<https://publicsuffix.org>), by which browsers decide whose
//! cookies a host may have.

use std::net::IpAddr;

/// The list's rules, in the order of their bytes, one a line; made by `suffix/update.py` from the list of October 2026,
/// which is under the Mozilla Public License 2.0.
const RULES: &str = include_str!("suffix/list.txt");
/// No host has more labels (RFC 1035: 253 bytes).
const MAX_LABELS: usize = 127;

/// Whether two hosts, as URLs have them, are of one registrable domain. Addresses and names of one label have none.
pub(crate) fn same_domain(one: &str, other: &str) -> bool {
    matches!((registrable(one), registrable(other)), (Some(one), Some(other)) if one.eq_ignore_ascii_case(other))
}

/// The domain that was registered: the public suffix and the label in front of it.
fn registrable(host: &str) -> Option<&str> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if host.starts_with('[') || host.parse::<IpAddr>().is_ok() || host.split('.').any(str::is_empty) {
        return None;
    }
    let name = host.to_ascii_lowercase();
    let starts = std::iter::once(0).chain(name.match_indices('.').map(|(dot, _)| dot + 1));
    let starts: Vec<usize> = starts.take(MAX_LABELS).collect();
    // From the longest ending of the name to the shortest: the first rule that fits is the longest one.
    let suffix = starts.iter().enumerate().find_map(|(index, start)| {
        let ending = name.get(*start..)?;
        let parent = starts.get(index + 1);
        if has(&format!("!{ending}")) {
            return parent.copied();
        }
        let wildcard = parent.and_then(|parent| name.get(*parent..)).is_some_and(|parent| has(&format!("*.{parent}")));
        (has(ending) || wildcard || parent.is_none()).then_some(*start)
    })?;
    let domain = starts.iter().rev().find(|start| **start < suffix)?;
    host.get(*domain..)
}

fn has(rule: &str) -> bool {
    let (mut low, mut high) = (0, RULES.len());
    // The lines between `low` and `high` are searched; both are beginnings of lines.
    while low < high {
        let middle = low.midpoint(high);
        let start = RULES.get(low..middle).and_then(|before| before.rfind('\n')).map_or(low, |end| low + end + 1);
        let line = RULES.get(start..).and_then(|rest| rest.split('\n').next()).unwrap_or_default();
        match line.cmp(rule) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => low = start + line.len() + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_ascii() {
        assert!(RULES.is_ascii() && RULES.lines().is_sorted());
        assert!(RULES.lines().all(has), "each rule is found");
        assert!(!has("") && !has("zzzz.zz") && !has("!") && !has("co.u"));
    }

    #[test]
    fn registrable_domains() {
        for (host, domain) in [
            ("com", None),
            ("example.com", Some("example.com")),
            ("WwW.example.COM", Some("example.COM")),
            ("b.example.example", Some("example.example")),
            ("co.uk", None),
            ("a.b.example.co.uk", Some("example.co.uk")),
            ("kobe.jp", Some("kobe.jp")),
            ("c.kobe.jp", None),
            ("b.c.kobe.jp", Some("b.c.kobe.jp")),
            ("a.b.c.kobe.jp", Some("b.c.kobe.jp")),
            ("www.city.kobe.jp", Some("city.kobe.jp")),
            ("ck", None),
            ("test.ck", None),
            ("www.ck", Some("www.ck")),
            ("b.test.ck", Some("b.test.ck")),
            ("mallory.github.io", Some("mallory.github.io")),
            ("registry.gitlab.com.", Some("gitlab.com")),
            ("xn--85x722f.xn--55qx5d.cn", Some("xn--85x722f.xn--55qx5d.cn")),
            ("localhost", None),
            ("127.0.0.1", None),
            ("[::1]", None),
            (".example.com", None),
            ("a..example.com", None),
            ("", None),
        ] {
            assert_eq!(registrable(host), domain, "{host}");
        }
    }

    #[test]
    fn hosts_of_one_owner() {
        for (one, other, is_same) in [
            ("registry-1.docker.io", "auth.docker.io", true),
            ("registry.gitlab.com", "gitlab.com", true),
            ("alice.github.io", "mallory.github.io", false),
            ("a.co.uk", "b.co.uk", false),
            ("localhost", "localhost", false),
            ("127.0.0.1", "127.0.0.1", false),
            ("10.0.0.1", "9.0.0.1", false),
            ("docker.io", "docker.io.example.com", false),
        ] {
            assert_eq!(same_domain(one, other), is_same, "{one} {other}");
        }
    }
}

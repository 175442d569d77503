// Leaves out of style sheets what no browser reads: indentation, spaces that separate nothing, and long names of the
// sheet's own properties.

/// What those properties' names begin with.
const OWN: &str = "--";

/// A style sheet without what is not needed.
pub(crate) fn squeezed(text: &str) -> String {
    numbered(&without_spaces(text))
}

/// One in which its own properties have numbers for names.
fn numbered(text: &str) -> String {
    let mut parts = text.split(OWN);
    let mut out = parts.next().unwrap_or_default().to_owned();
    let mut names = Vec::new();
    for part in parts {
        let end = part.find(|it: char| !it.is_ascii_alphanumeric() && it != '-').unwrap_or(part.len());
        let (name, rest) = part.split_at(end);
        let number = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        });
        out.extend([OWN, &number.to_string(), rest]);
    }
    out
}

fn without_spaces(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut quoted = false;
        for now in line.trim().chars() {
            let before = out.chars().next_back().unwrap_or('}');
            match now {
                ' ' if !quoted && "{};,:>".contains(before) => {}
                '{' | '}' | ';' | ',' | '>' if !quoted => {
                    if before == ' ' || (now == '}' && before == ';') {
                        out.pop();
                    }
                    out.push(now);
                }
                _ => {
                    quoted ^= now == '"';
                    out.push(now);
                }
            }
        }
        if !out.ends_with(['{', '}', ';', ',']) {
            out.push(' ');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_lose_their_spaces() {
        for (text, served) in [
            ("a, b:hover { color: red; margin: 0 1px; }\n", "a,b:hover{color:red;margin:0 1px}"),
            ("a {\n  width: calc(1px - 2px);\n}\n", "a{width:calc(1px - 2px)}"),
            ("a { content: \"x; {  y > z\"; }", "a{content:\"x; {  y > z\"}"),
            (
                ":root { --a-b: 1px; --a: red; }\na { b: var(--a) var(--a-b); }",
                ":root{--0:1px;--1:red}a{b:var(--1) var(--0)}",
            ),
            ("@media (max-width: 9px) { a > b { c: d; } }", "@media (max-width:9px){a>b{c:d}}"),
        ] {
            assert_eq!(squeezed(text), served, "{text}");
        }
    }
}

// Leaves out of style sheets what no browser reads: indentation, and spaces that separate nothing.

/// A style sheet without what is not needed.
pub(crate) fn squeezed(text: &str) -> String {
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
            ("@media (max-width: 9px) { a > b { c: d; } }", "@media (max-width:9px){a>b{c:d}}"),
        ] {
            assert_eq!(squeezed(text), served, "{text}");
        }
    }
}

//! Texts that fit.

/// A text without what a terminal would take for an order: much of it comes from registries.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|it| if it == '\n' || !it.is_control() { it } else { ' ' }).collect()
}

/// How wide a text is: characters, which is right for the letters that names have.
pub(crate) fn width(text: &str) -> usize {
    text.chars().count()
}

/// A text of at most so many characters, with a mark where it was cut.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// The lines of a text, broken at blanks, each with so many blanks before it. What has no blank is broken anywhere.
pub(crate) fn wrap(text: &str, most: usize, indent: usize) -> Vec<String> {
    let room = most.saturating_sub(indent).max(1);
    let blanks = " ".repeat(indent);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split(' ') {
            let needed = width(&line) + width(word) + usize::from(!line.is_empty());
            if needed > room && !line.is_empty() {
                lines.push(format!("{blanks}{line}"));
                line.clear();
            }
            let mut rest = word;
            while width(rest) > room {
                let at = rest.char_indices().nth(room).map_or(rest.len(), |(at, _)| at);
                let (first, after) = rest.split_at(at);
                lines.push(format!("{blanks}{first}"));
                rest = after;
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(rest);
        }
        lines.push(format!("{blanks}{line}").trim_end().to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_nothing() {
        let text = "a sentence of some words, with one_that_is_longer_than_a_line_may_be, and an end";
        let lines = wrap(text, 20, 2);
        assert!(lines.iter().all(|line| width(line) <= 20 && line.starts_with("  ")), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        assert_eq!(wrap("short", usize::MAX, 0), ["short"]);
        assert_eq!(wrap("a\n\nb", 80, 0), ["a", "", "b"]);
    }

    #[test]
    fn a_registry_gives_the_terminal_no_orders() {
        assert_eq!(clean("a\u{1b}[31mred\u{7}\r"), "a [31mred  ");
        assert_eq!(cut("sha256:abcdef", 8), "sha256:…");
        assert_eq!(cut("ä", 1), "ä");
    }
}

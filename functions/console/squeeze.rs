// Leaves out of scripts and style sheets what no browser reads: comments, indentation, spaces that separate nothing.
//
// It knows strings, templates, regular expressions and comments, and nothing else of the language. Names stay, so that
// what a browser's tools show is still what is in the repository. A regular expression may follow punctuation alone.

/// What a regular expression follows; after anything else, a slash divides.
const BEFORE_REGEX: &str = "(,=:[!&|?{};>";
/// After these, and before those, the end of a line ends nothing.
const GOES_ON_AFTER: &str = "{,;([=?:&|>";
const GOES_ON_BEFORE: &str = ")]},.?:&|";

/// A script without what is not needed; nothing if a string, a template, a comment or an expression has no end.
pub(crate) fn script(text: &str) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(&now) = chars.get(at) {
        let before = out.chars().next_back().unwrap_or(';');
        if let Some(end) = comment_end(&chars, at) {
            at = end?;
        } else if now.is_whitespace() {
            let end = (at..chars.len()).find(|&end| !chars[end].is_whitespace()).unwrap_or(chars.len());
            if let Some(&next) = chars.get(end) {
                let is_comment = comment_end(&chars, end).is_some();
                out.push_str(between(before, if is_comment { ' ' } else { next }, &chars[at..end]));
            }
            at = end;
        } else {
            let end = literal_end(&chars, at, before).unwrap_or(Some(at + 1))?;
            if now == '}' && before == ';' {
                out.pop();
            }
            // A comment between may have left a space that nothing needs.
            if !is_word(now) && !is_sign(now) && out.ends_with(' ') {
                out.pop();
            }
            out.extend(&chars[at..end]);
            at = end;
        }
    }
    Some(out)
}

/// A style sheet without what is not needed.
pub(crate) fn style(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut quoted = false;
        for now in line.trim().chars() {
            let before = out.chars().next_back().unwrap_or('}');
            match now {
                ' ' if !quoted && "{};,:".contains(before) => {}
                '{' | '}' | ';' | ',' if !quoted => {
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

/// What has to stay of the space between two characters.
fn between(before: char, next: char, space: &[char]) -> &'static str {
    if space.contains(&'\n') {
        return if GOES_ON_AFTER.contains(before) || GOES_ON_BEFORE.contains(next) { "" } else { "\n" };
    }
    if (is_word(before) && (is_word(next) || next == ' ')) || (is_sign(before) && is_sign(next)) { " " } else { "" }
}

fn is_sign(it: char) -> bool {
    it == '+' || it == '-'
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || "_$#".contains(it)
}

/// Where a comment ends that begins here; nothing if none does.
fn comment_end(chars: &[char], at: usize) -> Option<Option<usize>> {
    match (chars.get(at)?, chars.get(at + 1)?) {
        ('/', '/') => Some(Some((at..chars.len()).find(|&end| chars[end] == '\n').unwrap_or(chars.len()))),
        ('/', '*') => Some((at + 2..chars.len()).find(|&end| chars[end..].starts_with(&['*', '/'])).map(|end| end + 2)),
        _ => None,
    }
}

/// Where a string, a template or a regular expression ends that begins here; nothing if none does.
fn literal_end(chars: &[char], at: usize, before: char) -> Option<Option<usize>> {
    match chars.get(at)? {
        quote @ ('"' | '\'') => Some(quoted_end(chars, at + 1, *quote)),
        '`' => Some(template_end(chars, at + 1)),
        '/' if BEFORE_REGEX.contains(before) || before == '\n' => Some(regex_end(chars, at + 1)),
        _ => None,
    }
}

fn quoted_end(chars: &[char], mut at: usize, quote: char) -> Option<usize> {
    loop {
        match chars.get(at)? {
            '\\' => at += 2,
            now if *now == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn regex_end(chars: &[char], mut at: usize) -> Option<usize> {
    let mut in_class = false;
    loop {
        match chars.get(at)? {
            '\n' => return None,
            '\\' => at += 1,
            '[' => in_class = true,
            ']' => in_class = false,
            '/' if !in_class => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}

fn template_end(chars: &[char], mut at: usize) -> Option<usize> {
    loop {
        match chars.get(at)? {
            '\\' => at += 2,
            '`' => return Some(at + 1),
            '$' if chars.get(at + 1) == Some(&'{') => at = expression_end(chars, at + 2)?,
            _ => at += 1,
        }
    }
}

/// Where an expression in a template ends.
fn expression_end(chars: &[char], mut at: usize) -> Option<usize> {
    let mut depth = 1;
    while depth > 0 {
        match chars.get(at)? {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        let before = chars[..at].iter().rev().copied().find(|it| !it.is_whitespace()).unwrap_or(';');
        at = literal_end(chars, at, before).unwrap_or(Some(at + 1))?;
    }
    Some(at)
}

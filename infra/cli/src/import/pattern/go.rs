//! Regular expressions of Go, in the syntax of the `regex` crate. Both are of one family; here is what differs.

use std::{iter::Peekable, str::Chars};

/// The longest expression, in bytes: as long as any that the gate takes.
const LONGEST: usize = 1_024;
/// The most repetitions that Go takes.
const REPEATED: u32 = 1_000;

/// The same expression. What would mean something else, or nothing, is refused and said.
pub(super) fn rust(text: &str) -> Result<String, String> {
    if text.len() > LONGEST {
        return Err(format!("it is longer than {LONGEST} bytes"));
    }
    let (mut rest, mut out) = (text.chars().peekable(), String::new());
    while let Some(character) = rest.next() {
        match character {
            '\\' => escape(&mut rest, &mut out)?,
            '[' => class(&mut rest, &mut out)?,
            // It begins a repetition, or is itself.
            '{' if !is_repetition(rest.clone()) => out.push_str("\\{"),
            '}' if !is_open(&out) => out.push_str("\\}"),
            _ => out.push(character),
        }
    }
    Ok(out)
}

/// Whether what follows a brace is `n}`, `n,}` or `n,m}`.
fn is_repetition(rest: Peekable<Chars<'_>>) -> bool {
    let head: String = rest.take(16).collect();
    let Some((inside, _)) = head.split_once('}') else { return false };
    let is_number = |text: &str| text.parse::<u32>().is_ok_and(|number| number <= REPEATED);
    match inside.split_once(',') {
        Some((least, most)) => is_number(least) && (most.is_empty() || is_number(most)),
        None => is_number(inside),
    }
}

/// Whether a repetition is open.
fn is_open(out: &str) -> bool {
    let tail = out.rsplit_once('{');
    tail.is_some_and(|(before, inside)| {
        !before.ends_with('\\') && inside.bytes().all(|it| it.is_ascii_digit() || it == b',')
    })
}

fn escape(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let Some(escaped) = rest.next() else { return Err("it ends with a backslash".to_owned()) };
    match escaped {
        'Q' => {
            quoted(rest, out);
            Ok(())
        }
        'C' => Err("\\C is a single byte, which cannot be said here".to_owned()),
        'p' | 'P' => Err("classes of Unicode cannot be said here; tags are ASCII".to_owned()),
        'b' | 'B' if rest.peek() == Some(&'{') => Err("a brace after \\b means something else here".to_owned()),
        // Octal numbers and what is behind \x mean the same where both take them.
        'a'..='z' | 'A'..='Z' | '0'..='9' => {
            out.extend(['\\', escaped]);
            Ok(())
        }
        _ => {
            literal(escaped, out);
            Ok(())
        }
    }
}

/// What is between `\Q` and `\E`.
fn quoted(rest: &mut Peekable<Chars<'_>>, out: &mut String) {
    while let Some(character) = rest.next() {
        if character == '\\' && rest.peek() == Some(&'E') {
            rest.next();
            return;
        }
        literal(character, out);
    }
}

fn literal(character: char, out: &mut String) {
    if character.is_ascii_punctuation() && !"<>".contains(character) {
        out.push('\\');
    }
    out.push(character);
}

/// What is between brackets. The `regex` crate has classes in classes, and differences and intersections of them; Go has not.
fn class(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    out.push('[');
    let mut is_first = true;
    if rest.peek() == Some(&'^') {
        rest.next();
        out.push('^');
    }
    while let Some(character) = rest.next() {
        match character {
            ']' if !is_first => {
                out.push(']');
                return Ok(());
            }
            ']' => out.push_str("\\]"),
            '[' if rest.peek() == Some(&':') => named(rest, out)?,
            '[' | '&' | '~' => out.extend(['\\', character]),
            '-' if rest.peek() == Some(&'-') => {
                return Err("two hyphens in a class mean something else here".to_owned());
            }
            '\\' => match rest.peek() {
                Some('Q') => return Err("\\Q in a class cannot be said here".to_owned()),
                _ => escape(rest, out)?,
            },
            _ => out.push(character),
        }
        is_first = false;
    }
    Err("a class is not closed".to_owned())
}

/// A class like `[:digit:]`.
fn named(rest: &mut Peekable<Chars<'_>>, out: &mut String) -> Result<(), String> {
    let name: String = rest.by_ref().take_while(|it| *it != ']').take(16).collect();
    let is_name = |name: &str| name.trim_start_matches('^').bytes().all(|it| it.is_ascii_lowercase());
    match name.strip_prefix(':').and_then(|name| name.strip_suffix(':')) {
        Some(inner) if is_name(inner) => {
            out.extend(["[", name.as_str(), "]"]);
            Ok(())
        }
        _ => Err("a class in a class is not closed".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_have_stays_and_what_only_go_has_is_said_otherwise() {
        for (go, expected) in [
            (r"^v\d+\.\d+$", r"^v\d+\.\d+$"),
            ("(?i)a|b", "(?i)a|b"),
            ("a{2,3}b{4}c{5,}", "a{2,3}b{4}c{5,}"),
            ("a{", r"a\{"),
            ("a{,3}", r"a\{,3\}"),
            ("a{x}", r"a\{x\}"),
            (r"\Qa.b*\Ec", r"a\.b\*c"),
            (r"\Qa.b", r"a\.b"),
            (r"\-\_\<\/", r"\-\_<\/"),
            ("[[a]", r"[\[a]"),
            ("[a&&b~~c]", r"[a\&\&b\~\~c]"),
            ("[]a]", r"[\]a]"),
            ("[^]a]", r"[^\]a]"),
            ("[[:digit:]x]", "[[:digit:]x]"),
            (r"[\d.-]", r"[\d.-]"),
        ] {
            assert_eq!(rust(go).as_deref(), Ok(expected), "{go}");
        }
        for go in [r"\C", r"\pN", r"a\", "[a", "[a--b]", r"[\Qa\E]", "[[:digit", r"\b{start}", &"a".repeat(2_000)] {
            assert!(rust(go).is_err(), "{go}");
        }
    }
}

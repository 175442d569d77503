// Leaves out of scripts and style sheets what no browser reads: comments, indentation, spaces that separate nothing, the
// brackets around the only parameter of an arrow function, and the word of a declaration that follows another one. What can
// be said in fewer letters is: a constant that nobody assigns is a variable as well.
//
// It knows words, strings, templates, regular expressions, comments and brackets, and nothing else of the language. Names
// stay, so that what a browser's tools show is still what is in the repository.

/// What a regular expression follows, besides these words and the head of a statement; after anything else, a slash divides.
const BEFORE_REGEX: &str = "(,=:[!&|?{};><*%~^";
const WORDS_BEFORE_REGEX: [&str; 13] =
    ["return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "else", "do", "await", "yield"];
/// What a statement begins with whose head is in brackets.
const HEADED: [&str; 4] = ["if", "for", "while", "with"];
/// Words that others stand for, unless they are names.
const SHORTER: [(&str, &str); 4] = [("const", "let"), ("true", "!0"), ("false", "!1"), ("undefined", "void 0")];
/// The declaration of which one can name several things.
const DECLARES: &str = "let";
const EXPORTED: &str = "export let";
/// After these, and before those, the end of a line ends nothing.
const GOES_ON_AFTER: &str = "{,;([=?:&|>";
const GOES_ON_BEFORE: &str = ")]},.?:&|";

/// A script without what is not needed; nothing if a string, a template, a comment or an expression has no end.
pub(crate) fn script(text: &str) -> Option<String> {
    Script {
        out: String::new(),
        begins: [0; 3],
        open: vec![Open::Block(None)],
        ends_head: false,
        semicolon: None,
        exported: None,
    }
    .squeezed(text)
}

/// What is open where something stands.
#[derive(Clone, Copy, PartialEq)]
enum Open {
    /// The head of a statement.
    Head,
    /// Any other bracket.
    Bracket,
    /// A block, the script itself, or an object; and which declaration its present statement is, if it is one.
    Block(Option<&'static str>),
}

/// What a semicolon was.
#[derive(Clone, Copy, PartialEq)]
enum Semicolon {
    /// A statement by itself.
    Statement,
    /// The end of one, which may have been a declaration.
    End(Option<&'static str>),
}

/// A script as far as it was read.
struct Script {
    out: String,
    /// Where the last three tokens begin in it, the last one first.
    begins: [usize; 3],
    open: Vec<Open>,
    /// Whether the last token has closed the head of a statement.
    ends_head: bool,
    /// What the last token was, if it was a semicolon.
    semicolon: Option<Semicolon>,
    /// What the one before was, if the last one is `export`.
    exported: Option<Semicolon>,
}

impl Script {
    fn squeezed(mut self, text: &str) -> Option<String> {
        let mut rest = text;
        loop {
            let (after, is_new_line) = skip(rest)?;
            let Some(first) = after.chars().next() else { return Some(self.out) };
            let length = match first {
                '"' | '\'' => quoted_length(after, first)?,
                '`' => template_length(after)?,
                '/' if self.may_be_regex() => regex_length(after)?,
                _ if is_word(first) => after.find(|it| !is_word(it)).unwrap_or(after.len()),
                _ if after.starts_with("=>") => 2,
                _ => first.len_utf8(),
            };
            let (token, next) = after.split_at(length);
            let is_name = self.last() == "." || next.starts_with(':');
            let shorter = SHORTER.iter().find(|(word, _)| *word == token && !is_name);
            self.add(shorter.map_or(token, |(_, shorter)| shorter), after.len() < rest.len(), is_new_line)?;
            rest = next;
        }
    }

    /// Writes a token, and what has to be between it and the one before.
    fn add(&mut self, token: &str, is_apart: bool, is_new_line: bool) -> Option<()> {
        let kind = match token {
            DECLARES if self.last() == "export" => Some(EXPORTED),
            DECLARES => Some(DECLARES),
            _ => None,
        };
        if kind.is_some() && self.goes_on(kind)? {
            return Some(());
        }
        let (before, first) = (self.out.chars().next_back().unwrap_or(';'), token.chars().next()?);
        let is_begin = kind == Some(EXPORTED) || "{};".contains(before);
        let is_line = is_new_line && !GOES_ON_AFTER.contains(before) && !GOES_ON_BEFORE.contains(first);
        if is_line {
            self.out.push('\n');
        } else if is_apart && ((is_word(before) && is_word(first)) || (is_sign(before) && is_sign(first))) {
            self.out.push(' ');
        }
        // A line that ends a statement ends a declaration, too.
        let now = match self.open.pop()? {
            Open::Block(_) if kind.is_some() && (is_begin || is_line) => Open::Block(kind),
            Open::Block(_) if is_line => Open::Block(None),
            now => now,
        };
        let (mut ends_head, mut semicolon) = (false, None);
        match token {
            "(" if HEADED.contains(&self.last()) => self.open.extend([now, Open::Head]),
            "(" | "[" => self.open.extend([now, Open::Bracket]),
            "{" => self.open.extend([now, Open::Block(None)]),
            ")" => ends_head = now == Open::Head,
            "]" => {}
            "}" => {
                if before == ';' && self.semicolon != Some(Semicolon::Statement) {
                    self.out.pop();
                }
            }
            ";" => {
                let (ended_kind, after) = match now {
                    Open::Block(kind) => (kind, Open::Block(None)),
                    _ => (None, now),
                };
                let is_statement = self.ends_head || self.last() == "else";
                semicolon = Some(if is_statement { Semicolon::Statement } else { Semicolon::End(ended_kind) });
                self.open.push(after);
            }
            _ => {
                if token == "=>" {
                    self.bare_parameter();
                }
                self.open.push(now);
            }
        }
        self.exported = self.semicolon.filter(|_| token == "export");
        (self.ends_head, self.semicolon) = (ends_head, semicolon);
        self.begins = [self.out.len(), self.begins[0], self.begins[1]];
        if first == '`' {
            self.out.push_str(&template(token)?);
        } else {
            self.out.push_str(token);
        }
        Some(())
    }

    /// Has a declaration go on with the one that has ended just before, if they are of one kind.
    fn goes_on(&mut self, kind: Option<&'static str>) -> Option<bool> {
        let is_exported = kind == Some(EXPORTED);
        let (begin, ended) =
            if is_exported { (self.begins[1], self.exported) } else { (self.begins[0], self.semicolon) };
        if ended != Some(Semicolon::End(kind)) {
            return Some(false);
        }
        self.out.truncate(begin);
        self.out.push(',');
        self.begins[0] = begin;
        *self.open.last_mut()? = Open::Block(kind);
        (self.semicolon, self.exported) = (None, None);
        Some(true)
    }

    /// The last token.
    fn last(&self) -> &str {
        &self.out[self.begins[0]..]
    }

    fn may_be_regex(&self) -> bool {
        let before = self.out.chars().next_back().unwrap_or(';');
        let is_property = self.out[..self.begins[0]].ends_with('.');
        BEFORE_REGEX.contains(before) || self.ends_head || (WORDS_BEFORE_REGEX.contains(&self.last()) && !is_property)
    }

    /// Takes the brackets from around the only parameter of an arrow function.
    fn bare_parameter(&mut self) {
        let [close, name, open] = self.begins;
        let parameter = self.out[name..close].to_owned();
        if &self.out[open..name] != "(" || &self.out[close..] != ")" || !parameter.chars().all(is_word) {
            return;
        }
        self.out.truncate(open);
        if self.out.ends_with(is_word) {
            self.out.push(' ');
        }
        self.begins = [self.out.len(), open, open];
        self.out.push_str(&parameter);
    }
}

/// A style sheet without what is not needed.
pub(crate) fn style(text: &str) -> String {
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

fn is_sign(it: char) -> bool {
    it == '+' || it == '-'
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || "_$#".contains(it)
}

/// What is behind spaces and comments, and whether a line ends in them; nothing if a comment has no end.
fn skip(text: &str) -> Option<(&str, bool)> {
    let (mut rest, mut is_new_line) = (text, false);
    loop {
        let after = rest.trim_start();
        is_new_line |= rest[..rest.len() - after.len()].contains('\n');
        rest = if after.starts_with("//") {
            &after[after.find('\n').unwrap_or(after.len())..]
        } else if after.starts_with("/*") {
            &after[after.find("*/")? + 2..]
        } else {
            return Some((after, is_new_line));
        };
    }
}

fn quoted_length(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    loop {
        match chars.next()? {
            (_, '\\') => drop(chars.next()?),
            (at, it) if it == quote => return Some(at + 1),
            _ => {}
        }
    }
}

fn regex_length(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    let mut in_class = false;
    loop {
        match chars.next()? {
            (_, '\n') => return None,
            (_, '\\') => drop(chars.next()?),
            (_, '[') => in_class = true,
            (_, ']') => in_class = false,
            (at, '/') if !in_class => return Some(at + 1),
            _ => {}
        }
    }
}

fn template_length(text: &str) -> Option<usize> {
    let mut at = 1;
    loop {
        let now = text[at..].chars().next()?;
        at += match now {
            '`' => return Some(at + 1),
            '\\' => 1 + text[at + 1..].chars().next()?.len_utf8(),
            '$' if text[at + 1..].starts_with('{') => 2 + expression_length(&text[at + 2..])?,
            _ => now.len_utf8(),
        };
    }
}

/// How long an expression in a template is, with the bracket that ends it.
fn expression_length(text: &str) -> Option<usize> {
    let (mut at, mut depth) = (0, 1);
    while depth > 0 {
        let now = text[at..].chars().next()?;
        depth += match now {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        at += match now {
            '"' | '\'' => quoted_length(&text[at..], now)?,
            '`' => template_length(&text[at..])?,
            _ => now.len_utf8(),
        };
    }
    Some(at)
}

/// A template whose expressions are squeezed; its text stays.
fn template(text: &str) -> Option<String> {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(begin) = rest.find("${") {
        let (before, inside) = rest.split_at(begin + 2);
        out.push_str(before);
        let is_text = before[..begin].chars().rev().take_while(|it| *it == '\\').count() % 2 == 1;
        rest = inside;
        if !is_text {
            let length = expression_length(inside)?;
            out.push_str(&script(&inside[..length - 1])?);
            out.push('}');
            rest = &inside[length..];
        }
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
#[path = "squeeze/tests.rs"]
mod tests;

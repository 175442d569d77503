//! Globs: those that are made of parts, those of Harbor, and what they are as regular expressions.

/// The most globs that the braces of one become.
const GLOBS: usize = 64;

/// A part of a glob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The beginning of the tag.
    Start,
    /// Its end.
    End,
    /// One of these characters.
    One(Set),
    /// Any run of characters.
    Any,
}

/// Some of the characters of tags: a bit for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Set(u128);

impl Set {
    /// None of them.
    pub(super) const NONE: Self = Self(0);
    /// All of them.
    pub(super) const ALL: Self = Self::all();

    const fn all() -> Self {
        let (mut bits, mut byte) = (0, 0);
        while byte < 128 {
            if is_tag(byte) {
                bits |= 1 << byte;
            }
            byte += 1;
        }
        Self(bits)
    }

    /// Those of which this is true.
    pub(super) fn from_fn(has: impl Fn(u8) -> bool) -> Self {
        Self((0..128_u8).filter(|byte| is_tag(*byte) && has(*byte)).fold(0, |bits, byte| bits | (1 << byte)))
    }

    /// One of them; none, if no tag has it.
    pub(super) fn of(byte: u8) -> Self {
        Self::from_fn(|other| other == byte)
    }

    fn has(self, byte: u8) -> bool {
        (self.0 >> byte) & 1 == 1
    }

    fn bytes(self) -> Vec<u8> {
        (0..128).filter(|byte| self.has(*byte)).collect()
    }
}

const fn is_tag(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// A glob of these parts.
pub(super) fn write(parts: &[Part]) -> String {
    let mut glob = String::new();
    let mut is_any = false;
    for part in parts {
        match part {
            // A star goes behind the question marks beside it, so that equal globs are written alike.
            Part::Any => is_any = true,
            Part::One(set) if *set == Set::ALL => glob.push('?'),
            Part::One(set) => {
                if std::mem::take(&mut is_any) {
                    glob.push('*');
                }
                one(*set, &mut glob);
            }
            Part::Start | Part::End => {}
        }
    }
    if is_any {
        glob.push('*');
    }
    glob
}

fn one(set: Set, glob: &mut String) {
    let bytes = set.bytes();
    if let [byte] = bytes.as_slice() {
        glob.push(char::from(*byte));
        return;
    }
    glob.push('[');
    let mut rest = bytes.iter().copied().filter(|byte| *byte != b'-').peekable();
    while let Some(first) = rest.next() {
        let mut last = first;
        while rest.next_if_eq(&(last + 1)).is_some() {
            last += 1;
        }
        glob.push(char::from(first));
        match last - first {
            0 => {}
            1 => glob.push(char::from(last)),
            _ => glob.extend(['-', char::from(last)]),
        }
    }
    // Last, where it is no range.
    if set.has(b'-') {
        glob.push('-');
    }
    glob.push(']');
}

/// A glob of those that are made here, as a regular expression.
pub(super) fn regex(glob: &str) -> String {
    let (mut out, mut is_class) = (String::new(), false);
    for character in glob.chars() {
        match character {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '.' if !is_class => out.push_str("\\."),
            _ => {
                is_class = (is_class || character == '[') && character != ']';
                out.push(character);
            }
        }
    }
    out
}

/// The globs that one of Harbor's is: there, braces have alternatives, and a backslash makes what follows plain. No tag has a
/// slash, which only two stars would match.
pub(super) fn doublestar(text: &str) -> Result<Vec<String>, String> {
    let mut sequences = alternatives(&text.chars().collect::<Vec<_>>())?;
    let mut globs: Vec<_> = sequences.drain(..).map(|parts| write(&parts)).collect();
    globs.sort_unstable();
    globs.dedup();
    Ok(globs)
}

fn alternatives(text: &[char]) -> Result<Vec<Vec<Part>>, String> {
    let mut sequences = vec![Vec::new()];
    let mut at = 0;
    while let Some(character) = text.get(at) {
        at += 1;
        let choices = match character {
            '*' => vec![vec![Part::Any]],
            '?' => vec![vec![Part::One(Set::ALL)]],
            '[' => {
                let end = end(&text[at..], ']').ok_or("a class in it is not closed")?;
                let set = class(&text[at..at + end])?;
                at += end + 1;
                vec![vec![Part::One(set)]]
            }
            '{' => {
                let end = end(&text[at..], '}').ok_or("a brace in it is not closed")?;
                let inside = &text[at..at + end];
                if inside.contains(&'{') {
                    return Err("it has braces in braces".to_owned());
                }
                at += end + 1;
                let choices: Result<Vec<_>, _> = inside.split(|it| *it == ',').map(alternatives).collect();
                choices?.concat()
            }
            '\\' => {
                let escaped = text.get(at).ok_or("it ends with a backslash")?;
                at += 1;
                vec![vec![Part::One(single(*escaped))]]
            }
            plain => vec![vec![Part::One(single(*plain))]],
        };
        // What has a character that no tag has matches nothing.
        let choices: Vec<_> = choices.into_iter().filter(|parts| !parts.contains(&Part::One(Set::NONE))).collect();
        let pairs =
            sequences.iter().flat_map(|first| choices.iter().map(move |second| [first.as_slice(), second].concat()));
        sequences = pairs.collect();
        if sequences.len() > GLOBS {
            return Err(format!("its braces are more than {GLOBS} globs"));
        }
    }
    Ok(sequences)
}

fn single(character: char) -> Set {
    u8::try_from(character).map_or(Set::NONE, Set::of)
}

/// How far the end is, past what is escaped.
fn end(text: &[char], closing: char) -> Option<usize> {
    let mut at = 0;
    while let Some(character) = text.get(at) {
        match character {
            '\\' => at += 2,
            it if *it == closing => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// What is between brackets: characters and ranges of them, or all others.
fn class(inside: &[char]) -> Result<Set, String> {
    let (is_not, inside) = match inside {
        ['^' | '!', rest @ ..] => (true, rest),
        all => (false, all),
    };
    if inside.is_empty() || inside.contains(&'\\') || inside.first() == Some(&'-') {
        return Err("a class in it cannot be read".to_owned());
    }
    let (mut ranges, mut rest) = (Vec::new(), inside);
    loop {
        rest = match rest {
            [first, '-', last, rest @ ..] => {
                ranges.push(*first..=*last);
                rest
            }
            [first, rest @ ..] => {
                ranges.push(*first..=*first);
                rest
            }
            [] => break,
        };
    }
    Ok(Set::from_fn(|byte| ranges.iter().any(|range| range.contains(&char::from(byte))) != is_not))
}

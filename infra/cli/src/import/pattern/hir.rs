//! From a regular expression to globs, where there are some that match the same tags.

use regex_syntax::{
    ParserBuilder,
    hir::{Class, Hir, HirKind, Look, Repetition},
};

use crate::import::pattern::glob::{Part, Set, write};

/// The most globs that one expression becomes: more nobody reads.
const GLOBS: usize = 64;
/// The most parts of them together: an alternative of a hundred words has some hundred.
const PARTS: usize = 4_096;
/// How deep groups may be nested, as in the gate's own.
const NESTING: u32 = 32;

fn parse(expression: &str) -> Result<Hir, String> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).nest_limit(NESTING).build().parse(expression);
    // The last line of the message says what is wrong; those before it show the expression.
    parsed.map_err(|error| {
        let message = error.to_string();
        let reason = message.lines().last().unwrap_or_default();
        format!("it is no regular expression: {}", reason.strip_prefix("error: ").unwrap_or(reason))
    })
}

/// Whether an expression has `^` and `$` around all of it.
pub(super) fn is_whole(expression: &str) -> Result<bool, String> {
    let hir = parse(expression)?;
    let HirKind::Concat(parts) = hir.kind() else { return Ok(false) };
    Ok(parts.first().is_some_and(is_start) && parts.last().is_some_and(is_end))
}

fn is_start(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Look(Look::Start))
}

fn is_end(hir: &Hir) -> bool {
    matches!(hir.kind(), HirKind::Look(Look::End))
}

/// The globs that match the tags in which an expression is found; nothing if globs cannot say that.
pub(super) fn globs(expression: &str) -> Result<Option<Vec<String>>, String> {
    let Some(sequences) = expand(&parse(expression)?) else { return Ok(None) };
    let mut globs: Vec<_> = sequences.iter().filter_map(|parts| anchored(parts)).map(|parts| write(&parts)).collect();
    if globs.iter().any(|glob| glob == "*") {
        return Ok(Some(vec!["*".to_owned()]));
    }
    globs.sort_unstable();
    globs.dedup();
    Ok(Some(globs))
}

/// What an expression is made of, if it is a choice of sequences.
fn expand(hir: &Hir) -> Option<Vec<Vec<Part>>> {
    match hir.kind() {
        HirKind::Empty => Some(vec![Vec::new()]),
        HirKind::Literal(literal) => {
            let sets: Vec<_> = literal.0.iter().map(|byte| Set::of(*byte)).collect();
            Some(if sets.contains(&Set::NONE) { Vec::new() } else { vec![sets.into_iter().map(Part::One).collect()] })
        }
        HirKind::Class(class) => {
            let set = set(class);
            Some(if set == Set::NONE { Vec::new() } else { vec![vec![Part::One(set)]] })
        }
        HirKind::Look(Look::Start | Look::StartLF | Look::StartCRLF) => Some(vec![vec![Part::Start]]),
        HirKind::Look(Look::End | Look::EndLF | Look::EndCRLF) => Some(vec![vec![Part::End]]),
        HirKind::Look(_) => None,
        HirKind::Repetition(repetition) => repeat(repetition),
        HirKind::Capture(capture) => expand(&capture.sub),
        HirKind::Concat(parts) => {
            parts.iter().try_fold(vec![Vec::new()], |sequences, part| bounded(product(&sequences, &expand(part)?)))
        }
        HirKind::Alternation(choices) => {
            let all = choices.iter().map(expand).collect::<Option<Vec<_>>>()?;
            bounded(all.concat())
        }
    }
}

fn repeat(repetition: &Repetition) -> Option<Vec<Vec<Part>>> {
    let sub = expand(&repetition.sub)?;
    let is_any = sub.as_slice() == [vec![Part::One(Set::ALL)]];
    match repetition.max {
        None if is_any => {
            let least = usize::try_from(repetition.min).ok().filter(|least| *least <= PARTS)?;
            let mut parts = vec![Part::One(Set::ALL); least];
            parts.push(Part::Any);
            Some(vec![parts])
        }
        // Nothing repeated is nothing.
        None if sub.is_empty() => Some(if repetition.min == 0 { vec![Vec::new()] } else { Vec::new() }),
        None => None,
        Some(most) => {
            let (mut all, mut times) = (Vec::new(), vec![Vec::new()]);
            for number in 0..=most {
                if number >= repetition.min {
                    all.extend(times.iter().cloned());
                }
                if number < most {
                    times = bounded(product(&times, &sub))?;
                }
                all = bounded(all)?;
            }
            Some(all)
        }
    }
}

fn product(left: &[Vec<Part>], right: &[Vec<Part>]) -> Vec<Vec<Part>> {
    left.iter().flat_map(|first| right.iter().map(move |second| [first.as_slice(), second].concat())).collect()
}

fn bounded(sequences: Vec<Vec<Part>>) -> Option<Vec<Vec<Part>>> {
    (sequences.len() <= GLOBS && sequences.iter().map(Vec::len).sum::<usize>() <= PARTS).then_some(sequences)
}

/// The characters of a class that tags can have.
fn set(class: &Class) -> Set {
    let has = |byte: u8| match class {
        Class::Bytes(class) => class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&byte)),
        Class::Unicode(class) => {
            class.ranges().iter().any(|range| (range.start()..=range.end()).contains(&char::from(byte)))
        }
    };
    Set::from_fn(has)
}

/// What has to be in a tag, from its beginning to its end; nothing if no tag can have that.
fn anchored(parts: &[Part]) -> Option<Vec<Part>> {
    let (mut out, mut is_ended) = (vec![Part::Any], false);
    for part in parts {
        match part {
            // What is before the beginning has to be nothing.
            Part::Start if out.iter().any(|part| matches!(part, Part::One(_))) => return None,
            Part::Start => out.clear(),
            Part::End => is_ended = true,
            Part::One(_) if is_ended => return None,
            Part::Any if is_ended => {}
            part => out.push(*part),
        }
    }
    if !is_ended {
        out.push(Part::Any);
    }
    Some(out)
}

//! Which tags: what other tools say of it, and the root rule and the selection that select the same.

use moorage_declaration::TagRule;
use moorage_domain::{RootRule, Selection};
use serde_json::{Map, Value, json};

use crate::import::pattern::Pattern;

/// Which tags: those that any of these select.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tags(Vec<Term>);

/// Versions in any of the ranges, of what any pattern of `allow` matches (everything, if there is none) and none of `deny`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Term {
    /// Ranges, if tags have to be versions.
    pub(crate) versions: Option<Versions>,
    /// What is taken.
    pub(crate) allow: Vec<Pattern>,
    /// What is left out.
    pub(crate) deny: Vec<Pattern>,
}

/// Which versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Versions {
    /// In any of these, in the gate's dialect.
    pub(crate) ranges: Vec<String>,
    /// Whether prereleases are compared where no range names one.
    pub(crate) has_prereleases: bool,
}

/// The fields of a mirror that say which tags.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Rule {
    /// The globs.
    pub(crate) root: TagRule,
    /// What is asked besides.
    pub(crate) selection: Option<Selection>,
}

impl Tags {
    /// All of them.
    pub(crate) fn all() -> Self {
        Self(vec![Term::default()])
    }

    /// What this term selects.
    pub(crate) fn of(term: Term) -> Self {
        Self(vec![term])
    }

    /// What any of these patterns matches.
    pub(crate) fn matching(allow: Vec<Pattern>) -> Self {
        Self::of(Term { allow, ..Term::default() })
    }

    /// Both.
    #[must_use]
    pub(crate) fn or(mut self, other: Self) -> Self {
        for term in other.0 {
            if !self.0.contains(&term) {
                self.0.push(term);
            }
        }
        self
    }

    /// The same without globs: where there is no root rule, as of an organization's mirror, which finds all tags.
    #[must_use]
    pub(crate) fn without_globs(&self) -> Self {
        let expression = |pattern: &Pattern| Pattern::Regex(pattern.regex());
        let one = |term: &Term| Term { allow: term.allow.iter().map(expression).collect(), ..term.clone() };
        Self(self.0.iter().map(one).collect())
    }

    /// The rule that selects these tags and no others; why there is none, otherwise.
    pub(crate) fn rule(&self) -> Result<Rule, String> {
        let (plain, others): (Vec<_>, Vec<_>) = self.0.iter().partition(|term| term.is_plain());
        if plain.iter().any(|term| term.allow.is_empty()) {
            return rule(vec!["*".to_owned()], Map::new());
        }
        let (mut globs, mut expressions) = (Vec::new(), Vec::new());
        for pattern in plain.iter().flat_map(|term| &term.allow) {
            match pattern {
                Pattern::Globs(some) => globs.extend(some.iter().cloned()),
                Pattern::Regex(text) => expressions.push(text.clone()),
            }
        }
        dedup(&mut globs);
        let Some(one) = united(&others)? else {
            return if expressions.is_empty() {
                only(globs)
            } else {
                with_always(globs, &expressions, &Term::default())
            };
        };
        if expressions.is_empty() {
            return with_always(globs, &[], &one);
        }
        Err("one part of it is a regular expression and another one has versions or exceptions: one selection cannot say both"
            .to_owned())
    }
}

impl Term {
    /// Whether it is patterns and nothing else.
    fn is_plain(&self) -> bool {
        self.versions.is_none() && self.deny.is_empty()
    }
}

/// One term that says what several do that are not plain; none for none.
fn united(terms: &[&Term]) -> Result<Option<Term>, String> {
    let mut terms = terms.iter();
    let Some(first) = terms.next() else { return Ok(None) };
    terms.try_fold((*first).clone(), |one, other| unite(one, other)).map(Some)
}

fn unite(mut one: Term, other: &Term) -> Result<Term, String> {
    let is_excepted_alike = one.deny == other.deny;
    match (&mut one.versions, &other.versions) {
        (None, None) if is_excepted_alike => {
            // Everything and something is everything.
            let is_all = one.allow.is_empty() || other.allow.is_empty();
            one.allow.extend(other.allow.iter().filter(|_| !is_all).cloned());
            if is_all {
                one.allow.clear();
            }
            Ok(one)
        }
        (Some(ours), Some(theirs))
            if is_excepted_alike && one.allow == other.allow && ours.has_prereleases == theirs.has_prereleases =>
        {
            ours.ranges.extend(theirs.ranges.iter().cloned());
            Ok(one)
        }
        _ => {
            Err("it is of several sets with different versions or exceptions, which one selection cannot say"
                .to_owned())
        }
    }
}

/// What globs select, by themselves.
fn only(globs: Vec<String>) -> Result<Rule, String> {
    if globs.is_empty() {
        return Err("no tag can match it".to_owned());
    }
    rule(globs, Map::new())
}

/// What globs select, what expressions match whole, and what a term selects: one of the last two is nothing.
fn with_always(globs: Vec<String>, expressions: &[String], term: &Term) -> Result<Rule, String> {
    let mut selection = Map::new();
    let allowed: Option<Vec<_>> = term.allow.iter().map(globs_of).collect();
    let root = if let Some(allowed) = allowed.filter(|allowed| !allowed.is_empty()) {
        // The first step of a selection is the root rule, so that it has to have what is always taken, too.
        let mut root: Vec<_> = allowed.into_iter().flatten().chain(globs.iter().cloned()).collect();
        dedup(&mut root);
        root
    } else {
        let included: Vec<_> = expressions.iter().cloned().chain(term.allow.iter().map(Pattern::regex)).collect();
        if !included.is_empty() {
            selection.insert("include_regex".to_owned(), choice(&included).into());
        }
        vec!["*".to_owned()]
    };
    if let Some(versions) = &term.versions {
        let mut rule = json!({"ranges": versions.ranges});
        if versions.has_prereleases {
            rule["prereleases"] = true.into();
        }
        selection.insert("version".to_owned(), rule);
    }
    let exclusion = exclusion(&term.deny);
    if !exclusion.is_empty() {
        selection.insert("exclude".to_owned(), exclusion.into());
    }
    if !globs.is_empty() {
        selection.insert("always".to_owned(), globs.into());
    }
    rule(root, selection)
}

fn exclusion(deny: &[Pattern]) -> Map<String, Value> {
    let mut globs: Vec<_> = deny.iter().filter_map(globs_of).flatten().collect();
    dedup(&mut globs);
    let expressions: Vec<_> = deny.iter().filter(|it| globs_of(it).is_none()).map(Pattern::regex).collect();
    let mut exclusion = Map::new();
    if !globs.is_empty() {
        exclusion.insert("globs".to_owned(), globs.into());
    }
    if !expressions.is_empty() {
        exclusion.insert("regex".to_owned(), choice(&expressions).into());
    }
    exclusion
}

fn globs_of(pattern: &Pattern) -> Option<Vec<String>> {
    match pattern {
        Pattern::Globs(globs) => Some(globs.clone()),
        Pattern::Regex(_) => None,
    }
}

/// One expression for several. Each has its own group: flags in one are not those of the others.
fn choice(expressions: &[String]) -> String {
    match expressions {
        [one] => one.clone(),
        several => several.iter().map(|it| format!("(?:{it})")).collect::<Vec<_>>().join("|"),
    }
}

fn dedup(globs: &mut Vec<String>) {
    globs.sort_unstable();
    globs.dedup();
    if globs.iter().any(|glob| glob == "*") {
        *globs = vec!["*".to_owned()];
    }
}

fn rule(root: Vec<String>, selection: Map<String, Value>) -> Result<Rule, String> {
    let root = TagRule(RootRule::new(root).map_err(|error| error.to_string())?);
    let selection = (!selection.is_empty()).then(|| Selection::parse(selection.into())).transpose();
    Ok(Rule { root, selection: selection.map_err(|error| format!("the gate does not take it: {error}"))? })
}

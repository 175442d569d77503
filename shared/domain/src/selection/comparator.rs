//! One comparison of a range, as `>=1.2` is one.
//!
//! What it means where numbers are missing is not obvious, and is as Masterminds' semver has it: see [`super::range`].

use super::version::{Parts, Version, number};

/// How versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    Tilde,
    Caret,
}

/// All spellings of the operators. Those that another one begins come behind it.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::GreaterOrEqual),
    ("=>", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=<", Operator::LessOrEqual),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

/// Which numbers of a bound are given. The first wildcard, or the first that is missing, ends them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Given {
    /// None: `*`.
    Nothing,
    /// The first: `1`, `1.x`.
    Major,
    /// The first two: `1.2`, `1.2.x`.
    Minor,
    /// All three.
    Patch,
}

/// One comparison.
#[derive(Debug, Clone)]
pub(super) struct Comparator {
    operator: Operator,
    /// What is compared with. Numbers that are not given are 0.
    bound: Version,
    given: Given,
}

impl Comparator {
    /// Reads one comparison: an operator or none, and behind any blanks a version, which may have wildcards.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let found = OPERATORS.iter().find_map(|(sign, operator)| Some((*operator, text.strip_prefix(sign)?)));
        let (operator, version) = found.unwrap_or((Operator::Equal, text));
        Self::new(operator, version.trim_ascii_start())
    }

    /// Reads the two bounds of a hyphen range, both of which belong to it.
    pub(super) fn between(lower: &str, upper: &str) -> Option<[Self; 2]> {
        Some([Self::new(Operator::GreaterOrEqual, lower)?, Self::new(Operator::LessOrEqual, upper)?])
    }

    fn new(operator: Operator, version: &str) -> Option<Self> {
        let parts = Parts::split(version, &['+'])?;
        let (mut numbers, mut given) = ([0; 3], Given::Nothing);
        let mut is_given = true;
        for (at, text) in parts.numbers.iter().enumerate() {
            let part = if is_wildcard(text) { None } else { Some(number(text)?) };
            // What stands behind a wildcard has to be a number or another one, and says nothing.
            is_given &= part.is_some();
            if let (true, Some(part)) = (is_given, part) {
                numbers[at] = part;
                given = [Given::Major, Given::Minor, Given::Patch][at];
            }
        }
        Some(Self { operator, bound: parts.version(numbers)?, given })
    }

    /// Whether its version is a prerelease.
    pub(super) fn names_prerelease(&self) -> bool {
        self.bound.is_prerelease()
    }

    /// Whether a version satisfies it.
    pub(super) fn admits(&self, version: &Version) -> bool {
        let Self { operator, bound, given } = self;
        let minors = [version, bound].map(|version| (version.major(), version.minor()));
        match (operator, given) {
            (Operator::Equal, Given::Patch) => version == bound,
            (Operator::Equal | Operator::Tilde, _) => version >= bound && self.is_in_tilde(version),
            (Operator::Caret, _) => version >= bound && self.is_in_caret(version),
            (Operator::NotEqual, Given::Major) => version.major() != bound.major(),
            (Operator::NotEqual, Given::Minor) => minors[0] != minors[1] || !version.has_prerelease_of(bound),
            (Operator::NotEqual, _) => version != bound,
            (Operator::Greater, Given::Major) => version.major() > bound.major(),
            (Operator::Greater, Given::Minor) => minors[0] > minors[1],
            (Operator::Greater, _) => version > bound,
            (Operator::GreaterOrEqual, _) => version >= bound,
            (Operator::Less, _) => version < bound,
            (Operator::LessOrEqual, Given::Patch) => version <= bound,
            (Operator::LessOrEqual, Given::Major) => version.major() <= bound.major(),
            // `<=*` is no exception there, and means `<=0.0`.
            (Operator::LessOrEqual, _) => minors[0] <= minors[1],
        }
    }

    /// Whether a version that is not below the bound is in its tilde range: `~1` is 1, `~1.2` and `~1.2.3` are 1.2, `~*`
    /// and `~0.0.0` are everything.
    fn is_in_tilde(&self, version: &Version) -> bool {
        let Self { bound, given, .. } = self;
        let is_zero = (bound.major(), bound.minor(), bound.patch()) == (0, 0, 0);
        match given {
            Given::Nothing | Given::Patch if is_zero => true,
            Given::Major => version.major() == bound.major(),
            _ => (version.major(), version.minor()) == (bound.major(), bound.minor()),
        }
    }

    /// Whether a version that is not below the bound is in its caret range: what is left of the first number that is not
    /// 0, and that number, stay as they are. `^0` is 0, `^0.0` is 0.0, and `^*` is no exception there: 0.0.0.
    fn is_in_caret(&self, version: &Version) -> bool {
        let Self { bound, given, .. } = self;
        if bound.major() > 0 || *given == Given::Major {
            return version.major() == bound.major();
        }
        if bound.minor() > 0 || *given == Given::Minor {
            return (version.major(), version.minor()) == (0, bound.minor());
        }
        (version.major(), version.minor(), version.patch()) == (0, 0, bound.patch())
    }
}

fn is_wildcard(text: &str) -> bool {
    matches!(text, "x" | "X" | "*")
}

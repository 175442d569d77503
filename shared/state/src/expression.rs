//! Expressions of updates and conditions. In all of them `#name` stands for the attribute `name`.

/// What an item must be for its update.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change<'e> {
    /// The update.
    pub(crate) update: &'e str,
    /// The condition.
    pub(crate) condition: &'e str,
}

/// The names that an expression uses, without their `#`.
pub(crate) fn names(expression: &str) -> impl Iterator<Item = &str> {
    let name = |part: &'_ str| part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
    expression.split('#').skip(1).map(move |part| &part[..name(part)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_an_expression() {
        let of = |expression| names(expression).collect::<Vec<_>>();
        assert_eq!(of("SET #state = :state ADD #mirrors :one"), ["state", "mirrors"]);
        assert_eq!(of("attribute_exists(#pk) AND #a=:b"), ["pk", "a"]);
        assert!(of("").is_empty());
    }
}

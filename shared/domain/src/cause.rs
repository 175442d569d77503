//! What an error says, with its causes.

use std::error::Error;

/// The messages of an error and of its causes, one frame each, joined by colons. A cause whose message the frame above
/// has already is left out.
///
/// The AWS SDK's own way to print a chain shows the raw answer too, which may be long, and is not for logs.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let message = cause.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[test]
    fn causes_follow() {
        assert_eq!(chain(&Outer(Inner)), "outer: inner");
    }
}

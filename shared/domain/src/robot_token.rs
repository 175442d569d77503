//! Which tokens a robot may bring from elsewhere.

use std::{collections::BTreeSet, ops::RangeInclusive};

/// How long a token may be, in characters: 50 that are drawn from 36 are more than 2^256, which is what its hash has; Quay's have
/// 64.
const LENGTH: RangeInclusive<usize> = 50..=128;
/// How many different characters it has at least. Of 50 that were drawn there are fewer in less than one of 2^40 cases; what
/// somebody has thought of has mostly fewer.
const VARIETY: usize = 14;

/// Why a text is not taken as a robot's token. No message has anything of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RobotTokenError {
    /// Too short to be safe, or longer than any.
    #[error("token must have 50 to 128 characters")]
    Length,
    /// Others than capital letters and digits.
    #[error("token must be of the characters A to Z and 0 to 9, as Quay makes them")]
    Characters,
    /// Not drawn at random.
    #[error("token must be drawn at random: it has too few different characters")]
    Guessable,
}

/// Whether a token is as Quay makes them.
pub fn check(token: &str) -> Result<(), RobotTokenError> {
    if !LENGTH.contains(&token.len()) {
        return Err(RobotTokenError::Length);
    }
    if !token.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()) {
        return Err(RobotTokenError::Characters);
    }
    let variety = token.bytes().collect::<BTreeSet<_>>().len();
    if variety < VARIETY { Err(RobotTokenError::Guessable) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_as_quay_makes_them() {
        let random = "4K0XW2D9QHM7TZ1VB6NPC3RYE8JLSA5GFUQQ7M1XK93ZTH0WBD";
        assert_eq!(check(random), Ok(()));
        assert_eq!(check(&random[1..]), Err(RobotTokenError::Length));
        assert_eq!(check(&random.repeat(3)), Err(RobotTokenError::Length));
        assert_eq!(check(""), Err(RobotTokenError::Length));
        for other in [random.to_lowercase(), format!("{random} "), format!("{random}\n"), format!("{random}\u{e4}")] {
            assert_eq!(check(&other), Err(RobotTokenError::Characters), "{other}");
        }
        for thought_of in ["A".repeat(64), "PASSWORD1".repeat(7), "0123456789".repeat(6)] {
            assert_eq!(check(&thought_of), Err(RobotTokenError::Guessable), "{thought_of}");
        }
    }
}

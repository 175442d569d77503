//! The role that a body gives.

use moorage_state::Role;

use crate::http::{error::ApiError, field::Fields};

/// The role that a body gives.
pub(crate) fn parse_role(fields: Fields<'_>) -> Result<Role, ApiError> {
    fields.require(&["role"])?;
    let sent = fields.one_of("role", &Role::ALL.map(Role::as_str))?;
    Role::ALL.into_iter().find(|role| Some(role.as_str()) == sent).ok_or(ApiError::NotFound)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn roles_are_quays() {
        let sent = |body: &Value| parse_role(Fields(body.as_object().unwrap())).map_err(|error| error.to_string());
        for (name, role) in [("read", Role::Read), ("write", Role::Write), ("admin", Role::Admin)] {
            assert_eq!(sent(&json!({"role": name})), Ok(role));
        }
        assert_eq!(sent(&json!({})), Err("'role' is a required property".into()));
        let message = "'owner' is not one of ['read', 'write', 'admin']";
        assert_eq!(sent(&json!({"role": "owner"})), Err(message.into()));
    }
}

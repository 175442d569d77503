//! What somebody may, by how the API shows who calls.

use serde_json::Value;

/// How many organizations are named.
const FEW: usize = 3;

/// The roles in organizations, in words; nothing if there are none.
pub(super) fn roles(user: &Value) -> Option<String> {
    let organizations = user["organizations"].as_array().into_iter().flatten();
    let role = |it: &Value| {
        let name = it["name"].as_str()?;
        Some(it["role"].as_str().map_or_else(|| name.to_owned(), |role| format!("{role} in {name}")))
    };
    let mut roles: Vec<_> = organizations.filter_map(role).collect();
    let number = roles.len();
    roles.truncate(FEW);
    match number {
        0 => None,
        number if number > FEW => Some(format!("{}, and in {} more", roles.join(", "), number - FEW)),
        _ => Some(roles.join(", ")),
    }
}

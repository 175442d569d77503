//! What somebody may, by how the API shows who calls.

use serde_json::Value;

/// How many organizations are named.
const FEW: usize = 3;

/// The roles in organizations, in words; nothing if there are none.
pub(super) fn roles(user: &Value) -> Option<String> {
    let organizations = user["organizations"].as_array().into_iter().flatten();
    let role = |it: &Value| {
        // Whoever is in a team has no role on all of it.
        Some(format!("{} in {}", it["role"].as_str().unwrap_or("member"), it["name"].as_str()?))
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn roles_are_said_and_not_all_of_many() {
        let user = |organizations: Value| json!({"organizations": organizations});
        let of = |name: &str, role: Value| json!({"name": name, "role": role});
        assert_eq!(roles(&user(json!([]))), None);
        let two = json!([of("acme", json!("admin")), of("lab", Value::Null)]);
        assert_eq!(roles(&user(two)).unwrap(), "admin in acme, member in lab");
        let many: Vec<_> = ["a", "b", "c", "d", "e"].iter().map(|name| of(name, json!("read"))).collect();
        assert_eq!(roles(&user(many.into())).unwrap(), "read in a, read in b, read in c, and in 2 more");
    }
}

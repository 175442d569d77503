//! How large DynamoDB counts an item, in the JSON of its protocol: names and values in bytes.

use serde_json::Value;

/// Bytes of an item, without what an index does not have if `of` says which attributes it has.
pub(crate) fn size(item: &Value, of: Option<&[String]>) -> usize {
    let attributes = item.as_object().into_iter().flatten();
    let counted = attributes.filter(|(name, _)| of.is_none_or(|of| of.contains(name)));
    counted.map(|(name, value)| name.len() + of_value(value)).sum()
}

fn of_value(value: &Value) -> usize {
    let Some((kind, value)) = value.as_object().and_then(|typed| typed.iter().next()) else { return 0 };
    let text = |value: &Value| value.as_str().map_or(0, str::len);
    let each = |of: &dyn Fn(&Value) -> usize| value.as_array().into_iter().flatten().map(of).sum::<usize>();
    match kind.as_str() {
        "S" => text(value),
        // Two digits a byte, and one more.
        "N" => text(value) / 2 + 2,
        "B" => text(value) * 3 / 4,
        "SS" => each(&text),
        "NS" => each(&|number| text(number) / 2 + 2),
        "BS" => each(&|bytes| text(bytes) * 3 / 4),
        // Three bytes, and one for each element.
        "L" => 3 + each(&|element| 1 + of_value(element)),
        "M" => {
            let members = value.as_object().into_iter().flatten();
            3 + members.map(|(name, value)| 1 + name.len() + of_value(value)).sum::<usize>()
        }
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_and_values_count() {
        let item = json!({"pk": {"S": "abc"}, "n": {"N": "1234"}, "m": {"M": {"x": {"BOOL": true}}}});
        assert_eq!(size(&item, None), 5 + 5 + 1 + 3 + 3);
        assert_eq!(size(&item, Some(&["pk".to_owned()])), 5);
        assert_eq!(size(&json!({"s": {"SS": ["a", "bc"]}, "l": {"L": [{"S": "x"}]}}), None), 4 + 1 + 5);
    }
}

//! One row for each variant: how it is written.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// Checks that each variant is written as its row says, and read from it; and that the method says so, too, that follows the
/// enum's name. A variant without a row does not compile.
macro_rules! names {
    ($($kind:ident $(.$text:ident)? { $($variant:ident $({ $($field:tt)* })? $(($($item:tt)*))? => $json:tt,)+ })+) => {
        /// The enums that have rows here.
        pub(crate) const WITH_ROWS: &[&str] = &[$(stringify!($kind)),+];

        #[test]
        fn stored_values_keep_their_names() {
            $(
                let row = |value: &$kind| match value { $($kind::$variant { .. } => json!($json)),+ };
                for value in [$($kind::$variant $({ $($field)* })? $(($($item)*))?),+] {
                    $crate::rows::check(&value, row(&value));
                    $(assert_eq!(value.$text(), row(&value), "its name as a text differs");)?
                }
            )+
        }
    };
}

pub(crate) fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T, row: Value) {
    assert_eq!(serde_json::to_value(value).unwrap(), row, "{value:?} is written otherwise than before");
    let read: T = serde_json::from_value(row).unwrap_or_else(|error| panic!("{value:?}: {error}"));
    assert_eq!(read, *value);
}

//! Platforms, as `linux/arm64` is one.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, Serializer};

/// The longest part of a platform, in bytes. The longest name that Go has for one is `mips64p32le`.
const MAX_PART: usize = 32;

/// `os/arch[/variant]`, by the names that image-spec v1.1.1 takes from Go. Any names are taken, not only those that are
/// known today.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Platform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// A text that is no [`Platform`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no platform: it is `os/arch` or `os/arch/variant` in lower case, as linux/amd64 or linux/arm/v7")]
pub struct PlatformError;

impl Platform {
    /// The platform that an image or an entry of an index says it is for; `None` where it says none that has a name.
    pub fn new(os: &str, architecture: &str, variant: Option<&str>) -> Option<Self> {
        let variant = variant.filter(|variant| !variant.is_empty());
        let is_named = is_part(os) && is_part(architecture) && variant.is_none_or(is_part);
        let [os, architecture] = [os, architecture].map(str::to_owned);
        is_named.then(|| Self { os, architecture, variant: variant.map(str::to_owned) })
    }

    /// Whether an image for `image` is one of those that are wanted by this: of the same variant, or any where none is
    /// wanted in particular.
    pub fn covers(&self, image: &Self) -> bool {
        let is_same = (&self.os, &self.architecture) == (&image.os, &image.architecture);
        is_same && (self.variant.is_none() || self.settled() == image.settled())
    }

    /// The variant, where saying none and saying the usual one are the same, as containerd has it.
    fn settled(&self) -> Option<&str> {
        match (self.architecture.as_str(), self.variant.as_deref()) {
            ("arm64", None) => Some("v8"),
            ("arm", None) => Some("v7"),
            ("amd64", None) => Some("v1"),
            (_, variant) => variant,
        }
    }
}

fn is_part(text: &str) -> bool {
    (1..=MAX_PART).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte))
}

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let parts: Vec<_> = text.split('/').collect();
        let platform = match parts[..] {
            [os, architecture] => Self::new(os, architecture, None),
            [os, architecture, variant] if !variant.is_empty() => Self::new(os, architecture, Some(variant)),
            _ => None,
        };
        platform.ok_or(PlatformError)
    }
}

impl TryFrom<String> for Platform {
    type Error = PlatformError;

    fn try_from(text: String) -> Result<Self, PlatformError> {
        text.parse()
    }
}

impl Serialize for Platform {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_deref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_names_are_platforms() {
        for text in ["linux/amd64", "linux/arm/v7", "windows/amd64", "linux/riscv64", "wasip1/wasm", "plan9/386"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        let long = format!("linux/{}", "a".repeat(MAX_PART + 1));
        for text in ["", "linux", "linux/", "/amd64", "linux/arm/", "linux/arm/v7/x", "Linux/amd64", "linux/a b", &long]
        {
            assert_eq!(text.parse::<Platform>(), Err(PlatformError), "{text}");
        }
        assert_eq!(Platform::new("linux", "arm64", Some("")), "linux/arm64".parse().ok());
        assert_eq!(Platform::new("", "arm64", None), None);
    }

    #[test]
    fn a_variant_is_asked_for_or_not() {
        for (wanted, image, covers) in [
            ("linux/amd64", "linux/amd64", true),
            ("linux/amd64", "linux/arm64", false),
            ("linux/amd64", "windows/amd64", false),
            ("linux/arm", "linux/arm/v6", true),
            ("linux/arm/v7", "linux/arm/v6", false),
            ("linux/arm/v7", "linux/arm", true),
            ("linux/arm/v6", "linux/arm", false),
            ("linux/arm64/v8", "linux/arm64", true),
            ("linux/arm64", "linux/arm64/v8", true),
            ("linux/arm64/v9", "linux/arm64", false),
            ("linux/amd64/v1", "linux/amd64", true),
            ("linux/amd64/v3", "linux/amd64", false),
            ("linux/riscv64/x", "linux/riscv64", false),
        ] {
            let [wanted, image] = [wanted, image].map(|text| text.parse::<Platform>().unwrap());
            assert_eq!(wanted.covers(&image), covers, "{wanted} {image}");
        }
    }
}

//! Platforms, which are architectures here.

/// Those that a mirror can be limited to.
const ARCHITECTURES: [&str; 4] = ["amd64", "arm64", "ppc64le", "s390x"];

type Filter = (Option<Vec<String>>, Option<String>);

/// The filter for one platform, where the tool copies its image alone, and how that is something else.
pub(crate) fn one(platform: &str) -> Result<Filter, String> {
    let architecture = architecture(platform)?;
    let how = format!(
        "an index is kept as it is, with what it has for {architecture} alone: there, a tag becomes the image for {platform}, \
         with another digest"
    );
    Ok((Some(vec![architecture]), Some(how)))
}

/// The filter for several platforms, where the tool copies what an index has for them.
pub(crate) fn several(platforms: &[String]) -> Result<Filter, String> {
    let mut architectures = platforms.iter().map(|it| architecture(it)).collect::<Result<Vec<_>, _>>()?;
    architectures.sort_unstable();
    architectures.dedup();
    let how = "by architecture alone: of an index what it has for other systems or variants of these comes, too, and an image \
               for another architecture that is in no index does not";
    Ok((Some(architectures), Some(how.to_owned())))
}

fn architecture(platform: &str) -> Result<String, String> {
    let parts: Vec<_> = platform.split('/').collect();
    let found = match parts.as_slice() {
        ["linux", "arm64", "v8"] => Some("arm64"),
        ["linux", architecture] | [architecture] => Some(*architecture),
        _ => None,
    };
    let found = found.filter(|architecture| ARCHITECTURES.contains(architecture));
    found.map(str::to_owned).ok_or_else(|| {
        format!("a mirror cannot be limited to {platform:.60}, but to linux for {}", ARCHITECTURES.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_filtered_is() {
        assert_eq!(one("linux/amd64").unwrap().0, Some(vec!["amd64".to_owned()]));
        let several = several(&["linux/arm64/v8".to_owned(), "linux/amd64".to_owned(), "linux/amd64".to_owned()]);
        assert_eq!(several.unwrap().0, Some(vec!["amd64".to_owned(), "arm64".to_owned()]));
        for platform in ["linux/arm/v7", "windows/amd64", "linux/386", "", "local"] {
            assert!(one(platform).is_err(), "{platform}");
        }
    }
}

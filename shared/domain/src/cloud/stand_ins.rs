//! What stands in for clouds where there are none: in tests. Whoever sets it has tokens sent there.

use url::Url;

/// Registries and token servers in the place of clouds'; none in a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CloudStandIns {
    registries: Vec<String>,
    /// In the place of Google's token servers.
    pub google: Option<Url>,
    /// In the place of Microsoft's.
    pub microsoft: Option<Url>,
}

/// An entry that names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither registry=HOST[:PORT], nor google=URL, nor microsoft=URL")]
pub struct CloudStandInError(String);

impl CloudStandIns {
    /// Reads `registry=HOST[:PORT] google=URL microsoft=URL`, separated by spaces; registries as often as needed.
    pub fn parse(text: &str) -> Result<Self, CloudStandInError> {
        let mut stand_ins = Self::default();
        for entry in text.split_whitespace() {
            let wrong = || CloudStandInError(entry.to_owned());
            let (what, place) = entry.split_once('=').ok_or_else(wrong)?;
            let url = || place.parse().map_err(|_| wrong());
            match what {
                "registry" => stand_ins.registries.push(place.to_ascii_lowercase()),
                "google" => stand_ins.google = Some(url()?),
                "microsoft" => stand_ins.microsoft = Some(url()?),
                _ => return Err(wrong()),
            }
        }
        Ok(stand_ins)
    }

    /// Whether a registry stands in for a cloud's.
    pub fn has_registry(&self, authority: &str) -> bool {
        self.registries.iter().any(|registry| registry.eq_ignore_ascii_case(authority))
    }
}

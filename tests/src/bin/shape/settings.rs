//! What the proxy is told when it starts.

/// The arguments.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Settings {
    pub(crate) listen: String,
    pub(crate) target: String,
    pub(crate) delay_ms: u64,
    /// Bytes a second of one connection; 0 for any.
    pub(crate) rate: u64,
    /// In front of AWS: where what is for S3 goes.
    pub(crate) s3: Option<String>,
    /// And where what is for DynamoDB goes, if not to the target.
    pub(crate) dynamodb: Option<String>,
    pub(crate) tls: bool,
}

impl Settings {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut settings =
            Self { listen: arguments.next().unwrap(), target: arguments.next().unwrap(), ..Self::default() };
        for argument in arguments {
            match argument.split_once('=').unwrap() {
                ("delay", value) => settings.delay_ms = value.parse().unwrap(),
                ("rate", value) => settings.rate = value.parse().unwrap(),
                ("s3", value) => settings.s3 = Some(value.to_owned()),
                ("dynamodb", value) => settings.dynamodb = Some(value.to_owned()),
                ("tls", value) => settings.tls = value == "yes",
                (name, _) => panic!("there is no {name}"),
            }
        }
        settings
    }
}

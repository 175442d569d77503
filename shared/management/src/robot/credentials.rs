//! A robot's credentials in the forms that tools take: what Quay's console offers.

use std::io::Write as _;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compression, GzBuilder};
use moorage_domain::{ExposeSecret as _, RobotName, SecretString};
use serde_json::{Value, json};

use crate::{
    api::Api,
    http::{
        answer::{Answer, File},
        call::Call,
        endpoint::Parameters,
        error::ApiError,
    },
    robot::find::{find_robot, robot_token},
};

/// A block of a tar archive, in bytes.
const BLOCK: usize = 512;

/// `GET …/robots/{robot_shortname}/credentials`.
pub(crate) async fn get(api: &Api, path: &Parameters, call: &Call) -> Result<Answer, ApiError> {
    let form = call.query("form").unwrap_or_default();
    let form = Form::ALL.into_iter().find(|known| known.as_str() == form).ok_or_else(|| {
        let forms = Form::ALL.map(Form::as_str).join(", ");
        ApiError::InvalidRequest(format!("form must be one of {forms}"))
    })?;
    let robot = find_robot(api, path).await?;
    let token = robot_token(api, &robot).await?;
    let host = call.host.split_once("://").map_or(call.host.as_str(), |(_, host)| host);
    Ok(Answer::File(form.file(&robot.name, &token, host)?))
}

/// The forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    DockerLogin,
    PodmanLogin,
    DockerConfig,
    Kubernetes,
    Mesos,
}

impl Form {
    const ALL: [Self; 5] = [Self::DockerLogin, Self::PodmanLogin, Self::DockerConfig, Self::Kubernetes, Self::Mesos];

    const fn as_str(self) -> &'static str {
        match self {
            Self::DockerLogin => "docker-login",
            Self::PodmanLogin => "podman-login",
            Self::DockerConfig => "docker-config",
            Self::Kubernetes => "kubernetes",
            Self::Mesos => "mesos",
        }
    }

    fn file(self, robot: &RobotName, token: &SecretString, host: &str) -> Result<File, ApiError> {
        let config = || docker_config(robot, token, host).to_string();
        let login = |program: &str| format!("{program} login -u='{robot}' -p='{}' {host}\n", token.expose_secret());
        // What tools want in names of files and of objects.
        let title: String = robot.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        let (content_type, suffix, content) = match self {
            Self::DockerLogin => ("text/plain; charset=utf-8", None, login("docker").into_bytes()),
            Self::PodmanLogin => ("text/plain; charset=utf-8", None, login("podman").into_bytes()),
            Self::DockerConfig => ("application/json", Some("auth.json"), config().into_bytes()),
            Self::Kubernetes => ("application/yaml", Some("secret.yml"), secret(&title, &config()).into_bytes()),
            Self::Mesos => ("application/gzip", Some("auth.tar.gz"), archive(config().as_bytes())?),
        };
        Ok(File { content_type, name: suffix.map(|suffix| format!("{title}-{suffix}")), content })
    }
}

fn docker_config(robot: &RobotName, token: &SecretString, host: &str) -> Value {
    let auth = BASE64.encode(format!("{robot}:{}", token.expose_secret()));
    json!({"auths": {host: {"auth": auth, "email": ""}}})
}

/// A Kubernetes secret for pulling.
fn secret(title: &str, config: &str) -> String {
    let config = BASE64.encode(config);
    format!(
        "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {title}-pull-secret\ndata:\n  .dockerconfigjson: {config}\n\
         type: kubernetes.io/dockerconfigjson\n"
    )
}

/// A gzipped tar archive with `.docker/config.json`: what Mesos unpacks into a container's sandbox.
fn archive(config: &[u8]) -> Result<Vec<u8>, ApiError> {
    let failed = |error: std::io::Error| ApiError::Unavailable(format!("the archive cannot be written: {error}"));
    let mut gzip = GzBuilder::new().write(Vec::new(), Compression::default());
    for (name, kind, mode, content) in
        [(".docker/", b'5', 0o755, &b""[..]), (".docker/config.json", b'0', 0o600, config)]
    {
        gzip.write_all(&tar_header(name, kind, mode, content.len())).map_err(failed)?;
        gzip.write_all(content).map_err(failed)?;
        let padding = content.len().next_multiple_of(BLOCK) - content.len();
        gzip.write_all(&[0; BLOCK][..padding]).map_err(failed)?;
    }
    // Two empty blocks end an archive.
    gzip.write_all(&[0; 2 * BLOCK]).map_err(failed)?;
    gzip.finish().map_err(failed)
}

/// A header of the POSIX ustar format: numbers in octal, and a checksum that counts itself as blanks.
fn tar_header(name: &str, kind: u8, mode: u32, length: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, &format!("{mode:07o}"));
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{length:011o}"));
    put(136, "00000000000");
    put(148, "        ");
    put(257, "ustar");
    put(263, "00");
    header[156] = kind;
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use std::{
        io::Read as _,
        process::{Command, Stdio},
    };

    use super::*;

    const CONFIG: &str = r#"{"auths":{"reg.example:8080":{"auth":"YS1iK2JvdDpUT0tFTg==","email":""}}}"#;

    fn file(form: Form) -> File {
        form.file(&"a-b+bot".parse().unwrap(), &"TOKEN".into(), "reg.example:8080").unwrap()
    }

    fn text(form: Form) -> String {
        String::from_utf8(file(form).content).unwrap()
    }

    #[test]
    fn texts() {
        assert_eq!(text(Form::DockerLogin), "docker login -u='a-b+bot' -p='TOKEN' reg.example:8080\n");
        assert_eq!(text(Form::PodmanLogin), "podman login -u='a-b+bot' -p='TOKEN' reg.example:8080\n");
        assert_eq!(text(Form::DockerConfig), CONFIG);
        assert_eq!(file(Form::DockerConfig).name.unwrap(), "a-b-bot-auth.json");
        let secret = text(Form::Kubernetes);
        assert!(secret.contains("\n  name: a-b-bot-pull-secret\n"), "{secret}");
        assert!(secret.contains(&format!("\n  .dockerconfigjson: {}\n", BASE64.encode(CONFIG))), "{secret}");
        assert_eq!(file(Form::Kubernetes).name.unwrap(), "a-b-bot-secret.yml");
    }

    /// The tar of this machine reads what we write.
    #[test]
    fn archives() {
        let archive = file(Form::Mesos).content;
        let run = |arguments: &[&str]| {
            let mut tar =
                Command::new("tar").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            tar.stdin.take().unwrap().write_all(&archive).unwrap();
            let mut said = String::new();
            tar.stdout.take().unwrap().read_to_string(&mut said).unwrap();
            assert!(tar.wait().unwrap().success());
            said
        };
        assert_eq!(run(&["-tzf", "-"]), ".docker/\n.docker/config.json\n");
        assert_eq!(run(&["-xzOf", "-", ".docker/config.json"]), CONFIG);
        assert!(run(&["-tvzf", "-"]).contains("-rw-------"));
    }
}

//! Against a Secrets Manager that says what a test wants.

use std::{
    io,
    sync::{
        Arc, LazyLock, Mutex as StdMutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use aws_sdk_secretsmanager::{
    config::{BehaviorVersion, Credentials, Region, http::HttpResponse, retry::RetryConfig},
    operation::get_secret_value::GetSecretValueOutput,
};
use aws_smithy_mocks::{MockResponse, Rule, RuleMode, mock, mock_client};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
    orchestrator::HttpRequest,
};
use moorage_domain::ExposeSecret as _;

use super::*;

/// What Secrets Manager says.
#[derive(Clone, Copy)]
enum Says {
    Secret(&'static str),
    Code(u16, &'static str),
}

const DOWN: Says = Says::Code(500, "InternalServiceError");
const DENIED: Says = Says::Code(400, "AccessDeniedException");
const THROTTLED: Says = Says::Code(400, "ThrottlingException");
const DELETED: Says = Says::Code(400, "InvalidRequestException");

/// The log of all tests: there is one of a process.
static LOG: LazyLock<Log> = LazyLock::new(|| {
    let log = Log::default();
    let lines = log.clone();
    let subscriber = tracing_subscriber::fmt().json().with_writer(move || lines.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    log
});

/// Lines of log.
#[derive(Clone, Default)]
struct Log(Arc<StdMutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A secret of which Secrets Manager says what is set, and how often it was asked.
struct World {
    id: String,
    secret: StackSecret,
    says: Arc<StdMutex<Says>>,
    rule: Rule,
}

impl World {
    fn new(says: Says) -> Self {
        static WORLDS: AtomicUsize = AtomicUsize::new(0);
        LazyLock::force(&LOG);
        let id = format!("arn:{}:", WORLDS.fetch_add(1, Ordering::Relaxed));
        let wanted = id.clone();
        let says = Arc::new(StdMutex::new(says));
        let said = Arc::clone(&says);
        let rule = mock!(Client::get_secret_value)
            .match_requests(move |request| request.secret_id() == Some(&wanted))
            .then_compute_response(move |_| match *said.lock().unwrap() {
                Says::Secret(secret) => {
                    MockResponse::Output(GetSecretValueOutput::builder().secret_string(secret).build())
                }
                Says::Code(status, code) => {
                    let body = format!(r#"{{"__type":"{code}","message":"why"}}"#);
                    MockResponse::Http(HttpResponse::new(status.try_into().unwrap(), body.into()))
                }
            });
        let client = mock_client!(aws_sdk_secretsmanager, RuleMode::MatchAny, [&rule], |config| {
            config.retry_config(RetryConfig::disabled())
        });
        Self { secret: StackSecret::new(client, id.clone()), id, says, rule }
    }

    fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    async fn get(&self, second: i64) -> Result<String, ServiceErrorKind> {
        let secret = self.secret.get(Timestamp::from_unix(second)).await;
        secret.map(|secret| secret.expose_secret().to_owned()).map_err(|error| error.kind())
    }

    /// What is got at each of these seconds, and how often Secrets Manager was asked for it.
    async fn gets(&self, seconds: &[i64]) -> (Vec<String>, usize) {
        let (before, mut secrets) = (self.rule.num_calls(), Vec::new());
        for second in seconds {
            secrets.push(self.get(*second).await.unwrap());
        }
        (secrets, self.rule.num_calls() - before)
    }
}

fn secrets(secret: &str, times: usize, asked: usize) -> (Vec<String>, usize) {
    (vec![secret.to_owned(); times], asked)
}

#[tokio::test]
async fn a_fresh_secret_is_not_read_again_and_a_replaced_one_is_seen_when_it_is_not() {
    let world = World::new(Says::Secret("old"));
    assert_eq!(world.gets(&[1_000, 1_000, 1_000 + FRESH - 1]).await, secrets("old", 3, 1));
    world.says(Says::Secret("new"));
    assert_eq!(world.gets(&[1_000 + FRESH - 1]).await, secrets("old", 1, 0));
    assert_eq!(world.gets(&[1_000 + FRESH, 1_000 + 2 * FRESH - 1]).await, secrets("new", 2, 1));
    assert_eq!(world.gets(&[1_000 + 2 * FRESH]).await, secrets("new", 1, 1), "an expired one is read again");
}

#[tokio::test]
async fn a_secret_outlives_failures_for_its_time_and_no_longer() {
    for failure in [DOWN, DENIED, THROTTLED] {
        let world = World::new(Says::Secret("old"));
        assert_eq!(world.gets(&[0]).await, secrets("old", 1, 1));
        world.says(failure);
        assert_eq!(world.gets(&[FRESH, FRESH, FRESH + PAUSE - 1]).await, secrets("old", 3, 1), "one try for a while");
        assert_eq!(world.gets(&[FRESH + PAUSE, KEPT - 1]).await, secrets("old", 2, 2));
        // The pause ends with the secret's time.
        for _ in 0..2 {
            assert!(world.get(KEPT).await.is_err());
        }
        assert_eq!(world.rule.num_calls(), 6, "without a secret each request asks");
        world.says(Says::Secret("new"));
        assert_eq!(world.gets(&[KEPT, KEPT + 1]).await, secrets("new", 2, 1));
    }
}

/// A Secrets Manager that gives one answer, and then none at all.
#[derive(Debug, Clone, Default)]
struct Silent(Arc<AtomicUsize>);

impl HttpConnector for Silent {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        if self.0.fetch_add(1, Ordering::Relaxed) > 0 {
            return HttpConnectorFuture::new(std::future::pending());
        }
        HttpConnectorFuture::ready(Ok(HttpResponse::new(200.try_into().unwrap(), r#"{"SecretString":"old"}"#.into())))
    }
}

#[tokio::test]
async fn with_a_secret_to_use_nobody_waits_long() {
    let connector = SharedHttpConnector::new(Silent::default());
    let config = Config::builder()
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::for_tests())
        .behavior_version(BehaviorVersion::latest());
    let secret = StackSecret::new(Client::from_conf(config.build()), "arn".into());
    secret.get(Timestamp::from_unix(0)).await.unwrap();
    let begun = Instant::now();
    let kept = tokio::time::timeout(PATIENCE * 3, secret.get(Timestamp::from_unix(FRESH))).await.unwrap().unwrap();
    assert_eq!(kept.expose_secret(), "old");
    assert!(begun.elapsed() >= PATIENCE, "it was asked");
}

#[tokio::test]
async fn a_clock_that_goes_backwards_keeps_nothing() {
    let world = World::new(Says::Secret("old"));
    assert_eq!(world.gets(&[1_000_000]).await, secrets("old", 1, 1));
    world.says(Says::Secret("new"));
    assert_eq!(world.gets(&[10, 10 + FRESH - 1]).await, secrets("new", 2, 1), "read again, by the clock as it is");
    world.says(DOWN);
    assert_eq!(world.get(9).await, Err(ServiceErrorKind::Unavailable), "nobody knows how old it is");
    assert_eq!(world.gets(&[10]).await, secrets("new", 1, 0), "a small step heals");
    assert_eq!(world.gets(&[10 + FRESH]).await, secrets("new", 1, 1));
    // A failure that lies in the future keeps nobody from asking.
    assert_eq!(world.gets(&[10 + FRESH - 1, 10 + FRESH - 1]).await, secrets("new", 2, 0));
    assert_eq!(world.get(-1_000_000).await, Err(ServiceErrorKind::Unavailable));
}

#[tokio::test]
async fn a_secret_that_was_deleted_or_emptied_is_used_no_longer() {
    for gone in [Says::Code(400, "ResourceNotFoundException"), DELETED, Says::Secret("")] {
        let world = World::new(Says::Secret("old"));
        assert_eq!(world.gets(&[0]).await, secrets("old", 1, 1));
        world.says(gone);
        assert_eq!(world.get(FRESH).await, Err(ServiceErrorKind::Missing));
        world.says(DOWN);
        assert_eq!(world.get(FRESH).await, Err(ServiceErrorKind::Unavailable), "it does not come back");
    }
}

#[tokio::test]
async fn an_error_says_whose_it_is_and_its_code() {
    for (says, kind, code) in [
        (DENIED, ServiceErrorKind::AccessDenied, Some("AccessDeniedException")),
        (Says::Code(400, "DecryptionFailure"), ServiceErrorKind::AccessDenied, Some("DecryptionFailure")),
        (THROTTLED, ServiceErrorKind::Throttled, Some("ThrottlingException")),
        (DOWN, ServiceErrorKind::Unavailable, Some("InternalServiceError")),
        (Says::Code(400, "ResourceNotFoundException"), ServiceErrorKind::Missing, Some("ResourceNotFoundException")),
        (DELETED, ServiceErrorKind::Missing, Some("InvalidRequestException")),
        (Says::Secret(""), ServiceErrorKind::Missing, None),
    ] {
        let error = World::new(says).secret.get(Timestamp::from_unix(0)).await.unwrap_err();
        assert_eq!((error.kind(), error.code()), (kind, code));
        let text = error.to_string();
        assert!(code.is_none_or(|code| text.contains(code)), "{text}");
    }
}

#[tokio::test]
async fn each_failed_try_is_one_line_of_log_with_its_code() {
    let world = World::new(Says::Secret("s3cr3t"));
    world.gets(&[0]).await;
    world.says(DENIED);
    world.gets(&[FRESH, FRESH + 1, FRESH + PAUSE]).await;
    let log = String::from_utf8(LOG.0.lock().unwrap().clone()).unwrap();
    let ours: Vec<_> = log.lines().filter(|line| line.contains("last read") && line.contains(&world.id)).collect();
    assert_eq!(ours.len(), 2, "{log}");
    assert!(ours.iter().all(|line| line.contains(r#""code":"AccessDeniedException""#)), "{log}");
    assert!(!log.contains("s3cr3t"), "{log}");
}

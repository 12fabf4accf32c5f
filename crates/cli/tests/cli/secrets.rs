//! The library says no secret, in no error and at no level of `tracing`, its own or that of what it is built on.
//! Requests are made on a thread of their own, so that this takes a process of its own: this test, run again.

use std::fmt::{Debug, Write as _};
use std::net::TcpListener;

use pitstop::{Error, Repository};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::environment::Environment;
use super::s3::{Answer, S3, SECRET, without_secrets};

/// Set in that process: whether a secret is to be said, to see that this would be found.
const IN_THERE: &str = "PITSTOP_TEST_LEAK";

#[test]
fn no_error_and_no_level_of_tracing_says_a_secret() {
    if let Ok(leak) = std::env::var(IN_THERE) {
        return say_all(&leak);
    }
    let (it, s3) = (Environment::new(), S3::start());
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = |endpoint: &str, leak: &str| {
        let mut command = s3.program(&it, std::env::current_exe().unwrap());
        let test = "cli::secrets::no_error_and_no_level_of_tracing_says_a_secret";
        command
            .args(["--exact", test, "--nocapture"])
            .env(IN_THERE, leak)
            .envs([("AWS_ENDPOINT", endpoint), ("AZURE_ENDPOINT", endpoint)])
            .envs([("AWS_TIMEOUT", "100ms"), ("AWS_CONNECT_TIMEOUT", "100ms")])
            .envs([("AZURE_TIMEOUT", "100ms"), ("AZURE_CONNECT_TIMEOUT", "100ms")])
            .env("AZURE_STORAGE_ACCOUNT_NAME", "account")
            .env("AZURE_STORAGE_SAS_KEY", format!("sp=rw&sig={SECRET}"))
            .env("AZURE_ALLOW_HTTP", "true")
            .env("GOOGLE_SERVICE_ACCOUNT_KEY", format!("{{\"private_key\": \"{SECRET}\"}}"));
        it.ended(command.output().unwrap()).code(0)
    };
    for leak in ["trace", "error"] {
        assert!(run(&s3.endpoint(), leak).out.contains(SECRET), "{leak}");
    }
    for endpoint in [s3.endpoint(), format!("http://{nobody}")] {
        let ended = without_secrets(run(&endpoint, "none"));
        assert!(ended.out.contains("TRACE hyper_util"), "nothing was traced: {ended}");
    }
    let refused = without_secrets(run(&format!("http://KEY-0123456789:{SECRET}@{nobody}"), "none"));
    for told in ["its endpoint in the environment has credentials", "EndpointCredentials"] {
        assert_eq!(refused.out.matches(told).count(), 2, "{refused}");
    }
    s3.answer(|_| Some(Answer::error(403, "SignatureDoesNotMatch", "Signature=x")));
    let refused = without_secrets(run(&s3.endpoint(), "none"));
    assert!(refused.out.contains("the credentials are wrong"), "{refused}");
    s3.answer(|_| Some(Answer::error(503, "SlowDown", "Signature=x")));
    without_secrets(run(&s3.endpoint(), "none"));
    s3.answer(|_| Some(Answer::Never));
    let silent = without_secrets(run(&s3.endpoint(), "none"));
    assert!(silent.out.contains("the store did not answer in time"), "{silent}");
    // Half an answer.
    let long = || ("Content-Length", "99".to_owned());
    s3.answer(move |_| Some(Answer::Is(200, vec![long()], Vec::new())));
    without_secrets(run(&s3.endpoint(), "none"));
}

/// All that the library says of what goes wrong.
fn say_all(leak: &str) {
    tracing::subscriber::set_global_default(Everything).unwrap();
    if leak == "trace" {
        tracing::trace!(secret = SECRET);
    }
    for url in ["s3://bucket/jobs", "az://bucket/jobs", "gs://bucket/jobs"] {
        let repository = match Repository::open(url) {
            Ok(repository) => repository,
            Err(error) => {
                say(&error);
                continue;
            }
        };
        println!("{repository:?}");
        let session = repository.session("job".parse().unwrap());
        for outcome in [
            repository.list().map(drop),
            repository.get_or_create("job").map(drop),
            session.save(&[7; 100_000]).map(drop),
            session.load().map(drop),
            session.remove().map(drop),
        ] {
            outcome.unwrap_or_else(|error| say(&error));
        }
    }
    if leak == "error" {
        let source = std::io::Error::other(SECRET);
        say(&Error::Input { source });
    }
}

fn say(error: &dyn std::error::Error) {
    println!("{error} {error:?}");
    if let Some(source) = error.source() {
        say(source);
    }
}

struct Everything;

impl Subscriber for Everything {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text(format!("{} {}", event.metadata().level(), event.metadata().target()));
        event.record(&mut text);
        println!("{}", text.0);
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut text = Text(span.metadata().name().to_owned());
        span.record(&mut text);
        println!("{}", text.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        let mut text = Text(String::new());
        values.record(&mut text);
        println!("{}", text.0);
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

//! What is said, and what to do, when an object store refuses, or cannot be reached; and that no secret is said.

use std::net::TcpListener;

use super::environment::{Ended, Environment};
use super::object::save;
use super::s3::{Answer, S3, without_secrets};

/// A store whose session is `job`.
fn with_a_session(it: &Environment) -> S3 {
    let s3 = S3::start();
    save(&s3, it, b"state", ["-qc", "job"]).code(0);
    s3.take_requests();
    s3
}

#[track_caller]
pub(super) fn says(ended: &Ended, cause: &str, hint: &str) {
    let lines: Vec<_> = ended.err.lines().collect();
    assert_eq!(lines.len(), 3, "{ended}");
    assert!(lines[0].starts_with("error: cannot "), "{ended}");
    assert_eq!(lines[1..], [format!("cause: {cause}"), format!("hint: {hint}")], "{ended}");
}

#[test]
fn a_store_that_refuses_is_told_as_such() {
    let it = Environment::new();
    let region = "<Region>eu-west-1</Region>";
    for (status, code, more, cause, hint) in [
        (
            403,
            "SignatureDoesNotMatch",
            "<StringToSign>SECRET</StringToSign>",
            "the credentials are wrong (status 403, SignatureDoesNotMatch)",
            "check that AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together, and to the store that \
             AWS_ENDPOINT names",
        ),
        (
            400,
            "ExpiredToken",
            "",
            "the credentials have expired (status 400, ExpiredToken)",
            "get new credentials, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN",
        ),
        (
            400,
            "AuthorizationHeaderMalformed",
            region,
            "the bucket is in another region: eu-west-1 (status 400, AuthorizationHeaderMalformed)",
            "set AWS_REGION to the region of the bucket",
        ),
        (
            301,
            "PermanentRedirect",
            region,
            "the bucket is in another region",
            "set AWS_REGION to the region of the bucket",
        ),
        (
            404,
            "NoSuchBucket",
            "",
            "there is no such bucket (status 404, NoSuchBucket)",
            "create the bucket with the tools of its store, or name another with --repository",
        ),
        (
            403,
            "RequestTimeTooSkewed",
            "",
            "the clock of this machine is wrong (status 403, RequestTimeTooSkewed)",
            "set the clock: a store accepts a difference of a few minutes",
        ),
    ] {
        let s3 = with_a_session(&it);
        s3.answer(move |_| Some(Answer::error(status, code, more)));
        says(&s3.run(&it, ["load", "job"]).code(1), cause, hint);
        // What will not go better is not tried again.
        assert_eq!(s3.take_requests().len(), 1, "{code}");
        says(&s3.run(&it, ["list"]).code(1), cause, hint);
        let saving = format!("the checkpoint before is unchanged; {hint}");
        says(&save(&s3, &it, b"more", ["job"]).code(1), cause, &saving);
        let json = s3.run(&it, ["status", "--json", "job"]).code(1);
        assert!(json.out.is_empty(), "{json}");
        s3.behave();
        s3.run(&it, ["load", "job"]).code(0).prints("state");
    }
}

#[test]
fn who_may_only_read_can_load() {
    let it = Environment::new();
    let s3 = with_a_session(&it);
    s3.answer(|request| (request.method == "PUT").then(|| Answer::error(403, "AccessDenied", "")));
    s3.run(&it, ["load", "job"]).code(0).prints("state");
    s3.run(&it, ["list", "--ids"]).code(0).prints("job\n");
    s3.run(&it, ["history", "job"]).code(0);
    says(
        &save(&s3, &it, b"more", ["job"]).code(1),
        "these credentials do not allow it (status 403, AccessDenied)",
        "the checkpoint before is unchanged; grant the rights to get and list objects; saving also needs to put \
         and delete them",
    );
    s3.run(&it, ["load", "job"]).code(0).prints("state");
}

/// The way there is wrong in this way.
pub(super) fn on_the_way(it: &Environment, variables: &[(&str, &str)]) -> Ended {
    load_with(it, variables).code(1)
}

/// Loads from a store, with these in the environment as well, or not at all if they are empty.
pub(super) fn load_with(it: &Environment, variables: &[(&str, &str)]) -> Ended {
    let s3 = S3::start();
    let mut command = s3.command(it);
    command.envs([("AWS_TIMEOUT", "300ms"), ("AWS_CONNECT_TIMEOUT", "300ms")]);
    command.envs(variables.iter().copied()).args(["load", "job"]);
    for (name, _) in variables.iter().filter(|(_, value)| value.is_empty()) {
        command.env_remove(name);
    }
    without_secrets(it.ended(command.output().unwrap()))
}

#[test]
fn a_way_that_leads_nowhere_is_told_as_such() {
    let it = Environment::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    let hint = "check AWS_ENDPOINT and the network, and try again";
    let refused = on_the_way(&it, &[("AWS_ENDPOINT", &nobody)]);
    says(&refused, "the store cannot be reached: connection refused", hint);
    let unknown = on_the_way(&it, &[("AWS_ENDPOINT", "http://no-such-host.invalid")]);
    says(&unknown, "the name of the store's host is not known", hint);
    let nobody = nobody.replace("http", "https");
    let refused = on_the_way(&it, &[("AWS_ENDPOINT", &nobody)]);
    says(&refused, "the store cannot be reached: connection refused", hint);

    let s3 = S3::start();
    let secure = s3.endpoint().replace("http", "https");
    let not_secure = on_the_way(&it, &[("AWS_ENDPOINT", &secure)]);
    says(
        &not_secure,
        "there is no secure connection to the store: received corrupt message of type InvalidContentType",
        "check AWS_ENDPOINT; this machine must trust the certificate, and SSL_CERT_FILE names more of them",
    );
    says(
        &on_the_way(&it, &[("AWS_ALLOW_HTTP", "")]),
        "the endpoint is http://, and so without encryption, which is not allowed",
        "set AWS_ALLOW_HTTP=true if the network is trusted",
    );
    let nowhere = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_METADATA_ENDPOINT", nobody.as_str()),
    ];
    says(
        &on_the_way(&it, &nowhere),
        "there are no credentials: none are in the environment, and this machine has none of its own",
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; the files in ~/.aws are not read",
    );
    let password = nobody.replace("//", "//KEY-0123456789:SECRET-0123456789@");
    let ended = on_the_way(&it, &[("AWS_ENDPOINT", &password)]);
    assert!(ended.err.contains("its endpoint in the environment has credentials in it"), "{ended}");
    let half = on_the_way(&it, &[("AWS_ACCESS_KEY_ID", "")]);
    assert!(half.err.contains("what the environment says of this store is incomplete"), "{half}");
}

#[test]
fn a_url_with_credentials_is_refused_without_them() {
    let (it, s3) = (Environment::new(), S3::start());
    for url in [
        "s3://KEY-0123456789:SECRET-0123456789@bucket/jobs",
        "s3://bucket/jobs?X-Amz-Signature=SECRET-0123456789",
        "az://container/jobs?sig=SECRET-0123456789#SECRET-0123456789",
        "https://KEY-0123456789:SECRET-0123456789@host/bucket",
    ] {
        for words in [&["list", "-r", url][..], &["copy", "job", "--to", url]] {
            let ended = it.ended(s3.command(&it).args(words).output().unwrap());
            let ended = without_secrets(ended).code(1);
            assert!(ended.err.contains("cannot be a repository"), "{ended}");
        }
    }
}

#[test]
fn an_overloaded_store_is_asked_again() {
    let it = Environment::new();
    let s3 = with_a_session(&it);
    let mut left = 3;
    s3.answer(move |_| {
        left -= 1;
        (left >= 0).then(|| Answer::error([503, 500, 429][left as usize], "SlowDown", ""))
    });
    s3.run(&it, ["load", "job"]).code(0).prints("state").says("");
    assert_eq!(s3.take_requests(), ["GET /jobs/h/9/job"; 4]);
}

/// Each request ends after `AWS_TIMEOUT`, and is not made again after that.
#[test]
fn a_store_that_says_nothing_is_given_up() {
    let it = Environment::new();
    let s3 = with_a_session(&it);
    let run = |words: &[&str]| {
        let mut command = s3.command(&it);
        command.env("AWS_TIMEOUT", "300ms").args(words);
        let ended = without_secrets(it.ended(command.output().unwrap())).code(1);
        (ended, s3.take_requests())
    };
    s3.answer(|_| Some(Answer::Never));
    let (ended, requests) = run(&["load", "job"]);
    let cause = "the store did not answer in time";
    says(&ended, cause, "try again, or set AWS_TIMEOUT to more than 30s");
    assert_eq!(requests.len(), 1, "{requests:?}");

    // Of a head that was sent nobody can tell; of all else, it is known that nothing was saved.
    let large = it.path().join("large");
    std::fs::write(&large, vec![7; 100_000]).unwrap();
    let large = large.to_str().unwrap();
    for (key, is_known) in [("/h/", false), ("/c/", true)] {
        s3.answer(move |request| {
            (request.method == "PUT" && request.key.contains(key)).then_some(Answer::Never)
        });
        let (ended, requests) = run(&["save", "job", large]);
        let error = ended.err.lines().next().unwrap();
        assert!(
            error.starts_with(&format!("error: cannot write s3://bucket/jobs{key}")),
            "{ended}"
        );
        assert_eq!(error.contains(": unknown whether"), !is_known, "{ended}");
        assert!(ended.err.contains(&format!("cause: {cause}")), "{ended}");
        assert_eq!(
            ended.err.contains("hint: try again: that settles the outcome"),
            !is_known,
            "{ended}"
        );
        assert!(requests.len() <= 8, "{requests:?}");
    }
    s3.behave();
    s3.run(&it, ["load", "job"]).code(0).prints("state");
}

#[test]
fn a_store_that_passes_over_conditions_is_refused() {
    for header in ["if-none-match", "if-match"] {
        let it = Environment::new();
        let s3 = with_a_session(&it);
        s3.lose_header(header);
        for words in [&["create", "new"][..], &["remove", "job"], &["last", "job"]] {
            let ended = it.ended(s3.command(&it).args(words).output().unwrap());
            ended.code(1).says(
                "error: a conditional request (If-Match, If-None-Match) is not supported by \
                 the object store s3://bucket/jobs
                 hint: use a store that supports If-None-Match and If-Match",
            );
        }
        s3.run(&it, ["load", "job"]).code(0).prints("state");
    }
}

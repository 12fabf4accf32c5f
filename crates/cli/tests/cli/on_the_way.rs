//! What answers in the place of a store: a stranger, another protocol, a login page, a proxy, or nobody.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::environment::Environment;
use super::s3::{Answer, S3};
use super::store_errors::{load_with, on_the_way, says};

const NO_STORE: &str = "check AWS_ENDPOINT, including https:// or http://, and that no proxy or login page \
                        answers instead";
const NOT_TRUSTED: &str = "check AWS_ENDPOINT; this machine must trust the certificate, and \
                           SSL_CERT_FILE names more of them";

/// An empty store behind TLS, with a certificate of its own making. Its port, and the certificate.
fn start_with_tls() -> (u16, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(signing_key.serialize_der()));
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("localhost:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming() {
            let connection = ServerConnection::new(config.clone()).unwrap();
            // Who does not trust it goes away.
            thread::spawn(move || {
                let mut client = StreamOwned::new(connection, client?);
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    client.read_exact(&mut byte)?;
                    request.extend(byte);
                }
                let body = "<Error><Code>NoSuchKey</Code></Error>";
                write!(client, "HTTP/1.1 404 Not Found\r\nConnection: close\r\n")?;
                write!(client, "Content-Length: {}\r\n\r\n{body}", body.len())?;
                client.flush()
            });
        }
    });
    (port, cert.pem())
}

#[test]
fn a_certificate_that_nobody_trusts_is_told_as_such_and_may_be_named() {
    let it = Environment::new();
    let (port, certificate) = start_with_tls();
    let endpoint = format!("https://localhost:{port}");
    says(
        &on_the_way(&it, &[("AWS_ENDPOINT", &endpoint)]),
        "there is no secure connection to the store: invalid peer certificate: UnknownIssuer",
        NOT_TRUSTED,
    );
    let file = it.path().join("certificate.pem");
    fs::write(&file, certificate).unwrap();
    let file = file.to_str().unwrap();
    let trusted = load_with(&it, &[("AWS_ENDPOINT", &endpoint), ("SSL_CERT_FILE", file)]);
    trusted.code(3);
    // By another name it is another's.
    let other = format!("https://127.0.0.1:{port}");
    let other = on_the_way(&it, &[("AWS_ENDPOINT", &other), ("SSL_CERT_FILE", file)]);
    assert!(other.err.contains("cause: there is no secure connection to the store: "), "{other}");
    // And who comes without encryption gets an answer that is none.
    let plain = format!("http://localhost:{port}");
    says(
        &on_the_way(&it, &[("AWS_ENDPOINT", &plain)]),
        "what answers there is no object store",
        NO_STORE,
    );
}

/// As a hotel answers: nothing is taken for a session or for none, and nothing counts as saved.
#[test]
fn a_page_that_answers_everything_is_not_taken_for_a_store() {
    let page = || b"<html><body>Please log in</body></html>".to_vec();
    let html = ("Content-Type", "text/html".to_owned());
    let dated = [
        ("ETag", "\"1\"".to_owned()),
        ("Last-Modified", "Mon, 23 Nov 2026 12:00:00 GMT".to_owned()),
        html.clone(),
    ];
    for (name, status, headers) in [
        ("a page", 200, vec![html.clone()]),
        ("a page with a date", 200, dated.to_vec()),
        ("somewhere else", 302, vec![("Location", "/login".to_owned()), html.clone()]),
        ("round and round", 302, vec![("Location", "/bucket".to_owned()), html]),
    ] {
        let (it, s3) = (Environment::new(), S3::start());
        s3.answer(move |request| match request.key.as_str() {
            "login" => Some(Answer::Is(200, Vec::new(), page())),
            _ => Some(Answer::Is(status, headers.clone(), page())),
        });
        let run = |words: &[&str]| {
            let mut command = s3.command(&it);
            command.envs([("AWS_TIMEOUT", "300ms"), ("AWS_CONNECT_TIMEOUT", "300ms")]);
            it.ended(command.args(words).output().unwrap())
        };
        for words in [&["load", "job"][..], &["list"], &["status", "job"], &["trash", "list"]] {
            let ended = run(words).code(1);
            assert!(ended.out.is_empty(), "{name}, {words:?}: {ended}");
            says(&ended, "what answers there is no object store", NO_STORE);
        }
        let saved = run(&["create", "job"]).code(1);
        match name {
            "a page with a date" => {
                assert!(saved.err.contains("a conditional request"), "{saved}");
            }
            _ => says(
                &saved,
                &format!(
                    "what answers there is no object store{}",
                    if status == 302 { " (status 302)" } else { "" }
                ),
                NO_STORE,
            ),
        }
    }
}

#[test]
fn a_proxy_that_is_not_there_is_named() {
    let it = Environment::new();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    let hint = |name: &str| {
        format!("check AWS_ENDPOINT, the network and the proxy that {name} names, and try again")
    };
    let refused = on_the_way(&it, &[("HTTP_PROXY", &nobody)]);
    says(&refused, "the store cannot be reached: connection refused", &hint("HTTP_PROXY"));
    let unknown = [
        ("https_proxy", "http://no-such-host.invalid:3128"),
        ("AWS_ENDPOINT", "https://store.invalid"),
    ];
    let unknown = on_the_way(&it, &unknown);
    says(&unknown, "the name of the store's host is not known", &hint("https_proxy"));
}

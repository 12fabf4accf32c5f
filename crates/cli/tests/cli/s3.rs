//! A store in memory that speaks S3 over HTTP, as far as the command asks, and otherwise answers as it is told to.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use super::environment::{Ended, Environment, PITSTOP};

pub(super) const KEY: &str = "KEY-0123456789";
pub(super) const SECRET: &str = "SECRET-0123456789";
const TOKEN: &str = "TOKEN-0123456789";

pub(super) struct S3 {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, (String, Vec<u8>)>,
    versions: u64,
    /// `GET /key`, without what stands behind a question mark.
    requests: Vec<String>,
    script: Option<Box<Script>>,
    /// A header that gets lost on the way.
    lost: Option<&'static str>,
}

/// What a request is answered with instead; `None` for what the store would say.
pub(super) type Script = dyn FnMut(&Request) -> Option<Answer> + Send;

pub(super) struct Request {
    pub(super) method: String,
    /// Without the bucket.
    pub(super) key: String,
    query: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

pub(super) enum Answer {
    /// The connection is held, and nothing comes.
    Never,
    Is(u16, Vec<(&'static str, String)>, Vec<u8>),
}

impl Answer {
    pub(super) fn empty(status: u16) -> Self {
        Self::Is(status, Vec::new(), Vec::new())
    }

    /// As S3 says it, which repeats much of the request.
    pub(super) fn error(status: u16, code: &str, more: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
             <Message>See {SECRET}</Message><AWSAccessKeyId>{KEY}</AWSAccessKeyId>\
             <Token-0>{TOKEN}</Token-0>{more}</Error>"
        );
        Self::Is(status, Vec::new(), body.into_bytes())
    }
}

impl S3 {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let shared = shared.clone();
                // A client that goes away is none of its business.
                thread::spawn(move || serve(client?, &shared));
            }
        });
        Self { port, state }
    }

    pub(super) fn answer(&self, script: impl FnMut(&Request) -> Option<Answer> + Send + 'static) {
        self.state.lock().unwrap().script = Some(Box::new(script));
    }

    /// As a proxy or a store does that does not know it.
    pub(super) fn lose_header(&self, name: &'static str) {
        self.state.lock().unwrap().lost = Some(name);
    }

    pub(super) fn behave(&self) {
        self.state.lock().unwrap().script = None;
    }

    pub(super) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().requests)
    }

    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `pitstop`, with this store as its repository.
    pub(super) fn command(&self, it: &Environment) -> Command {
        self.program(it, PITSTOP)
    }

    /// A program that finds this store in its environment.
    pub(super) fn program(&self, it: &Environment, program: impl AsRef<OsStr>) -> Command {
        let mut command = it.command(program);
        command
            .env("PITSTOP_REPOSITORY", "s3://bucket/jobs")
            .env("AWS_ENDPOINT", self.endpoint())
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_SESSION_TOKEN", TOKEN);
        command
    }

    pub(super) fn run<const N: usize>(&self, it: &Environment, words: [&str; N]) -> Ended {
        without_secrets(it.ended(self.command(it).args(words).output().unwrap()))
    }
}

/// Whatever is said, none of the secrets is.
#[track_caller]
pub(super) fn without_secrets(ended: Ended) -> Ended {
    for secret in [KEY, SECRET, TOKEN, "Signature="] {
        assert!(!ended.err.contains(secret) && !ended.out.contains(secret), "{ended}");
    }
    ended
}

fn serve(mut client: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let request = match read(&mut client) {
        // As a server says who knows no TLS.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            client.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")?;
            client.shutdown(Shutdown::Write)?;
            return io::copy(&mut client, &mut io::sink()).map(drop);
        }
        request => request?,
    };
    let Some(request) = request else { return Ok(()) };
    let answer = {
        let mut state = state.lock().unwrap();
        state.requests.push(format!("{} /{}", request.method, request.key));
        let told = state.script.as_mut().and_then(|script| script(&request));
        told.unwrap_or_else(|| state.answer(&request))
    };
    let Answer::Is(status, headers, body) = answer else {
        // Until the client has had enough.
        return io::copy(&mut client, &mut io::sink()).map(drop);
    };
    let mut head = format!("HTTP/1.1 {status} Said\r\nConnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "Content-Length") {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
    client.write_all(format!("{head}\r\n").as_bytes())?;
    client.write_all(&body)
}

fn read(client: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut reader = BufReader::new(client);
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let key = path.trim_start_matches("/bucket").trim_start_matches('/').to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let len = headers.get("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = vec![0; len];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { method, key, query: query.to_owned(), headers, body }))
}

const MODIFIED: &str = "Mon, 23 Nov 2026 12:00:00 GMT";

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        match (request.method.as_str(), request.key.as_str()) {
            ("GET", "") => self.list(request),
            ("POST", "") => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                for key in body.split("<Key>").skip(1).filter_map(|it| it.split("</Key>").next()) {
                    self.objects.remove(key);
                }
                Answer::Is(200, Vec::new(), b"<DeleteResult></DeleteResult>".to_vec())
            }
            ("GET" | "HEAD", key) => self.get(key, request),
            ("PUT", key) => self.put(key, request),
            _ => Answer::empty(405),
        }
    }

    fn put(&mut self, key: &str, request: &Request) -> Answer {
        let there = self.objects.get(key).map(|(tag, _)| tag);
        let header = |name: &str| request.headers.get(name).filter(|_| self.lost != Some(name));
        let is_met = header("if-none-match").is_none_or(|_| there.is_none())
            && header("if-match").is_none_or(|tag| there == Some(tag));
        if !is_met {
            return Answer::error(412, "PreconditionFailed", "");
        }
        self.versions += 1;
        let tag = format!("\"{}\"", self.versions);
        self.objects.insert(key.to_owned(), (tag.clone(), request.body.clone()));
        Answer::Is(200, vec![("ETag", tag)], Vec::new())
    }

    fn get(&self, key: &str, request: &Request) -> Answer {
        let Some((tag, bytes)) = self.objects.get(key) else {
            return Answer::error(404, "NoSuchKey", "");
        };
        let mut headers = vec![("ETag", tag.clone()), ("Last-Modified", MODIFIED.to_owned())];
        let range = request.headers.get("range").and_then(|it| it.strip_prefix("bytes="));
        let Some((start, end)) = range.and_then(|it| it.split_once('-')) else {
            return Answer::Is(200, headers, bytes.clone());
        };
        let (start, end): (usize, usize) = (start.parse().unwrap(), end.parse().unwrap());
        let end = bytes.len().min(end + 1);
        headers.push(("Content-Range", format!("bytes {start}-{}/{}", end - 1, bytes.len())));
        Answer::Is(206, headers, bytes[start..end].to_vec())
    }

    fn list(&self, request: &Request) -> Answer {
        let prefix = request.query.split('&').find_map(|it| it.strip_prefix("prefix="));
        let prefix = prefix.unwrap_or_default().replace("%2F", "/");
        let mut xml = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
        for (key, (tag, bytes)) in self.objects.iter().filter(|(key, _)| key.starts_with(&prefix)) {
            xml += &format!(
                "<Contents><Key>{key}</Key><LastModified>2026-11-23T12:00:00.000Z</LastModified>\
                 <ETag>{}</ETag><Size>{}</Size></Contents>",
                tag.replace('"', "&quot;"),
                bytes.len()
            );
        }
        Answer::Is(200, Vec::new(), (xml + "</ListBucketResult>").into_bytes())
    }
}

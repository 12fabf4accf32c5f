//! What can happen to a request on its way to a store.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to a put on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
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
    pub(super) const ALL: &[Self] = &[
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
pub(super) struct Proxy {
    pub(super) port: u16,
    plan: Arc<Mutex<Option<(usize, Trouble)>>>,
}

impl Proxy {
    pub(super) fn start(upstream: u16) -> Self {
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
    pub(super) fn plan(&self, put: usize, trouble: Trouble) {
        *self.plan.lock().unwrap() = Some((put, trouble));
    }

    pub(super) fn was_made(&self) -> bool {
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

pub(super) fn ask(upstream: u16, request: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut store = TcpStream::connect(("127.0.0.1", upstream))?;
    store.write_all(request)?;
    let mut answer = Vec::new();
    store.read_to_end(&mut answer)?;
    Ok(answer)
}

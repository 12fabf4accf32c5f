//! What is in a checkpoint, as far as its bytes tell: for people who look, never for what a program
//! resumes from. (Feature `inspect`.)
//!
//! ```
//! use pitstop::inspect::Content;
//!
//! let Content::Json(state) = Content::of(br#"{"done": ["a", "b"], "step": 3}"#) else { panic!() };
//! assert_eq!(state.part("/done/1")?.as_text(), Some("b".into()));
//! assert_eq!(state.part("step")?.as_str(), "3");
//! # Ok::<(), pitstop::inspect::NoSuchPart>(())
//! ```

mod json;
mod pretty;
mod test_run;

use std::io::Read;

use flate2::read::MultiGzDecoder;

pub use json::{Json, NoSuchPart};
pub use test_run::TestRun;

/// Larger checkpoints are not looked into, nor those that are larger when they are decompressed: 32 MiB.
pub const LIMIT: u64 = 32 << 20;

/// What the bytes of a checkpoint are.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Content {
    /// There are none.
    Empty,
    /// A test run of PlainBox or Checkbox, and the JSON that it was read from.
    TestRun(Box<TestRun>, Json),
    /// JSON, plain or compressed by gzip.
    Json(Json),
    /// Text in UTF-8, plain or compressed by gzip.
    Text(String),
    /// What begins like gzip, and cannot be decompressed: it is cut short, say.
    DamagedGzip,
    /// Something else.
    Binary,
    /// Too large to look into: see [`LIMIT`].
    TooLarge,
}

impl Content {
    /// What these bytes are. Whatever they hold, this takes memory in proportion to [`LIMIT`] at most.
    pub fn of(data: &[u8]) -> Self {
        if data.len() as u64 > LIMIT {
            return Self::TooLarge;
        }
        if !data.starts_with(&[0x1f, 0x8b]) {
            return Self::of_plain(data.to_vec());
        }
        let mut plain = Vec::new();
        match MultiGzDecoder::new(data).take(LIMIT + 1).read_to_end(&mut plain) {
            Ok(size) if size as u64 > LIMIT => Self::TooLarge,
            Ok(_) => match Self::of_plain(plain) {
                Self::Json(json) => match TestRun::read(&json) {
                    Some(run) => Self::TestRun(Box::new(run), json),
                    None => Self::Json(json),
                },
                other => other,
            },
            Err(_) => Self::DamagedGzip,
        }
    }

    fn of_plain(data: Vec<u8>) -> Self {
        match String::from_utf8(data) {
            Ok(text) if text.is_empty() => Self::Empty,
            Ok(text) => Json::new(text).map_or_else(Self::of_text, Self::Json),
            Err(_) => Self::Binary,
        }
    }

    fn of_text(text: String) -> Self {
        // Escape sequences of a terminal are text; zeros are not.
        match text.contains('\0') {
            true => Self::Binary,
            false => Self::Text(text),
        }
    }

    /// What it is about, in a line, where that is known: of a test run.
    pub fn summary(&self) -> Option<String> {
        match self {
            Self::TestRun(run, _) => Some(run.summary()),
            _ => None,
        }
    }

    /// What it is, in a word or two.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::TestRun(..) => "test run",
            Self::Json(_) => "JSON",
            Self::Text(_) => "text",
            Self::DamagedGzip => "damaged gzip",
            Self::Binary => "binary",
            Self::TooLarge => "too large to look into",
        }
    }
}

//! One suite for every backend: what a repository does, whatever it is made of.
//!
//! ```
//! use pitstop::conformance::{Capabilities, check};
//! use pitstop::{Format, MemoryBackend, Repository};
//!
//! let capabilities = Capabilities::new(Format::Memory);
//! check(capabilities, || Repository::with_backend(MemoryBackend::new()));
//! ```

#![allow(clippy::unwrap_used)] // A check that fails panics.

mod care;
mod copies;
mod damage;
mod history;
mod last;
mod removal;
mod rivals;
mod saving;
mod sessions;
mod streaming;

pub use damage::{Damageable, NEWEST, Part, check_damage};

use crate::{CheckpointInfo, CopyOptions, CreateOptions, Format, Repository, Session, SessionId};

/// What a backend can do beyond the common contract. What it cannot do, it must say.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Capabilities {
    /// The format of the sessions that are made.
    pub format: Format,
    /// Whether sessions keep older revisions and labels.
    pub history: bool,
    /// Whether the backend implements all of [`Maintenance`](crate::Maintenance).
    pub maintenance: bool,
}

impl Capabilities {
    /// All that a backend can have.
    pub fn new(format: Format) -> Self {
        Self { format, history: true, maintenance: true }
    }

    /// Only the newest checkpoint is kept, without labels.
    pub fn without_history(self) -> Self {
        Self { history: false, ..self }
    }

    /// There is no maintenance.
    pub fn without_maintenance(self) -> Self {
        Self { maintenance: false, ..self }
    }
}

/// Puts a backend through every case; `empty` makes a new, empty repository each time.
///
/// # Panics
/// If the backend does not keep the contract. The name of the case is printed before.
pub fn check(capabilities: Capabilities, empty: impl Fn() -> Repository) {
    type Case = (&'static str, fn(&Subject));
    let operators: &[Case] = &[
        ("the end of a program is kept until the next writer", sessions::end_is_kept),
        ("what would be removed is told, and stays", removal::would_remove),
        ("a session in the trash can be put back", removal::trash_gives_back),
        ("the trash holds many of one name", removal::trash_holds_many_of_one_name),
        ("what is deleted from the trash is gone", removal::trash_is_emptied),
        ("pruning takes what meets every criterion", care::prune_by_rules),
        ("pruning spares who is needed", care::prune_spares),
        ("older revisions are given up by a rule", care::prune_revisions),
        ("unlocking disturbs no live writer", sessions::unlock_disturbs_nobody),
        ("what is sound is found to be sound", care::sound_is_verified),
    ];
    let cases: &[Case] = &[
        ("a new session has no checkpoint", sessions::new_session_has_no_checkpoint),
        ("a name is given once", sessions::name_is_given_once),
        ("made-up names differ", sessions::made_up_names_differ),
        ("every payload comes back", saving::every_payload_comes_back),
        ("what is larger than memory goes in pieces", streaming::pieces),
        ("a source that fails changes nothing", streaming::source_fails),
        ("the newest checkpoint is loaded", saving::newest_is_loaded),
        ("what a save tells is what a load tells", saving::save_and_load_agree),
        ("a save follows the revision that it names", saving::save_follows),
        ("there is one writer", sessions::there_is_one_writer),
        ("a removed session is gone", removal::removed_is_gone),
        ("a session with a writer is not removed", removal::busy_is_not_removed),
        ("the last session is the one made so", last::last_is_the_one_made_so),
        ("the last session is replaced with the first save", last::last_is_replaced),
        ("only the old session is replaced", last::only_the_old_one_is_replaced),
        ("a session in use is not replaced", last::busy_is_not_replaced),
        ("the listing has the newest first", sessions::listing_has_newest_first),
        ("labels are kept, or refused", saving::labels),
        ("older revisions are kept, or refused", history::history),
        ("a history is bounded by its rule", history::history_is_bounded),
        ("an older revision is made the newest, or refused", history::restore),
        ("a session is forked", history::fork),
        ("a copy has the history of the original", copies::copies_have_the_history),
        ("a copy of a busy session ends", copies::copies_of_a_busy_session_end),
        ("a copy goes on where it ended", copies::copies_go_on),
        ("a copy is mixed with nothing else", copies::copies_do_not_mix),
        ("a repository is copied", copies::repositories_are_copied),
        ("of many creators one succeeds", rivals::one_creator_succeeds),
        ("of many savers none loses an update", rivals::no_update_is_lost),
    ];
    let refused: &[Case] = &[("maintenance that is missing is refused", care::is_refused)];
    let operators = if capabilities.maintenance { operators } else { refused };
    for (name, case) in cases.iter().chain(operators) {
        eprintln!("conformance: {name}");
        case(&Subject { repository: empty(), capabilities });
    }
}

/// What is put through a case.
struct Subject {
    repository: Repository,
    capabilities: Capabilities,
}

impl std::ops::Deref for Subject {
    type Target = Repository;

    fn deref(&self) -> &Repository {
        &self.repository
    }
}

impl Subject {
    fn options(&self) -> CreateOptions {
        CreateOptions::new().format(self.capabilities.format)
    }

    fn copying<'a>(&self) -> CopyOptions<'a> {
        CopyOptions::new().format(self.capabilities.format)
    }

    fn named(&self, id: &str) -> CreateOptions {
        self.options().id(SessionId::new(id).unwrap())
    }
}

fn create(repository: &Subject, id: &str) -> Session {
    repository.create(&repository.named(id)).unwrap()
}

fn ids(repository: &Subject) -> Vec<String> {
    let listing = repository.list().unwrap();
    assert!(listing.problems.is_empty(), "{:?}", listing.problems);
    listing.sessions.iter().map(|summary| summary.id.to_string()).collect()
}

/// Saves until the listing tells that nothing changed later: the clock that it goes by has steps.
fn change_last_of_all(repository: &Subject, save: impl Fn() -> CheckpointInfo) {
    let newest = || repository.list().unwrap().sessions.iter().map(|it| it.changed).max();
    let before = newest();
    while newest() <= before {
        save();
    }
}

macro_rules! assert_error {
    ($result:expr, $pattern:pat) => {
        match $result {
            Err($pattern) => (),
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}

use assert_error;

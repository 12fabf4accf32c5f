//! A real directory beside the model in memory: whatever sequence of calls is made, both give the
//! same, and both look the same after each.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use pitstop::{
    Backend, CreateOptions, DirectoryBackend, Error, Format, MemoryBackend, Repository, Result,
    Revision, SaveOptions, Session, SessionId, Writer, WriterState,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Few, so that they collide. Those that are made up come behind them.
const NAMES: [&str; 3] = ["a", "b", "c d"];

#[derive(Clone, Debug)]
enum Step {
    Create {
        name: Option<usize>,
        replace: bool,
    },
    GetOrCreate(usize),
    Save(usize, Vec<u8>, Follows),
    Hold(usize),
    SaveAsHolder(usize, Vec<u8>, Follows),
    /// As what is larger than memory is saved.
    Stream(usize, Vec<u8>, Follows),
    Release(usize),
    Load(usize),
    Status(usize),
    MakeLast(usize),
    Remove(usize),
    Unlock(usize),
    Reopen,
}

#[derive(Clone, Debug)]
enum Follows {
    Anything,
    Nothing,
    Newest,
    /// One of those that were seen in this session, which may be the newest.
    Seen(usize),
    Foreign,
}

fn step() -> impl Strategy<Value = Step> {
    let which = || 0..5_usize;
    let data = || prop::collection::vec(any::<u8>(), 0..3);
    let follows = || {
        prop_oneof![
            2 => Just(Follows::Anything),
            1 => Just(Follows::Nothing),
            2 => Just(Follows::Newest),
            2 => any::<usize>().prop_map(Follows::Seen),
            1 => Just(Follows::Foreign),
        ]
    };
    let name = prop_oneof![4 => (0..NAMES.len()).prop_map(Some), 1 => Just(None)];
    prop_oneof![
        3 => (name, any::<bool>()).prop_map(|(name, replace)| Step::Create { name, replace }),
        1 => (0..NAMES.len()).prop_map(Step::GetOrCreate),
        5 => (which(), data(), follows()).prop_map(|(n, data, f)| Step::Save(n, data, f)),
        2 => which().prop_map(Step::Hold),
        2 => (which(), data(), follows()).prop_map(|(n, data, f)| Step::SaveAsHolder(n, data, f)),
        2 => (which(), data(), follows()).prop_map(|(n, data, f)| Step::Stream(n, data, f)),
        2 => which().prop_map(Step::Release),
        1 => which().prop_map(Step::Load),
        1 => which().prop_map(Step::Status),
        2 => which().prop_map(Step::MakeLast),
        2 => which().prop_map(Step::Remove),
        1 => which().prop_map(Step::Unlock),
        1 => Just(Step::Reopen),
    ]
}

/// One of the two, and what a program that uses it would remember.
struct Side {
    reopen: Box<dyn Fn() -> Repository>,
    repository: Repository,
    backend: Box<dyn Backend>,
    ids: Vec<SessionId>,
    writers: BTreeMap<usize, Writer>,
    /// By session: the revisions that were seen since it was made.
    seen: BTreeMap<usize, Vec<Revision>>,
}

/// What a call gave, in words that are the same on both sides, and the revisions in it, which are not.
#[derive(Debug)]
struct Outcome {
    told: String,
    session: usize,
    revisions: Vec<Revision>,
}

impl Side {
    fn new(reopen: impl Fn() -> Repository + 'static, backend: impl Backend + 'static) -> Self {
        let (repository, backend) = (reopen(), Box::new(backend));
        let ids = NAMES.map(|name| SessionId::new(name).unwrap()).to_vec();
        let reopen = Box::new(reopen);
        Self { reopen, repository, backend, ids, writers: BTreeMap::new(), seen: BTreeMap::new() }
    }

    fn label(&self, id: &SessionId) -> usize {
        self.ids.iter().position(|it| it == id).expect("a name that was never given")
    }

    fn session(&self, n: usize) -> Result<Session> {
        match self.ids.get(n) {
            Some(id) => self.repository.get(id),
            None => self.repository.get("never made"),
        }
    }

    fn options(&self, n: usize, follows: &Follows) -> SaveOptions {
        let seen = self.seen.get(&n).map_or(&[][..], Vec::as_slice);
        let newest = || Some(self.session(n).ok()?.load().ok()?.info.revision);
        let revision = match follows {
            Follows::Anything => return SaveOptions::new(),
            Follows::Nothing => Revision::NONE,
            Follows::Newest => newest().unwrap_or(Revision::NONE),
            Follows::Seen(any) if !seen.is_empty() => seen[any % seen.len()],
            Follows::Seen(_) | Follows::Foreign => Revision::from_number(1 << 40),
        };
        SaveOptions::new().follows(revision)
    }

    fn take(&mut self, step: &Step) -> Outcome {
        match step {
            Step::Create { name, replace } => {
                let options = match name {
                    Some(n) => CreateOptions::new().id(self.ids[*n].clone()),
                    None => CreateOptions::new().prefix("made up"),
                };
                let options = if *replace { options.replace_last() } else { options };
                let made = self.repository.create(&options);
                if let (Ok(session), None) = (&made, name) {
                    self.ids.push(session.id().clone());
                }
                self.told(0, made, |it, session| (it.label(session.id()).to_string(), None))
            }
            Step::GetOrCreate(n) => {
                let got = self.repository.get_or_create(&self.ids[*n]);
                self.told(*n, got, |it, session| (it.label(session.id()).to_string(), None))
            }
            Step::Save(n, data, follows) => {
                let options = self.options(*n, follows);
                let saved = self.session(*n).and_then(|it| it.save_with(data, &options));
                self.told(*n, saved, |_, info| (format!("{}", info.digest), Some(info.revision)))
            }
            Step::Hold(n) => {
                let writer = self.session(*n).and_then(|it| it.writer());
                let (writer, outcome) = match writer {
                    Ok(writer) => (Some(writer), Ok(())),
                    Err(error) => (None, Err(error)),
                };
                self.writers.extend(writer.map(|writer| (*n, writer)));
                self.told(*n, outcome, |_, ()| (String::new(), None))
            }
            Step::SaveAsHolder(n, data, follows) => {
                let options = self.options(*n, follows);
                let Some(writer) = self.writers.get_mut(n) else { return Outcome::nothing() };
                let saved = writer.save_with(data, &options);
                self.told(*n, saved, |_, info| (format!("{}", info.digest), Some(info.revision)))
            }
            Step::Stream(n, data, follows) => {
                let options = self.options(*n, follows);
                let saved = self.session(*n).and_then(|session| {
                    self.backend.writer(session.id())?.save_from(&mut data.as_slice(), &options)
                });
                self.told(*n, saved, |_, info| (format!("{}", info.digest), Some(info.revision)))
            }
            Step::Release(n) => {
                self.writers.remove(n);
                Outcome::nothing()
            }
            Step::Load(n) => {
                let loaded = self.session(*n).and_then(|it| it.load());
                let opened = self.session(*n).and_then(|it| it.open_checkpoint());
                let mut pieces = Vec::new();
                let read = opened.map(|mut it| it.read_to_end(&mut pieces).unwrap()).ok();
                assert_eq!(read, loaded.as_ref().ok().map(|it| it.data.len()));
                assert_eq!(pieces, loaded.as_ref().map_or(&[][..], |it| &it.data));
                self.told(*n, loaded, |_, it| {
                    (format!("{:?} {}", it.data, it.info.digest), Some(it.info.revision))
                })
            }
            Step::Status(n) => {
                let status = self.session(*n).and_then(|it| it.status());
                self.told(*n, status, |_, status| {
                    let summary = status.summary;
                    let owner = match status.writer {
                        WriterState::Live(owner) => format!("{:?}", owner.map(|it| it.pid)),
                        other => format!("{other:?}"),
                    };
                    let (size, live) = (summary.size, summary.live);
                    (format!("{size:?} {} {live} {owner}", summary.saved.is_some()), None)
                })
            }
            Step::MakeLast(n) => {
                let outcome = self.session(*n).and_then(|it| it.make_last());
                self.told(*n, outcome, |_, ()| (String::new(), None))
            }
            Step::Remove(n) => {
                let outcome = self.session(*n).and_then(|it| it.remove());
                self.told(*n, outcome, |_, removal| (format!("{removal:?}"), None))
            }
            Step::Unlock(n) => {
                let outcome = self.session(*n).and_then(|it| it.unlock());
                self.told(*n, outcome, |_, unlocked| (format!("{unlocked:?}"), None))
            }
            Step::Reopen => {
                self.repository = (self.reopen)();
                Outcome::nothing()
            }
        }
    }

    fn told<T>(
        &self,
        session: usize,
        outcome: Result<T>,
        ok: impl FnOnce(&Self, T) -> (String, Option<Revision>),
    ) -> Outcome {
        let (told, revisions) = match outcome {
            Ok(value) => {
                let (told, revision) = ok(self, value);
                (format!("Ok {told}"), Vec::from_iter(revision))
            }
            Err(Error::Conflict { expected, found, .. }) => {
                ("Conflict".to_owned(), vec![expected, found])
            }
            Err(error) => {
                let text = format!("{error:?}");
                let variant = text.split(' ').next().unwrap_or_default().to_owned();
                // Nothing else may come out of a sound directory.
                let known = ["NotFound", "NoCheckpoint", "AlreadyExists", "Busy"];
                assert!(known.contains(&variant.as_str()), "{text}");
                (variant, Vec::new())
            }
        };
        Outcome { told, session, revisions }
    }

    /// All that can be seen from outside.
    fn look(&mut self) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for n in 0..self.ids.len() {
            outcomes.push(self.take(&Step::Load(n)));
            outcomes.push(self.take(&Step::Status(n)));
        }
        let last = self.repository.last().unwrap().map(|it| self.label(it.id()));
        outcomes.push(Outcome { told: format!("last {last:?}"), ..Outcome::nothing() });
        let listing = self.repository.list().unwrap();
        assert!(listing.problems.is_empty(), "{:?}", listing.problems);
        let listed: BTreeMap<_, _> =
            listing.sessions.iter().map(|it| (self.label(&it.id), (it.size, it.live))).collect();
        assert_eq!(listed.len(), listing.sessions.len());
        outcomes.push(Outcome { told: format!("{listed:?}"), ..Outcome::nothing() });
        outcomes
    }
}

impl Outcome {
    fn nothing() -> Self {
        Self { told: String::new(), session: 0, revisions: Vec::new() }
    }
}

fn compare(model: &mut Side, real: &mut Side, outcomes: (Outcome, Outcome), when: &str) {
    let (expected, got) = outcomes;
    assert_eq!(expected.told, got.told, "{when}: the model, the directory");
    assert_eq!(expected.revisions.len(), got.revisions.len());
    let session = expected.session;
    if expected.told == "NotFound" {
        // One made anew under this name has other revisions.
        model.seen.remove(&session);
        real.seen.remove(&session);
    }
    for (expected, got) in expected.revisions.into_iter().zip(got.revisions) {
        let model = model.seen.entry(session).or_insert_with(|| vec![Revision::NONE]);
        let real = real.seen.entry(session).or_insert_with(|| vec![Revision::NONE]);
        let foreign = Revision::from_number(1 << 40);
        if expected == foreign || got == foreign {
            assert_eq!(expected, got, "{when}");
            continue;
        }
        for (before, real_before) in model.iter().zip(real.iter()) {
            assert_eq!(
                *before == expected,
                *real_before == got,
                "{when}: {before} and {expected}, but {real_before} and {got}"
            );
        }
        model.push(expected);
        real.push(got);
    }
}

fn run(steps: &[Step], place: PathBuf, format: Format) {
    let memory = MemoryBackend::new();
    let backend = memory.clone();
    let mut model = Side::new(move || Repository::with_backend(memory.clone()), backend);
    let backend = DirectoryBackend::open(&place).unwrap();
    let reopen = move || Repository::open(&place).unwrap().with_format(format);
    let mut real = Side::new(reopen, backend);
    for (number, step) in steps.iter().enumerate() {
        let when = format!("step {number}, {step:?}");
        let outcomes = (model.take(step), real.take(step));
        compare(&mut model, &mut real, outcomes, &when);
        for outcomes in model.look().into_iter().zip(real.look()) {
            compare(&mut model, &mut real, outcomes, &when);
        }
    }
}

#[test]
fn a_directory_does_what_the_model_does() {
    let cases = std::env::var("PROPTEST_CASES").map_or(48, |cases| cases.parse().unwrap());
    // A failure prints the shortest sequence that shows it, which then becomes a test by name.
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..40), |steps| {
            let scratch = tempfile::tempdir().unwrap();
            for format in [Format::Plain, Format::Journal] {
                run(&steps, scratch.path().join(format.to_string()), format);
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

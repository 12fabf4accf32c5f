use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::json::{Json, Key, each, member};
use crate::error::Result;
use crate::sys::{Directory, Os, found};

/// A test run of PlainBox or Checkbox, of their formats 1 to 11. Newer ones are read as far as they are
/// alike. Whatever is missing, or not of the kind that it should be, is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TestRun {
    /// The version of the format.
    pub version: u64,
    /// What the program calls it.
    pub title: Option<String>,
    /// The program, as it calls itself.
    pub app_id: Option<String>,
    /// What is run.
    pub test_plan: Option<String>,
    /// `incomplete`, `submitted`, `bootstrapping` and the like.
    pub flags: Vec<String>,
    /// The job that was running when this was saved.
    pub running_job: Option<String>,
    /// When a job was last begun.
    #[serde(serialize_with = "crate::json::optional_time")]
    pub last_job_started: Option<SystemTime>,
    /// How many jobs are to be run.
    pub desired: usize,
    /// How many of these have an outcome.
    pub done: usize,
    /// How many jobs ended with each outcome, the last that each had: `pass`, `fail`, `skip` and others.
    pub outcomes: BTreeMap<String, usize>,
    /// How many jobs were run more than once.
    pub retried: usize,
    /// How many jobs were taken out by the person who runs it.
    pub rejected: usize,
    /// The logs that the results name, by their names in `io-logs`.
    pub logs: Vec<String>,
}

impl TestRun {
    /// `None` if it is something else.
    pub(super) fn read(json: &Json) -> Option<Self> {
        let whole = json.raw()?;
        let version = value(member(whole, "version"))?;
        let session = member(whole, "session").filter(|it| it.get().starts_with('{'))?;
        let mut run = Self { version, ..Self::default() };
        if let Some(metadata) = member(session, "metadata") {
            run.read_metadata(metadata);
        }
        run.read_results(session);
        Some(run)
    }

    fn read_metadata(&mut self, metadata: &RawValue) {
        let of = |name| member(metadata, name);
        self.title = value(of("title"));
        self.app_id = value(of("app_id"));
        self.test_plan = value(of("app_blob")).and_then(|blob: String| test_plan(&blob));
        self.running_job = value(of("running_job_name"));
        let started = value(of("last_job_start_time"));
        self.last_job_started = started
            .and_then(|it| Duration::try_from_secs_f64(it).ok())
            .and_then(|it| SystemTime::UNIX_EPOCH.checked_add(it));
        each(of("flags"), |_, flag| self.flags.extend(value::<String>(Some(flag))));
        each(of("rejected_jobs"), |_, _| self.rejected += 1);
    }

    fn read_results(&mut self, session: &RawValue) {
        let mut desired = HashSet::new();
        each(member(session, "desired_job_list"), |_, job| {
            desired.extend(value::<String>(Some(job)));
        });
        self.desired = desired.len();
        each(member(session, "results"), |job, results| {
            let (mut count, mut last) = (0, None);
            each(Some(results), |_, result| {
                count += 1;
                last = Some(result);
                let log = value(member(result, "io_log_filename"));
                self.logs.extend(log.and_then(|log: String| name_of(&log)));
            });
            self.retried += usize::from(count > 1);
            let Some(outcome) = value::<String>(last.and_then(|it| member(it, "outcome"))) else {
                return;
            };
            *self.outcomes.entry(outcome).or_default() += 1;
            if let Key::Name(job) = job {
                // Of two results of one name, the job is done once.
                self.done += usize::from(desired.remove(job.as_ref()));
            }
        });
    }

    /// The logs that its results name and that are not in `io-logs` of the session's directory. Nothing
    /// outside that directory is looked at, wherever the paths in the checkpoint lead.
    ///
    /// # Errors
    /// [`Storage`](crate::Error::Storage) if it cannot be read.
    pub fn missing_logs(&self, location: &Path) -> Result<Vec<String>> {
        let directory = Directory::open(&Os, location)?;
        let there: HashSet<_> = match found(directory.open_directory("io-logs"))? {
            Some(logs) => logs.entries()?.into_iter().map(|(name, _)| name).collect(),
            None => HashSet::new(),
        };
        let missing =
            self.logs.iter().filter(|log| !there.contains(log.as_ref() as &std::ffi::OsStr));
        Ok(missing.cloned().collect())
    }

    /// What it is and how far it came, in a line.
    pub fn summary(&self) -> String {
        let title = self.title.as_deref().filter(|it| !it.is_empty()).unwrap_or("test run");
        let mut text = format!("{title}: {} of {} jobs", self.done, self.desired);
        for (outcome, count) in &self.outcomes {
            if outcome != "pass" {
                text += &format!(", {count} {outcome}");
            }
        }
        text
    }
}

fn value<T: DeserializeOwned>(raw: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(raw?.get()).ok()
}

/// What the program keeps for itself is base64, and within it JSON, if it is Checkbox.
fn test_plan(blob: &str) -> Option<String> {
    let blob = String::from_utf8(BASE64.decode(blob).ok()?).ok()?;
    let blob: &RawValue = serde_json::from_str(&blob).ok()?;
    value(member(blob, "testplan_id"))
}

/// All logs are in one directory. Old formats have the whole path of the machine it ran on.
fn name_of(log: &str) -> Option<String> {
    Some(Path::new(log).file_name()?.to_str()?.to_owned())
}

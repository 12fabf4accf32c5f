//! A repository in an object store.

use std::io::Write;
use std::process::Stdio;

use super::environment::{Ended, Environment, PITSTOP};
use super::s3::{S3, without_secrets};

pub(super) fn save<const N: usize>(
    s3: &S3,
    it: &Environment,
    data: &[u8],
    words: [&str; N],
) -> Ended {
    let mut command = s3.command(it);
    command.arg("save").args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(data);
    without_secrets(it.ended(child.wait_with_output().unwrap()))
}

#[test]
fn a_listing_says_what_it_does_not_know_and_looks_if_asked() {
    let (it, s3) = (Environment::new(), S3::start());
    save(&s3, &it, b"state", ["-qc", "--label", "step=3", "job"]).code(0);
    save(&s3, &it, b"other", ["-qc", "other"]).code(0);
    s3.run(&it, ["create", "-q", "new"]).code(0);
    let gets = |s3: &S3| {
        let requests = s3.take_requests();
        assert_eq!(requests.iter().filter(|it| *it == "GET /").count(), 16, "{requests:?}");
        requests.len() - 16
    };
    s3.take_requests();
    let listed = s3.run(&it, ["list", "--json"]).code(0).json();
    assert_eq!(gets(&s3), 0);
    let by_name = |listed: &serde_json::Value, name: &str| {
        let sessions = listed["sessions"].as_array().unwrap();
        sessions.iter().find(|it| it["id"] == name).unwrap().clone()
    };
    let job = by_name(&listed, "job");
    assert!(job["size"].is_null() && job["labels"].is_null() && job["saved"].is_string(), "{job}");
    assert_eq!(by_name(&listed, "new")["labels"], serde_json::json!({}));
    let listed = s3
        .run(&it, ["list"])
        .code(0)
        .says("hint: run `pitstop list --details` for sizes, labels and states");
    let row = |listed: &Ended, name: &str| {
        let mut lines = listed.out.lines();
        let line = lines.find(|it| it.starts_with(name)).unwrap().to_owned();
        line.split_whitespace().rev().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row(&listed, "job")[..2], ["object", "?"]);
    assert_eq!(row(&listed, "new")[..3], ["object", "-", "never"]);
    assert_eq!(gets(&s3), 0);
    // What is asked for is looked for, once.
    for looks in [3, 0] {
        s3.run(&it, ["list", "--ids", "--label", "step=3"]).code(0).prints("job\n").says("");
        assert_eq!(gets(&s3), looks);
    }
    let listed = s3.run(&it, ["list", "--details"]).code(0).says("");
    assert_eq!(row(&listed, "job")[..2], ["step=3", "object"]);
    assert_eq!(row(&listed, "job")[4..6], ["B", "5"]);
    assert_eq!(by_name(&s3.run(&it, ["list", "--json", "--details"]).json(), "other")["size"], 5);
    s3.take_requests();
    s3.run(&it, ["list", "--label", "step=4"]).prints("").says("no session matches");
    assert_eq!(gets(&s3), 0);
}

#[test]
fn a_program_holds_a_session_in_an_object_store() {
    let (it, s3) = (Environment::new(), S3::start());
    let run = |script: &str| {
        let mut command = s3.command(&it);
        command.args(["-q", "run", "-c", "job", "--", "sh", "-c", script]).env("P", PITSTOP);
        without_secrets(it.ended(command.output().unwrap()))
    };
    let script = "echo \"[$PITSTOP_RESUMES] [$PITSTOP_SESSION_DIRECTORY]\"
                  echo $(( $($P load 2>/dev/null || echo 0) + 1 )) | $P -q save --keep all
                  $P load";
    run(&format!("{script}; exit 3")).code(3).says("").prints("[] []\n1\n");
    s3.run(&it, ["status", "--is", "failed", "job"]).code(0).prints("");
    run(script).code(0).says("").prints("[1] []\n2\n");
    s3.run(&it, ["status", "--is", "done", "job"]).code(0).prints("");
    run("echo not run").code(0).prints("");
    s3.run(&it, ["restore", "-q", "job", "--revision", "2"]).code(0);
    let told = run("$P status job; exit 7").code(7).out;
    assert!(
        told.starts_with("job: running: pitstop run sh -c '$P status job; exit 7' (pid "),
        "{told}"
    );
    let told = s3.run(&it, ["status", "job"]).code(0).out;
    assert!(told.starts_with("job: failed (exit 7): pitstop run sh -c "), "{told}");
    let pruned = s3.run(&it, ["prune", "--revisions", "--keep", "1", "job"]).code(0);
    assert!(
        pruned.err.starts_with("removed 2 revisions of job (1 to 2), which frees "),
        "{pruned}"
    );
    s3.run(&it, ["load", "job"]).code(0).prints("2\n");
    // And it goes on on a local disk, and the other way round.
    s3.run(&it, ["export", "-q", "job", "-o", "job.tar"]).code(0);
    it.run(["import", "-q", "job.tar"]).code(0);
    it.run(["load", "job"]).code(0).prints("2\n");
}

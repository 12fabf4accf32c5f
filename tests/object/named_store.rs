//! Any store, by its URL: for those that no test can start.

use std::cell::Cell;
use std::time::SystemTime;

use pitstop::{ListOptions, Repository, SaveOptions};
use twox_hash::XxHash3_64;

use super::named;
use super::seaweed::{sixteen_rivals_count_up, the_contract_is_kept};

/// `PITSTOP_TEST_STORE=az://container cargo test --test tests -- --ignored --nocapture the_store_that_is_named`,
/// with what the store needs in the environment. What it puts there, it removes, but for some small objects.
#[test]
#[ignore = "needs a store of its own"]
fn the_store_that_is_named_keeps_the_contract() {
    let url = std::env::var("PITSTOP_TEST_STORE").unwrap();
    let started = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    let made = Cell::new(0);
    let open = |name: &str| {
        Repository::open(format!("{}/{started}/{name}", url.trim_end_matches('/'))).unwrap()
    };
    the_contract_is_kept(|| {
        made.set(made.get() + 1);
        open(&made.get().to_string())
    });
    sixteen_rivals_count_up(|| open("rivals"));
    more_than_a_page_is_listed(&open("pages"));
}

/// So many heads below one prefix that a store which gives 1000 at a time is asked twice, under odd names.
fn more_than_a_page_is_listed(repository: &Repository) {
    const COUNT: usize = 1100;
    let is_first = |name: &String| XxHash3_64::oneshot(name.as_bytes()).is_multiple_of(16);
    let names = (0..).map(|n| format!("my job, 50% größer ({n})")).filter(is_first);
    let names: &Vec<String> = &names.take(COUNT).collect();
    std::thread::scope(|scope| {
        for first in 0..16 {
            scope.spawn(move || {
                for n in (first..COUNT).step_by(16) {
                    let kind = SaveOptions::new().label("kind", (n % 2).to_string());
                    let session = repository.create(&named(&names[n])).unwrap();
                    session.save_with(b"state", &kind).unwrap();
                }
            });
        }
    });
    assert_eq!(repository.list().unwrap().sessions.len(), COUNT);
    let odd = ListOptions::new().label("kind", Some("1".to_owned()));
    for _ in 0..2 {
        assert_eq!(repository.list_with(&odd).unwrap().sessions.len(), COUNT / 2);
    }
    let found = repository.verify().unwrap();
    assert!(!found.is_damaged(), "{found:?}");
    for summary in repository.list().unwrap().sessions {
        repository.get(&summary.id).unwrap().remove().unwrap();
    }
    assert!(repository.list().unwrap().sessions.is_empty());
}

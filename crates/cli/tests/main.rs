//! The tests of the `pitstop` command. Each runs the real binary in a place of its own.

#![allow(clippy::unwrap_used)]

mod cli {
    mod bad_input;
    mod clean_up;
    mod completion;
    mod destinations;
    mod environment;
    mod errors;
    mod five_stories;
    mod history;
    mod inspect;
    mod json;
    mod json_docs;
    mod large;
    mod moving;
    mod object;
    mod on_the_way;
    mod output;
    mod run;
    mod s3;
    mod secrets;
    mod states;
    mod storage;
    mod store_errors;
    mod story;
    mod waiting;
}

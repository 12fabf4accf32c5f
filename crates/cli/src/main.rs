//! The pitstop command.
fn main() {}

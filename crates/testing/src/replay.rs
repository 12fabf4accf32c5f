//! Which state of which suite `PITSTOP_REPLAY` asks for.

/// What a suite is to judge.
pub(crate) enum Wanted {
    /// All that it has.
    All,
    /// Nothing: a state of another suite was asked for.
    Nothing,
    /// The state of this text.
    This(String),
}

/// What is asked of the suite of this name. A text begins with it and a slash.
pub(crate) fn wanted(suite: &str) -> Wanted {
    match std::env::var("PITSTOP_REPLAY") {
        Err(_) => Wanted::All,
        Ok(spec) => match spec.strip_prefix(suite).and_then(|rest| rest.strip_prefix('/')) {
            Some(rest) => Wanted::This(rest.to_owned()),
            None => Wanted::Nothing,
        },
    }
}

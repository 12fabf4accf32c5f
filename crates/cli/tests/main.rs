//! The tests of the `pitstop` command: each runs the real binary.

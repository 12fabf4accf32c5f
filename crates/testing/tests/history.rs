//! Histories of many clients, and the checker that judges them.

mod planted;
mod processes;
mod simulated;

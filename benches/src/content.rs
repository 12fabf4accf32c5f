//! What is saved.

use std::collections::BTreeMap;
use std::fmt::Write;

/// Numbers that look random, the same in every run (xorshift64*).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Bytes that no compression makes shorter.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(len + 8);
        while bytes.len() < len {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }

    /// Writes over a few bytes somewhere.
    pub fn change(&mut self, state: &mut [u8], few: usize) {
        let few = few.min(state.len());
        let at = self.next() as usize % (state.len() - few + 1);
        let fresh = self.bytes(few);
        state[at..at + few].copy_from_slice(&fresh);
    }
}

/// The states of a test run as PlainBox and Checkbox save them, as JSON: after each job its result is
/// there too, in the order of the jobs' names.
pub fn json_states(jobs: usize) -> Vec<Vec<u8>> {
    let mut random = Random(7);
    let names: Vec<String> =
        (0..jobs).map(|_| format!("suite/{:016x}/job", random.next())).collect();
    let mut results = BTreeMap::new();
    let mut states = Vec::new();
    for name in &names {
        results.insert(name, result(&mut random));
        let listed: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
        let done: Vec<String> =
            results.iter().map(|(name, it)| format!("{name:?}: [{it}]")).collect();
        let state = format!(
            r#"{{"session": {{"desired_job_list": [{}], "metadata": {{"flags": ["incomplete"], "running_job_name": {name:?}}}, "results": {{{}}}}}, "version": 2}}"#,
            listed.join(", "),
            done.join(", "),
        );
        states.push(state.into_bytes());
    }
    states
}

/// About 5 KiB: what a job printed, line by line, in base 64.
fn result(random: &mut Random) -> String {
    let mut log = String::new();
    for line in 0..40 + random.next() % 20 {
        let separator = if line == 0 { "" } else { ", " };
        let delay = (random.next() % 1000) as f64 / 1e4;
        let _ = write!(log, r#"{separator}[{delay}, "stdout", ""#);
        for _ in 0..5 {
            let _ = write!(log, "{:015x}", random.next() >> 4);
        }
        log.push_str("=\"]");
    }
    let seconds = random.next() % 100;
    format!(
        r#"{{"comments": null, "execution_duration": {seconds}, "io_log": [{log}], "outcome": "pass", "return_code": 0}}"#
    )
}

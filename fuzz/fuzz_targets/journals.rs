#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| pitstop_fuzz::journals(data));

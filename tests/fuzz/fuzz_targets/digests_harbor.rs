#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| moorage_upstream::fuzz::run("digests_harbor", bytes));

//! libFuzzer's entry to [`talko_fuzz::decoder`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| talko_fuzz::decoder(data));

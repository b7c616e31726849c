#![no_main]

use pop3fs_fuzz::{sow, targets::OPTIONS};

libfuzzer_sys::fuzz_target!(init: sow(OPTIONS), |octets: &[u8]| (OPTIONS.check)(octets));

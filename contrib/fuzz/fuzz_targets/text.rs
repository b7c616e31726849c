#![no_main]

use pop3fs_fuzz::{sow, targets::TEXT};

libfuzzer_sys::fuzz_target!(init: sow(TEXT), |octets: &[u8]| (TEXT.check)(octets));

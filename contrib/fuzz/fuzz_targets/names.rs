#![no_main]

use pop3fs_fuzz::{sow, targets::NAMES};

libfuzzer_sys::fuzz_target!(init: sow(NAMES), |octets: &[u8]| (NAMES.check)(octets));

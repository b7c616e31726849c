#![no_main]

use pop3fs_fuzz::{sow, targets::HEADERS};

libfuzzer_sys::fuzz_target!(init: sow(HEADERS), |octets: &[u8]| (HEADERS.check)(octets));

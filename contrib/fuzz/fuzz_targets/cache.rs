#![no_main]

use pop3fs_fuzz::{sow, targets::CACHE};

libfuzzer_sys::fuzz_target!(init: sow(CACHE), |octets: &[u8]| (CACHE.check)(octets));

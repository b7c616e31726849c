#![no_main]

use pop3fs_fuzz::{sow, targets::PARTS};

libfuzzer_sys::fuzz_target!(init: sow(PARTS), |octets: &[u8]| (PARTS.check)(octets));

#![no_main]

use pop3fs_fuzz::{sow, targets::QUERY};

libfuzzer_sys::fuzz_target!(init: sow(QUERY), |octets: &[u8]| (QUERY.check)(octets));

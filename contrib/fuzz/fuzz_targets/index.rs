#![no_main]

use pop3fs_fuzz::{sow, targets::INDEX};

libfuzzer_sys::fuzz_target!(init: sow(INDEX), |octets: &[u8]| (INDEX.check)(octets));

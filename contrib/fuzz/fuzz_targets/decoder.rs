#![no_main]

use pop3fs_fuzz::{sow, targets::DECODER};

libfuzzer_sys::fuzz_target!(init: sow(DECODER), |octets: &[u8]| (DECODER.check)(octets));

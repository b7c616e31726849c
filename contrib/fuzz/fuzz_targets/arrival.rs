#![no_main]

use pop3fs_fuzz::{sow, targets::ARRIVAL};

libfuzzer_sys::fuzz_target!(init: sow(ARRIVAL), |octets: &[u8]| (ARRIVAL.check)(octets));

#![no_main]

use pop3fs_fuzz::{sow, targets::SOURCE};

libfuzzer_sys::fuzz_target!(init: sow(SOURCE), |octets: &[u8]| (SOURCE.check)(octets));

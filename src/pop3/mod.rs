//! The POP3 protocol without input or output: bytes in, events out.

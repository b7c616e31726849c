//! One stream to the server: TCP, TLS, STLS and time-outs.

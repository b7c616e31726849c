//! Arguments, options, passwords, the daemon and its control socket.

//! DELE of every message at once.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::thread;

use anyhow::{Result, anyhow, ensure};

use super::RawSession;

impl RawSession {
    /// DELE of every message and QUIT; returns when the server has closed the connection.
    pub(crate) fn delete_all(self) -> Result<u64> {
        let mut commands = String::new();
        (1..=self.messages).try_for_each(|number| write!(commands, "DELE {number}\r\n"))?;
        commands.push_str("QUIT\r\n");
        let mut writer = self.stream.try_clone()?;
        thread::scope(|scope| {
            let writing = scope.spawn(move || writer.write_all(commands.as_bytes()));
            let accepted = self.count_accepted();
            if accepted.is_err() {
                // Or the writer might wait for ever.
                let _ = self.stream.shutdown(Shutdown::Both);
            }
            writing
                .join()
                .map_err(|_| anyhow!("the writer panicked"))??;
            let (accepted, commands) = (accepted?, u64::from(self.messages) + 1);
            ensure!(accepted == commands, "{accepted} of {commands} are +OK");
            Ok(accepted)
        })
    }

    /// Counts the lines of `+OK` up to the end of the connection.
    fn count_accepted(&self) -> Result<u64> {
        let mut accepted = 0;
        for line in BufReader::new(&self.stream).split(b'\n') {
            accepted += u64::from(line?.starts_with(b"+OK"));
        }
        Ok(accepted)
    }
}

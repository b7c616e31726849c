//! Downloaders, and an index of local mail, called as their manuals tell to call them.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::command::Finished;
use crate::place::Place;
use crate::servers::{PASSWORD, USER};

/// Seconds that mpop takes to fetch every message into the Maildir that it returns, which was
/// empty.
pub(crate) fn mpop(place: &Place, port: u16) -> Result<(f64, PathBuf)> {
    let folder = place.empty_folder("mpop")?;
    let maildir = folder.join("Maildir");
    for part in ["cur", "new", "tmp"] {
        fs::create_dir_all(maildir.join(part))?;
    }
    let settings = folder.join("mpoprc");
    let text = format!(
        "account default\nhost 127.0.0.1\nport {port}\nuser {USER}\npassword {PASSWORD}\nauth user\ntls off\n\
         keep on\nreceived_header off\nuidls_file {}\ndelivery maildir {}\n",
        folder.join("uidls").display(),
        maildir.display()
    );
    write_secret(&settings, &text)?;
    let mut command = Command::new("mpop");
    command.arg("--file").arg(&settings).arg("--quiet");
    let finished = place.run(&mut command)?;
    Ok((finished.seconds, maildir))
}

/// Seconds that one process of curl takes to fetch every message into the folder that it returns,
/// which was empty.
pub(crate) fn curl(place: &Place, port: u16, messages: u32) -> Result<(f64, PathBuf)> {
    let folder = place.empty_folder("curl")?;
    let settings = place.folder("settings")?.join("curlrc");
    let text = format!(
        "{}url = \"pop3://127.0.0.1:{port}/[1-{messages}]\"\noutput = \"{}/#1\"\n",
        curl_login(),
        folder.display()
    );
    write_secret(&settings, &text)?;
    let finished = place.run(Command::new("curl").arg("--config").arg(&settings))?;
    Ok((finished.seconds, folder))
}

/// Seconds that curl takes to fetch the first message and to throw it away.
pub(crate) fn curl_to_nowhere(place: &Place, port: u16) -> Result<f64> {
    let settings = place.folder("settings")?.join("curlrc");
    let text = format!(
        "{}url = \"pop3://127.0.0.1:{port}/1\"\noutput = \"/dev/null\"\n",
        curl_login()
    );
    write_secret(&settings, &text)?;
    let finished = place.run(Command::new("curl").arg("--config").arg(&settings))?;
    Ok(finished.seconds)
}

/// notmuch, which has all files of a folder in its index.
#[derive(Debug)]
pub(crate) struct Notmuch {
    settings: PathBuf,
}

impl Notmuch {
    /// Indexes a folder, in a database of its own.
    pub(crate) fn index(place: &Place, folder: &Path) -> Result<Self> {
        let database = place.empty_folder("notmuch")?;
        let settings = place.folder("settings")?.join("notmuchrc");
        let text = format!(
            "[database]\npath={}\nmail_root={}\n[new]\ntags=\n",
            database.display(),
            folder.display()
        );
        fs::write(&settings, text)?;
        let notmuch = Self { settings };
        place.run(notmuch.command().args(["new", "--quiet"]))?;
        Ok(notmuch)
    }

    /// A line for each message with the word, where each is a thread of its own.
    pub(crate) fn search(&self, place: &Place, word: &str) -> Result<Finished> {
        place.run(self.command().args(["search", word]))
    }

    fn command(&self) -> Command {
        let mut command = Command::new("notmuch");
        command.env("NOTMUCH_CONFIG", &self.settings);
        command
    }
}

fn curl_login() -> String {
    format!("silent\nshow-error\nuser = \"{USER}:{PASSWORD}\"\n")
}

/// mpop refuses a file with a password that others can read.
fn write_secret(path: &Path, text: &str) -> Result<()> {
    let mut file = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

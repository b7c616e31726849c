//! Authentication: each mechanism on a real server, and servers that cheat.

#[path = "../common/mod.rs"]
mod common;

mod choice;
mod dovecot;
mod guard;
mod outages;
mod scram;
mod tokens;

use std::fs;

use common::{Mount, MountBuilder, assert_says};

/// Dovecot delays each login after a wrong password longer, which would take minutes here.
const NO_PENALTY: &str = "auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}";

fn in_the_clear(source: &str, mechanism: &str) -> MountBuilder {
    MountBuilder::new(source)
        .option("tls=off")
        .option(&format!("auth={mechanism}"))
}

/// What pop3fs says when it does not mount, without "pop3fs: ".
fn refusal(builder: MountBuilder) -> String {
    let output = builder.refused();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let sentence = said
        .strip_prefix("pop3fs: ")
        .and_then(|said| said.strip_suffix('\n'));
    sentence.unwrap_or_else(|| panic!("{said}")).to_owned()
}

fn count(mount: &Mount) -> usize {
    fs::read_dir(mount.path()).expect("the root").count()
}

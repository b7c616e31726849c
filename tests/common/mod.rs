//! Shared by the integration tests: real POP3 servers, a lying server, an independent client, the
//! mount.
//!
//! Real servers: [`Dovecot`], [`Mailutils`], [`Mpopd`]; in front of them [`Nginx`], [`Perdition`].
//! A server that lies on demand: [`Liar`], built on [`Scripted`], which knows no protocol. What a
//! server really has: [`retr_all`]. The program under test: [`Mount`]. Any other program, with a
//! time limit: [`run`].
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "every test binary includes this and uses only a part of it"
)]

mod background;
mod client;
mod command;
mod control_group;
pub mod corpus;
mod dovecot;
pub mod gathered;
mod ground;
mod launch;
mod liar;
mod mail_proxy;
mod maildir;
mod mailutils;
mod mbox;
mod mount;
mod mpopd;
mod output;
mod pages;
mod patience;
mod process_group;
mod scripted;
mod terminal;
mod tls;
pub mod token;

pub use background::{Background, Reading, readers, waits_for_fuse};
pub use client::{ReferenceClient, Retrieved, retr_all};
pub use command::{output_within, run, stdout_of};
pub use control_group::with_own_control_group;
pub use dovecot::{Dovecot, DovecotOptions, Store};
pub use ground::Ground;
pub use launch::free_port;
pub use liar::{Liar, Received, Reply, RetrFault};
pub use mail_proxy::{Nginx, Perdition, closed_port};
pub use mailutils::{Mailutils, MailutilsOptions};
pub use mount::{Ended, Mount, MountBuilder, PROGRAM, Place};
pub use mpopd::Mpopd;
pub use output::{assert_failed, assert_says, sentence, stderr, stdout};
pub use pages::forget_pages;
pub use patience::{PATIENCE, eventually, eventually_within};
pub use scripted::{Gate, Peer, Scripted};
pub use terminal::{SET_SIZE, run_on_a_terminal};
pub use tls::{Certificate, Identity};

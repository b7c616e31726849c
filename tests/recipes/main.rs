//! The blocks of README.md and contrib/doc, character by character as they stand there, by an
//! ordinary user on a terminal.

#[path = "../common/mod.rs"]
mod common;

mod coverage;
mod first_steps;
mod home;
mod mailbox;
mod pages;
mod recipes;
mod services;
mod sessions;

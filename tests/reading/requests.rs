//! What each operation costs at the server: a listing nothing, a stat one TOP, a read one RETR, and
//! each only once.

use super::common::{Liar, Mount, corpus, stdout_of};
use super::in_clear;

const COUNT: usize = 25;

fn maildrop() -> (Liar, Mount) {
    with_options(&[])
}

fn with_options(options: &[&str]) -> (Liar, Mount) {
    let liar = Liar::start(&corpus::realistic(3, COUNT));
    let mount = in_clear(&liar.source(), options);
    (liar, mount)
}

/// How many TOP and RETR have come.
fn asked(liar: &Liar) -> (usize, usize) {
    (liar.count("TOP"), liar.count("RETR"))
}

fn ls(mount: &Mount) {
    let names = stdout_of(&["ls", mount.arg()]);
    assert_eq!(names.lines().count(), COUNT);
}

fn ls_l(mount: &Mount) {
    let lines = stdout_of(&["ls", "-l", mount.arg()]);
    assert_eq!(lines.lines().count(), 1 + COUNT);
}

fn cat_all(mount: &Mount) -> String {
    stdout_of(&["sh", "-c", "cat \"$1\"/*.eml", "sh", mount.arg()])
}

#[test]
fn a_mere_listing_asks_for_no_message() {
    let (liar, mount) = maildrop();
    ls(&mount);
    assert_eq!(asked(&liar), (0, 0));
}

#[test]
fn a_long_listing_asks_for_each_header_once() {
    let (liar, mount) = maildrop();
    ls_l(&mount);
    assert_eq!(asked(&liar), (COUNT, 0));
}

#[test]
fn a_second_long_listing_sends_nothing() {
    let (liar, mut mount) = maildrop();
    ls_l(&mount);
    let before = liar.commands();
    ls_l(&mount);
    assert_eq!(liar.commands(), before);
    mount.remount();
    ls_l(&mount);
    assert_eq!(asked(&liar), (COUNT, 0));
}

#[test]
fn a_long_listing_after_a_read_asks_for_no_header() {
    let (liar, mount) = maildrop();
    cat_all(&mount);
    let (headers, _) = asked(&liar);
    ls_l(&mount);
    assert_eq!(asked(&liar), (headers, COUNT));
}

#[test]
fn a_second_cat_sends_nothing() {
    let (liar, mount) = maildrop();
    let first = cat_all(&mount);
    let before = liar.commands();
    assert_eq!(cat_all(&mount), first);
    assert_eq!(liar.commands(), before);
}

#[test]
fn a_server_without_top_is_asked_for_the_body_which_is_kept() {
    let (liar, mount) = maildrop();
    liar.on("TOP", super::common::Reply::Err("unknown command"));
    ls_l(&mount);
    assert_eq!(liar.count("RETR"), COUNT);
    cat_all(&mount);
    assert_eq!(liar.count("RETR"), COUNT);
}

#[test]
fn without_mtime_no_header_is_asked_for() {
    let (liar, mount) = with_options(&["mtime=none"]);
    ls_l(&mount);
    assert_eq!(asked(&liar), (0, 0));
}

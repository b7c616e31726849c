//! A laptop that has slept: the server has not, and its session and the listing are old.
//!
//! The tests cannot suspend the machine. A library that the mount loads before all others has its
//! clock go on, as the clock does that counts the time of a suspend.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::{Mount, assert_reads};
use crate::common::{Liar, MountBuilder, corpus, eventually, stdout_of};

/// CLOCK_BOOTTIME goes on by the seconds that a file tells.
const CLOCK: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(clock, time);
    long slept = 0;
    FILE *file = clock == CLOCK_BOOTTIME ? fopen(getenv("SLEPT"), "r") : NULL;
    if (file) {
        if (fscanf(file, "%ld", &slept) == 1)
            time->tv_sec += slept;
        fclose(file);
    }
    return result;
}
"#;
const HOURS: &str = "30000";

struct Laptop {
    folder: TempDir,
    mount: Mount,
}

impl Laptop {
    fn mount(liar: &Liar, options: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (source, library) = (
            folder.path().join("clock.c"),
            folder.path().join("clock.so"),
        );
        fs::write(&source, CLOCK).expect("a source");
        let compiler = ["cc", "-shared", "-fPIC", "-o"].map(Path::new);
        stdout_of(&[&compiler[..], &[&library, &source, Path::new("-ldl")]].concat());
        let text = |path: &Path| path.to_str().expect("a path").to_owned();
        let mount = MountBuilder::new(&liar.source())
            .option("tls=off")
            .option(options)
            .environment("LD_PRELOAD", &text(&library))
            .environment("SLEPT", &text(&folder.path().join("slept")))
            .mount();
        Self { folder, mount }
    }

    fn sleep(&self) {
        fs::write(self.folder.path().join("slept"), HOURS).expect("a file");
    }

    fn listed(&self) -> usize {
        fs::read_dir(self.mount.path()).expect("a listing").count()
    }
}

fn two_messages() -> [Vec<u8>; 2] {
    [&b"one\r\n"[..], b"two\r\n"].map(corpus::with_body)
}

#[test]
fn a_listing_from_before_a_suspend_is_renewed() {
    let liar = Liar::start(&two_messages());
    let laptop = Laptop::mount(&liar, "refresh=1h");
    liar.add(&corpus::with_body(b"three\r\n"));
    assert_eq!(laptop.listed(), 2);
    laptop.sleep();
    eventually("the new message", || (laptop.listed() == 3).then_some(()));
    assert_eq!(laptop.listed(), 3);
    assert_eq!(liar.count("LIST"), 2);
}

#[test]
fn a_session_from_before_a_suspend_is_not_used() {
    let messages = two_messages();
    let liar = Liar::start(&messages);
    let laptop = Laptop::mount(&liar, "idle_timeout=1h,refresh=1day");
    assert_reads(&laptop.mount, "liar-1.eml", &messages[0]);
    assert_eq!(liar.count("PASS"), 1);
    laptop.sleep();
    assert_reads(&laptop.mount, "liar-2.eml", &messages[1]);
    assert_eq!((liar.count("PASS"), liar.count("QUIT")), (2, 0));
}

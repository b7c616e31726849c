//! A POP3 maildrop as a directory.
//!
//! ```text
//!   shell, grep, rsync, mutt                                         POP3 server
//!        │ system calls                                                    ▲
//!        ▼                                                                 │ TLS
//!   kernel ──FUSE──▶ fs ────── looks up, wants ──────▶ maildrop ──────────▶ net
//!                    ▲                                 │  engine: one thread,
//!                    └── reply, when the want is met ──┘  one connection; pop3: bytes ⇄ events
//!                                                      │
//!                                                      ▼
//!                                                    store: the index; bodies in memory and on disk
//! ```
//!
//! # What flows where
//!
//! * **A directory listing** is STAT, UIDL and LIST of a session. [`maildrop`] keeps it until a
//!   later session renews it. In the root, `readdir` and `lookup` answer from it and from nothing
//!   else.
//! * **A stat** shows LIST's octets until the body was seen once, and the exact size from then on.
//!   Its mtime is the arrival that the headers tell, which costs one TOP the first time that a
//!   `getattr` asks. Its ctime is when this machine first listed the message.
//! * **An open** wants the body, from memory, disk or the server. Of one on disk it keeps the file.
//!   Else the engine sends RETR, corrects the size and has the kernel forget the old one; then the
//!   open is answered. Of a small file that is opened for the first time the kernel gets the content
//!   before the answer. A **read** answers from the body that the open has kept. It verifies a body
//!   on disk; if it is damaged, the read waits until the engine has fetched the message again.
//!   Bodies are kept with CRLF only; where lines end in LF, the read drops the CRs on the way.
//! * **A reply** is believed once the session has shown that its replies are in step
//!   (`maildrop/engine/transfer.rs`). Until then it reaches neither a reader nor the cache.
//! * **An unlink** makes the message pending. A commit (`fsync` of the directory, `pop3fs commit`,
//!   the end of the mount) has the session show each pending message again
//!   (`maildrop/engine/confirm.rs`), sends DELE for those that are the ones that the user removed,
//!   and QUIT. What the server answers is the verdict that the user sees. Removing many messages
//!   unasked needs that the removing program has read them (`maildrop/deletion/limit.rs`).
//! * **A view** (`fs/views`) shows the same messages in another form, in a hidden directory. A pure
//!   function of [`message`] makes it from the body when it is first opened, in a thread of its
//!   own; later it is made only if the kernel has lost its pages. Headers come from the body where
//!   it is at hand, else from TOP. `.search/QUERY` lists what a query of [`search`] finds in the
//!   full-text index.
//! * **Accesses in directory order** have what comes next fetched ahead, in one pipeline, up to a
//!   window of octets.
//! * **Without the server** the last complete listing is shown ([`store::LastListing`]), and
//!   removals are kept in the index until they are settled (`maildrop/shared/away.rs`).
//! * **What was learnt** of a message (inode number, exact size, arrival, title, digests of its
//!   headers, a mail reader's flags; by unique-id) goes to the index. Complete bodies go to the
//!   cache on disk. Both are there at the next mount.
//!
//! # Invariants
//!
//! 1. A message that the user did not remove is never deleted by us, whatever the server, the link
//!    or the machine does. DELE is sent only for a number that this session's UIDL (or, without
//!    UIDL, the headers seen in this session) gave a pending message, and that shows the headers
//!    that were known, with QUIT right behind. A crash, a kill or a lost link sends no QUIT. The
//!    last commit begins only after the mount has left the mount table: an aborted FUSE connection
//!    or a failed unmount deletes nothing.
//! 2. Bytes read are the bytes that the server sent for that message. A short, broken or
//!    unconfirmed transfer is an error, never a short file.
//! 3. Size after open, name, inode number and mtime are exact, and the same in every session and
//!    mount.
//! 4. No handler waits for the network: it answers from memory or leaves its reply with what it
//!    waits for ([`fs::KernelReply`]). Every reply is answered in the end. A dead link leaves the
//!    mount usable for what is cached.
//! 5. Nothing from the server or from a message can write outside of its place, make us allocate
//!    without bound, or panic.
//! 6. The password is never in an argument, a log, a core dump or the environment of a child, nor
//!    on a clear link unless the user asks for that.
//!
//! # Modules
//!
//! Dependencies point one way: `cli` → `fs` → `maildrop`, `store`, `message`; `maildrop` → `pop3`,
//! `net`, `store`; `store` → `search` → `message`; and `pop3`, `net`, `message` know nothing else
//! of ours. Each large outside crate is known to one of them alone: fuser to `fs`, rsasl to
//! `maildrop`, native-tls to `net`, rusqlite to `store`, mail-parser and html5gum to `message`,
//! clap to `cli`; jiff to `message` and `search`.
//!
//! | module | what it is | to change it for |
//! |---|---|---|
//! | [`cli`] | arguments, options, passwords, daemon, control socket, the order of a mount's life | a new option or command |
//! | [`fs`] | operations without a reply type, views, errno table, FUSE adapter, mount(2) | what a user sees of a file, a new view |
//! | [`maildrop`] | login, engine, listing, wants, read-ahead, pending deletions, commit, reconnect | a quirk of a server (`connection/quirks.rs` lists them) |
//! | [`pop3`] | the protocol, sans-IO: commands, decoder, replies | a quirk of the wire |
//! | [`net`] | TCP, TLS, time-outs | how the server is reached |
//! | [`store`] | the index, the bodies in memory and on disk | what is remembered |
//! | [`message`] | what a message says: dates, titles, text, parts; octets in, structures out | what is read out of a message |
//! | [`search`] | the query language, folding, what of a message is found by its words | a new kind of term |
//! | [`demo`] | a small maildrop of its own, to try the rest on | `pop3fs demo` |
//!
//! `contrib/doc/HACKING.md` goes from what somebody saw to the file: a message that came back, a wrong
//! date, an old size.
//!
//! Inside each folder files import only what lies below them, and no two files import each other.
//! In `maildrop` the order is handle, engine, shared, session, login, connection, fault, deletion,
//! catalogue.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod cli;
pub mod demo;
pub mod fs;
pub mod maildrop;
pub mod message;
pub mod net;
pub mod pop3;
pub mod search;
pub mod store;

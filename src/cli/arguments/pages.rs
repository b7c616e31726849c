//! The prose of pop3fs(1). [`super::manual`] makes the other parts from definitions.

/// When something here last changed.
pub(super) const LAST_CHANGED: &str = "2026-11-29";

pub(super) const DESCRIPTION: &[&str] = &[
    "pop3fs shows a POP3 mailbox as a directory with one file a message, so that ls, grep, rsync, tar and rm work on mail. It \
     logs in, mounts on MOUNTPOINT, goes to the background, and serves until it is unmounted. pop3fs mount SOURCE MOUNTPOINT \
     is the same.",
    "A message is NAME.eml, where NAME is its unique-id (UIDL), escaped where a file name cannot hold it; its octets are those \
     that the server sends. It has the same name, inode number and time in every mount. It is fetched when it is first \
     opened, and ahead of time where files are read in order, and is then kept in memory and on disk.",
    "New mail appears without remounting. Nothing can be written, created or renamed in the directory.",
];

pub(super) const SOURCE: &[(&str, &str)] = &[
    (
        "pops://USER@HOST[:PORT]",
        "TLS from the first octet, on port 995. Also pop3s://.",
    ),
    (
        "pop://USER@HOST[:PORT]",
        "STLS, on port 110; a server without it is refused unless -o tls=off allows to send the password in clear. Also pop3://.",
    ),
    (
        "USER",
        "may hold an @. What a URL cannot hold is written %XX. A user name can begin with recent: at Gmail. A mechanism may \
         follow: USER;AUTH=PLAIN. A password in the URL is refused.",
    ),
    (
        "NAME",
        "an account of the configuration file (see FILES), with its URL and its options; those of the command line go over them.",
    ),
];

pub(super) const COMMITTING: &[&str] = &[
    "rm takes a message out of the directory and deletes nothing yet. Deletions are committed when the mount ends (pop3fs \
     umount, umount(8), fusermount3 -u, SIGTERM, SIGINT, SIGHUP), by sync MOUNTPOINT, and by pop3fs commit. pop3fs umount, \
     pop3fs commit and sync wait for what the server answers, and fail if it did not do it; after any other end the log tells.",
    "Until then MOUNTPOINT/.deleted/ holds them, and pop3fs restore takes them back. A crash, kill -9 or a lost connection \
     deletes nothing.",
    "Removing many messages that the removing program itself has not read (more than max_delete allows, or more than ten and \
     nearly all of a maildrop) needs a confirmation: --yes lets the commit through, --discard unmounts without it.",
];

pub(super) const VIEWS: &[(&str, &str)] = &[
    (
        ".text/NAME.txt",
        "what a person would read: headers, text and attachments of text, decoded, in UTF-8.",
    ),
    (
        ".headers/NAME.txt",
        "the headers alone, unchanged. They cost a TOP, and not the message.",
    ),
    (
        ".parts/NAME/",
        "headers, text, attachments and nested messages, as files and directories.",
    ),
    (
        ".named/",
        "the messages under names with date, sender and subject.",
    ),
    (
        ".maildir/",
        "a Maildir, for mail readers and indexers; flags are kept on this machine.",
    ),
    (
        ".deleted/",
        "what was removed and is not committed; mv out of it takes a message back.",
    ),
    (
        ".search/QUERY/",
        "what a full-text query finds, with views of its own; pop3fs search says what is wrong with a query. touch \
         .search/QUERY keeps it in the listing of .search.",
    ),
];

pub(super) const OF_VIEWS: &str = "These directories of MOUNTPOINT are in no listing: they are there when they are asked for by name. A message that \
     is removed in one of them is removed in all. -o view=NAME shows one of them in the root, but not .deleted or .search.";

pub(super) const ATTRIBUTES: &[(&str, &str)] = &[
    (
        "mtime",
        "when the message arrived: its topmost Received header, else its Date, else when this machine first saw it; see -o \
         mtime.",
    ),
    (
        "ctime",
        "when this machine first listed the message, also in a later mount with the same cache. find -cnewer and tar --newer \
         go by it.",
    ),
    (
        "size",
        "what LIST says until the message was opened once, and exact from then on.",
    ),
    (
        "user.pop3.uidl, user.mime_type, user.xdg.origin.email.subject, user.xdg.origin.email.from, \
         user.xdg.origin.email.message-id",
        "extended attributes, only with -o xattr: see getfattr(1).",
    ),
];

pub(super) const LIMITS: &[&str] = &[
    "Only the user who mounted sees the files, unless -o allow_other; and of that user only processes with the group of the mount.",
    "A server that lets in one program at a time stays locked while a session is open; idle_timeout closes it.",
    "An attachment cannot be deleted alone: rm in .parts hides it until the mount ends.",
    "The mount cannot be re-exported by NFS or Samba: their clients get a stale file handle.",
    "mount -o remount,ro and remount,rw, which only root may use, change whether the kernel passes removals on, and nothing else; \
     what is mounted with -o ro stays read-only.",
    "Where pop3fs runs in another pid namespace than a reader, kill -9 of the reader does not end its request, which goes on until \
     it is answered or timeout is over; and removals by such a program count as those of one that has not read.",
    "32-bit programs need large-file support.",
];

pub(super) const LOG: &[&str] = &[
    "In the foreground the log goes to standard error: what goes wrong, with -v also what happens, with -d all, with both \
     sides of the protocol. No password is in it, and no octet of a message.",
    "In the background it goes to the journal (journalctl -t pop3fs, or POP3FS_MOUNTPOINT=DIR for one mount), else to syslog. \
     Where there is neither, pop3fs says so, and -o log_file=FILE keeps a log.",
];

pub(super) const EXAMPLES: &[(&str, &str)] = &[
    (
        "Mount, look for something, and unmount:",
        "pop3fs pops://alice@mail.example.org ~/mail\ngrep -rl invoice ~/mail\npop3fs umount ~/mail",
    ),
    (
        "Copy what is new since the last time:",
        "rsync -a ~/mail/ ~/backup/",
    ),
    (
        "Move mail off the server; what could not be copied stays there:",
        "rsync -a --remove-source-files ~/mail/ ~/archive/\npop3fs commit ~/mail",
    ),
    (
        "Without a question, from a script:",
        "pop3fs -o password_command='pass show mail' pops://alice@mail.example.org ~/mail",
    ),
    (
        "In fstab(5), mounted at the first access, for the user alice:",
        "pops://alice@mail.example.org /home/alice/mail fuse.pop3fs noauto,_netdev,x-systemd.automount,setuid=alice,\
         password_file=/home/alice/.mail-password 0 0",
    ),
];

pub(super) const SUCCESS: &str =
    "Done. For a mount: it works; with -f: it has ended, and what was to be deleted is deleted.";

pub(super) const OF_MOUNT: &str = "The numbers are the same for every command. mount(8) and umount(8) hand them on; 1, 2 and 8 mean there what \
     they mean here, and all others have the bit 32, a failed mount.";

pub(super) const ENVIRONMENT: &[(&str, &str)] = &[
    (
        "POP3FS_PASSWORD",
        "The password, where no option says where it comes from.",
    ),
    (
        "CREDENTIALS_DIRECTORY",
        "Set by systemd for services with credentials: the one named pop3fs-password is the password, where neither an option \
         nor POP3FS_PASSWORD says it. After that comes ~/.netrc, and then a question on the terminal.",
    ),
    (
        "HOME, XDG_CONFIG_HOME",
        "Where the files below are: the configuration is in XDG_CONFIG_HOME, else in ~/.config.",
    ),
    (
        "XDG_CACHE_HOME",
        "Where the cache is, in a folder pop3fs; else ~/.cache. -o cache_dir goes over it.",
    ),
    (
        "XDG_RUNTIME_DIR",
        "Where the sockets are by which pop3fs umount and the other commands reach a mount; else in /run/user/UID (root: \
         /run/pop3fs), else in /tmp.",
    ),
    (
        "NOTIFY_SOCKET",
        "Set by systemd for services of Type=notify, which are told when the mount works, how it stands, and what became of \
         the deletions.",
    ),
    (
        "JOURNAL_STREAM",
        "Set by systemd where standard error is the journal: entries then keep their levels.",
    ),
    ("TZ", "The zone of the times in the names of .named."),
    (
        "SSL_CERT_FILE, SSL_CERT_DIR",
        "The authorities to trust in place of the system's, as for every program that uses OpenSSL.",
    ),
];

pub(super) const FILES: &[(&str, &str)] = &[
    (
        "~/.config/pop3fs/config.toml, /etc/pop3fs.toml",
        "Accounts by name: a section [account.NAME] for each, with url = \"pops://USER@HOST\", and options by their names.",
    ),
    (
        "~/.netrc",
        "Passwords, as ftp(1) and curl(1) have them; nobody else may read it.",
    ),
    (
        "~/.cache/pop3fs",
        "For each account, sizes, times and inode numbers, and the messages that were read. It can be deleted while nothing is \
         mounted.",
    ),
    (
        "MOUNTPOINT/.deleted",
        "The deletions that are not committed yet. It is not listed.",
    ),
    (
        "~/.config/pop3fs/NAME.env",
        "What the unit pop3fs@NAME.service of systemd reads: SOURCE, DIR and OPTIONS.",
    ),
];

pub(super) const SEE_ALSO: &[&str] = &[
    "fusermount3(1), getfattr(1), rsync(1), systemctl(1), fuse(4), fstab(5), mount(8), umount(8), umount.fuse.pop3fs(8)",
];

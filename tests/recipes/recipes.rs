//! The recipes of contrib/doc/recipes.md that an ordinary user types.

use crate::home::Home;
use crate::mailbox::{COUNT, everyday, holding, lines_with, subject};
use crate::pages::{block, block_with};

#[test]
fn mail_is_searched() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(&block("recipes.md", "## Search", "sh"), "true");
    let messages = lines_with(&shown, ".eml").len();
    assert_eq!(messages, holding("invoice"), "{shown}");
    let texts = lines_with(&shown, ".txt").len();
    assert_eq!(texts, holding("From: Alice"), "{shown}");
}

#[test]
fn mail_is_found_by_its_date() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(&block("recipes.md", "## Find by date", "sh"), "true");
    // The first message came with the first second of the year; only the others are newer than
    // that.
    assert_eq!(lines_with(&shown, "/home/alice/mail/").len(), COUNT - 1);
}

#[test]
fn the_biggest_messages_come_first() {
    let mut messages = everyday(COUNT);
    messages.push(message_of_size(2_000_000));
    let home = Home::new(&messages);
    let shown = home.run(&block("recipes.md", "## The biggest first", "sh"), "true");
    let listed = lines_with(&shown, "alice alice");
    assert_eq!(listed.len(), COUNT + 1, "{shown}");
    let biggest = listed[0].split(' ').next_back().expect("a name");
    let last = shown.lines().next_back().expect("a line");
    assert_eq!(last, format!("2000000 {biggest}"), "{shown}");
}

/// A message of so many octets.
fn message_of_size(size: usize) -> Vec<u8> {
    let mut octets = b"Subject: big\r\n\r\n".to_vec();
    let line = [[b'x'; 98].as_slice(), b"\r\n"].concat();
    while octets.len() + line.len() <= size {
        octets.extend_from_slice(&line);
    }
    let rest = size - octets.len();
    octets.splice(16..16, vec![b'x'; rest]);
    octets
}

#[test]
fn notmuch_indexes_and_searches() {
    let home = Home::with_everyday_mail(COUNT);
    let recipe = block("recipes.md", "## Index and search with notmuch", "sh");
    let shown = home.run(&recipe, "true");
    assert_eq!(
        lines_with(&shown, "thread:").len(),
        holding("Subject: Re: invoice")
    );
    assert!(
        shown.contains(&format!("Added {COUNT} new messages")),
        "{shown}"
    );
}

#[test]
fn mutt_reads_the_mount() {
    let home = Home::with_everyday_mail(COUNT);
    let shown = home.run(&block("recipes.md", "## Read with mutt", "sh"), "true");
    for index in 0..COUNT {
        assert!(shown.contains(&subject(index)), "{index}: {shown}");
    }
}

#[test]
fn mail_is_copied_once() {
    let home = Home::with_everyday_mail(COUNT);
    let check = "diff -r ~/mail ~/backup; ls ~/backup | wc -l; rsync -ai ~/mail/ ~/backup/";
    assert_eq!(
        home.run(&block("recipes.md", "## Copy what is new", "sh"), check),
        format!("{COUNT}\n")
    );
}

#[test]
fn a_borg_archive_holds_every_octet() {
    let home = Home::with_everyday_mail(COUNT);
    let check = "mkdir ~/out; cd ~/out; borg extract ~/borg::second; diff -r home/alice/mail ~/mail; borg list --short ~/borg";
    let shown = home.run(&block("recipes.md", "## Back up with borg", "sh"), check);
    assert!(shown.ends_with("first\nsecond\n"), "{shown}");
}

#[test]
fn a_restic_snapshot_holds_every_octet() {
    let home = Home::with_everyday_mail(COUNT);
    let check = "restic -r ~/restic -p ~/.restic-password restore latest --target ~/out >/dev/null; \
                 diff -r ~/out/home/alice/mail ~/mail; ls ~/out/home/alice/mail | wc -l";
    let shown = home.run(&block("recipes.md", "## Back up with restic", "sh"), check);
    let second = format!("Files:           0 new,     0 changed,    {COUNT} unmodified");
    assert!(shown.contains(&second), "{shown}");
    assert!(shown.ends_with(&format!("\n{COUNT}\n")), "{shown}");
}

#[test]
fn an_mbox_holds_every_message() {
    let home = Home::with_everyday_mail(COUNT);
    home.write("compare.py", COMPARE);
    let check = format!("python3 {}/compare.py", home.folder().display());
    let recipe = block("recipes.md", "## One mbox of everything", "sh");
    let shown = home.run(&recipe, &check);
    assert_eq!(shown, format!("{COUNT} messages\nequal\n"));
}

/// Whether the mbox has the messages of the Maildir, octet by octet.
const COMPARE: &str = "\
import mailbox, os
home = os.path.expanduser('~')
maildir = mailbox.Maildir(home + '/mail/.maildir', create=False)
mbox = mailbox.mbox(home + '/all.mbox', create=False)
messages = lambda box: sorted(box.get_bytes(key).replace(b'\\n>From ', b'\\nFrom ') for key in box.keys())
print('equal' if messages(maildir) == messages(mbox) else 'different')
";

#[test]
fn formail_writes_an_mbox_of_every_message() {
    let home = Home::with_everyday_mail(COUNT);
    let recipe = block_with(
        "recipes.md",
        "find ~/mail/.maildir/ -type f -exec sh -c 'formail <\"$1\"' sh {} \\; >~/formail.mbox",
    );
    let check = "grep -c '^From sender' ~/formail.mbox; grep -c '^Subject: ' ~/formail.mbox";
    assert_eq!(home.run(&recipe, check), format!("{COUNT}\n{COUNT}\n"));
}

#[test]
fn checksums_prove_a_copy_and_show_damage() {
    let home = Home::with_everyday_mail(COUNT);
    let recipe = block("recipes.md", "## Prove that a copy is complete", "sh");
    assert_eq!(home.run(&recipe, "wc -l <~/manifest"), format!("{COUNT}\n"));
    // The same with a copy that is damaged behind its back: of the same size and time.
    home.write(
        "damage",
        "copy=$(ls ~/backup/* | head -1)\ntouch -r \"$copy\" ~/time\nchmod u+w \"$copy\"\n\
         printf X | dd of=\"$copy\" conv=notrunc status=none\ntouch -r ~/time \"$copy\"\n",
    );
    let folder = home.folder().display();
    let before = format!(
        "mkdir ~/mail; pop3fs pops://alice@mail.example.org ~/mail 2>/dev/null; \
         rsync -a ~/mail/ ~/backup/; bash {folder}/damage; "
    );
    let recipe = recipe.replace("manifest)", "manifest || true)");
    let shown = home.run_bare(&recipe, &before, "pop3fs umount ~/mail >/dev/null");
    assert_eq!(lines_with(&shown, ".eml: FAILED").len(), 1, "{shown}");
    assert_eq!(lines_with(&shown, ">fc").len(), 1, "{shown}");
}

#[test]
fn mail_moves_off_the_server() {
    let home = Home::with_everyday_mail(COUNT);
    let recipe = block("recipes.md", "## Move mail off the server", "sh");
    let shown = home.run(&recipe, "ls ~/archive | wc -l");
    assert!(
        shown.contains(&format!("{COUNT} messages deleted on the server")),
        "{shown}"
    );
    assert!(shown.ends_with(&format!("\n{COUNT}\n")), "{shown}");
    assert_eq!(home.left(), 0);
}

#[test]
fn old_mail_is_taken_away() {
    let home = Home::with_everyday_mail(COUNT);
    let recipe = block("recipes.md", "## Take away what is old", "sh");
    let shown = home.run(&recipe, "ls ~/old | wc -l");
    let pending = lines_with(&shown, "pending  ");
    assert!(pending[0].contains(" 1 deletion, "), "{shown}");
    assert!(shown.ends_with("\n1\n"), "{shown}");
    assert_eq!(home.left(), COUNT - 1);
}

#[test]
fn mail_marked_as_spam_is_deleted() {
    let mut messages = everyday(COUNT);
    for subject in ["one", "two"] {
        let spam = format!("X-Spam-Flag: YES\r\nSubject: {subject}\r\n\r\nHello\r\n");
        messages.push(spam.into_bytes());
    }
    messages.push(b"Subject: re\r\n\r\nX-Spam-Flag: YES\r\n".to_vec());
    let home = Home::new(&messages);
    let recipe = block(
        "recipes.md",
        "## Delete what the server has marked as spam",
        "sh",
    );
    let shown = home.run(&recipe, "true");
    assert!(
        shown.contains("2 messages deleted on the server"),
        "{shown}"
    );
    assert_eq!(home.left(), COUNT + 1);
}

#[test]
fn mail_older_than_a_fortnight_is_deleted() {
    let mut messages = everyday(COUNT);
    // Without a date it shows when this machine first saw it, which is now.
    messages.push(b"Subject: of today\r\n\r\nHello\r\n".to_vec());
    let home = Home::new(&messages);
    let recipe = block("recipes.md", "## Delete what is older than 14 days", "sh");
    let shown = home.run(&recipe, "cat ~/mail/*.eml");
    assert!(
        shown.contains(&format!("{COUNT} messages deleted on the server")),
        "{shown}"
    );
    assert!(shown.contains("Subject: of today\n"), "{shown}");
    assert_eq!(home.left(), 1);
}

#[test]
fn new_mail_is_shown_on_the_desktop() {
    let home = Home::with_everyday_mail(COUNT);
    // Mail that was taken away arrives when it is taken back.
    let before = "mkdir ~/mail; pop3fs pops://alice@mail.example.org ~/mail 2>/dev/null; \
        ls ~/mail | head -1 | xargs -I NAME rm -f ~/mail/NAME; \
        { until pop3fs status --json ~/mail | grep -q watches.:1; do sleep 0.1; done; \
        pop3fs restore ~/mail; until test -s ~/notified; do sleep 0.1; done; \
        pop3fs umount ~/mail; } >/dev/null & ";
    let block = block("recipes.md", "## A notification of new mail", "sh");
    let shown = home.run_bare(&block, before, "cat ~/notified");
    let notified = lines_with(&shown, "-- ");
    assert_eq!(notified.len(), 1, "{shown}");
    assert!(notified[0].contains('@'), "{shown}");
}

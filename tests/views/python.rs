//! Python's email package reads the same files out of well-formed messages, octet by octet.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::corpus::corpus;
use super::gathered::gathered;
use super::generated::generated;
use super::leaves;
use super::targets::survive;

/// Reads messages, one a file, and prints for each whether it is well-formed, and the decoded
/// octets of each part that is neither the message's text nor divided further, in base64, in order;
/// those of nested messages behind.
///
/// What is of the type message/… and no message is taken apart by Python: its octets are not told.
const SCRIPT: &str = r#"
import base64, email, email.policy, json, os, sys

def own(part):
    if part.get_content_maintype() == "multipart" and part.is_multipart():
        for inner in part.get_payload():
            yield from own(inner)
    else:
        yield part

def is_message(part):
    return part.get_content_type() in ("message/rfc822", "message/global")

def files(message):
    for part in own(message):
        if is_message(part):
            continue
        text = part.get_content_type() in ("text/plain", "text/html")
        attached = part.get_content_disposition() == "attachment"
        if text and not attached and (part is message or not part.get_filename()):
            continue
        yield None if part.is_multipart() else base64.b64encode(part.get_payload(decode=True)).decode()

def nested(message):
    for part in filter(is_message, own(message)):
        inner = part.get_payload()[0]
        if str(part.get("Content-Transfer-Encoding")).lower() == "base64":
            inner = parse(base64.b64decode(inner.get_payload()))
        yield inner

def shown(message):
    yield from files(message)
    for inner in nested(message):
        yield from shown(inner)

def parse(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)

def told(octets):
    try:
        message = parse(octets)
        defects = [str(type(defect)) for part in message.walk() for defect in part.defects]
        return {"defects": defects, "files": list(shown(message))}
    except Exception as error:
        return {"defects": [str(error)], "files": []}

for name in sorted(os.listdir(sys.argv[1])):
    with open(os.path.join(sys.argv[1], name), "rb") as file:
        print(json.dumps(told(file.read())))
"#;

/// What Python says of one message.
#[derive(Deserialize)]
struct Told {
    defects: Vec<String>,
    /// In base64, or taken apart.
    files: Vec<Option<String>>,
}

fn python(messages: &[&[u8]]) -> Vec<Told> {
    let folder = tempfile::tempdir().expect("a folder for the messages");
    for (number, message) in messages.iter().enumerate() {
        fs::write(folder.path().join(format!("{number:06}")), message).expect("a message");
    }
    let output = Command::new("python3")
        .args(["-c", SCRIPT])
        .arg(folder.path())
        .output()
        .expect("python3");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = String::from_utf8(output.stdout).expect("JSON");
    let told: Vec<Told> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(told.len(), messages.len());
    told
}

/// The attachments of the message and of those in it.
fn ours(message: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    for leaf in leaves(message) {
        if let Some((_, name)) = leaf.path.rsplit_once("attachments/") {
            files.push((name.to_owned(), leaf.octets));
        }
    }
    files
}

fn assert_agree(name: &str, message: &[u8], python: &Told) {
    let ours = ours(message);
    assert_eq!(ours.len(), python.files.len(), "{name}");
    for ((file, ours), python) in ours.iter().zip(&python.files) {
        let Some(python) = python else { continue };
        let python = STANDARD.decode(python).expect("base64");
        let shown = python.escape_ascii();
        assert!(python == *ours, "{name}, {file}: {shown}");
    }
}

/// Whether the words are in the message, in any case.
fn has(message: &[u8], words: &str) -> bool {
    memchr::memmem::find(&message.to_ascii_lowercase(), words.as_bytes()).is_some()
}

#[test]
fn python_finds_the_same_attachments() {
    let made = corpus();
    let octets: Vec<&[u8]> = made.iter().map(|made| &*made.octets).collect();
    for (made, python) in made.iter().zip(&python(&octets)) {
        assert_agree(made.name, &made.octets, python);
    }
}

#[test]
fn python_finds_the_same_attachments_in_what_others_have_gathered() {
    let mails = gathered();
    let octets: Vec<&[u8]> = mails.iter().map(|mail| &*mail.octets).collect();
    let mut well_formed = 0;
    for (mail, python) in mails.iter().zip(&python(&octets)) {
        survive(&mail.octets);
        // Python leaves uuencoded files in a text, and takes a piece of a message for a file.
        if ["\nbegin 6", "message/partial"]
            .iter()
            .any(|mark| has(&mail.octets, mark))
        {
            continue;
        }
        if python.defects.is_empty() {
            well_formed += 1;
            assert_agree(&mail.name, &mail.octets, python);
        }
    }
    assert!(well_formed > 100, "{well_formed} of {}", mails.len());
}

#[test]
fn python_finds_what_was_put_into_a_message_and_so_do_we() {
    let messages: Vec<_> = (0..300).map(generated).collect();
    let octets: Vec<&[u8]> = messages.iter().map(|message| &*message.octets).collect();
    for (seed, (message, python)) in messages.iter().zip(&python(&octets)).enumerate() {
        let name = format!("seed {seed}");
        assert_eq!(python.defects, [""; 0], "{name}");
        assert_agree(&name, &message.octets, python);
        let ours = ours(&message.octets);
        assert_eq!(ours.len(), message.files.len(), "{name}");
        for ((called, octets), file) in ours.iter().zip(&message.files) {
            assert!(*octets == file.octets, "{name}: {called}");
            let expected = file.name.as_ref().unwrap_or(called);
            assert_eq!(called, expected, "{name}");
        }
    }
}

//! Python's email package reads the same parts out of well-formed messages.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::corpus::corpus;
use super::leaves;

/// Prints the decoded octets of each part that is neither the message's text nor divided further, as hexadecimal, in order; those of
/// nested messages as well.
const SCRIPT: &str = r#"
import base64, email, sys

def files(message):
    for part in own(message):
        if part.get_content_maintype() == "message" and part.get_content_subtype() == "rfc822":
            continue
        text = part.get_content_type() in ("text/plain", "text/html")
        attached = part.get_content_disposition() == "attachment"
        if text and not attached and (part is message or not part.get_filename()):
            continue
        if part.get_content_type() == "message/delivery-status":
            print("report")
        else:
            print(part.get_payload(decode=True).hex())

def own(part):
    if part.get_content_maintype() == "multipart":
        for inner in part.get_payload():
            yield from own(inner)
    else:
        yield part

def nested(message):
    for part in own(message):
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload()[0]
            if part.get("Content-Transfer-Encoding") == "base64":
                inner = email.message_from_bytes(base64.b64decode(inner.get_payload()))
            yield inner

def show(message):
    files(message)
    for inner in nested(message):
        show(inner)

show(email.message_from_bytes(sys.stdin.buffer.read()))
"#;

fn python(message: &[u8]) -> Vec<String> {
    let mut child = Command::new("python3")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(message).expect("python3 reads");
    drop(stdin);
    let output = child.wait_with_output().expect("python3");
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).expect("hexadecimal");
    lines.lines().map(str::to_owned).collect()
}

fn ours(message: &[u8]) -> Vec<String> {
    let attached = leaves(message)
        .into_iter()
        .filter(|leaf| leaf.path.contains("attachments/"));
    attached
        .map(|leaf| {
            leaf.octets
                .iter()
                .map(|octet| format!("{octet:02x}"))
                .collect()
        })
        .collect()
}

#[test]
fn python_finds_the_same_attachments() {
    for made in corpus() {
        let (python, ours) = (python(&made.octets), ours(&made.octets));
        assert_eq!(python.len(), ours.len(), "{}", made.name);
        for (python, ours) in python.iter().zip(&ours) {
            // Python takes a report apart into header blocks.
            assert!(
                python == "report" || python == ours,
                "{}: {python} {ours}",
                made.name
            );
        }
    }
}

//! One line to a server and one back, with the parts that the mount uses.

use std::time::{Duration, Instant};

use pop3fs::net::{Endpoint, Interest, IoOutcome, NetError, Route, Stream, Tls, wait};

use crate::common::PATIENCE;

/// The server on this port, by the name in the certificates of the tests.
pub(crate) fn server_on(port: u16) -> Endpoint {
    let host = "localhost".to_owned();
    Endpoint { host, port }
}

pub(crate) fn route_to(port: u16) -> Route {
    Route::direct(server_on(port))
}

/// Sends a line, which may be empty, and returns the first line of the answer.
pub(crate) fn exchange(route: &Route, tls: Option<&Tls>, line: &str) -> Result<String, NetError> {
    let mut stream = match tls {
        Some(tls) => Stream::connect_secure(route, tls, PATIENCE)?,
        None => Stream::connect(route, PATIENCE)?,
    };
    if !line.is_empty() {
        let written = stream.write(line.as_bytes())?;
        assert_eq!(written, IoOutcome::Moved(line.len()));
    }
    let deadline = Instant::now() + PATIENCE + Duration::from_secs(1);
    let (mut answer, mut octet) = (String::new(), [0]);
    while !answer.ends_with('\n') {
        match stream.read(&mut octet)? {
            IoOutcome::Moved(_) => answer.push(char::from(octet[0])),
            IoOutcome::NotNow => {
                assert!(Instant::now() < deadline, "no answer but {answer:?}");
                wait(Some((&stream, Interest::Read)), None, Some(deadline))?;
            }
        }
    }
    Ok(answer)
}

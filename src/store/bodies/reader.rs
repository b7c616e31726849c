//! A body as a reader sees it.

use std::io;
use std::sync::Arc;

use super::{Body, Eol};

/// A body that is read with these line ends. They are converted in each read.
#[derive(Debug, Clone)]
pub struct BodyReader {
    body: Arc<Body>,
    eol: Eol,
}

impl BodyReader {
    /// The body with these line ends.
    pub fn new(body: Arc<Body>, eol: Eol) -> Self {
        Self { body, eol }
    }

    /// The body as the server sent it.
    pub fn as_it_is(body: Arc<Body>) -> Self {
        Self::new(body, Eol::Crlf)
    }

    /// Its length in octets.
    pub fn len(&self) -> u64 {
        match self.eol {
            Eol::Crlf => self.body.len(),
            Eol::Lf => self.body.len() - self.body.crlfs(),
        }
    }

    /// Whether it has no octets.
    pub fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    /// Whether the body is in a file of its own, as large ones are.
    pub fn has_own_file(&self) -> bool {
        self.body.has_own_file()
    }

    /// The body that is read.
    pub fn body(&self) -> &Arc<Body> {
        &self.body
    }

    /// Another body, read with the same line ends.
    #[must_use]
    pub fn with_body(&self, body: Arc<Body>) -> Self {
        Self::new(body, self.eol)
    }

    /// As [`Body::read_at`].
    ///
    /// # Errors
    /// As there.
    pub fn read_at<'a>(
        &'a self,
        offset: u64,
        length: usize,
        buffer: &'a mut Vec<u8>,
    ) -> io::Result<&'a [u8]> {
        match self.eol {
            Eol::Crlf => self.body.read_at(offset, length, buffer),
            Eol::Lf => self.body.read_lf_at(offset, length, buffer),
        }
    }
}

//! One complete message.
use std::fmt;

/// The octets of one whole message as the server sent them, without the dots of the transfer. It never changes: share it
/// as `Arc<Body>`.
pub struct Body {
    octets: Box<[u8]>,
}

impl Body {
    /// Takes the octets of a complete message.
    pub fn new(octets: Vec<u8>) -> Self {
        let octets = octets.into_boxed_slice();
        Self { octets }
    }

    /// The length in octets.
    pub fn len(&self) -> u64 {
        self.octets.len() as u64
    }

    /// Whether there is not one octet.
    pub fn is_empty(&self) -> bool {
        self.octets.is_empty()
    }

    /// At most `length` octets from `offset` on: fewer at the end, none past it.
    pub fn slice(&self, offset: u64, length: usize) -> &[u8] {
        let start = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(self.octets.len());
        let end = start.saturating_add(length).min(self.octets.len());
        &self.octets[start..end]
    }

    /// All octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets
    }
}

impl fmt::Debug for Body {
    /// The length only: mail does not belong into a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} octets)", self.octets.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_is_clamped_to_the_body() {
        let body = Body::new(b"0123456789".to_vec());
        assert_eq!(body.slice(0, 4), b"0123");
        assert_eq!(body.slice(8, 4), b"89");
        assert_eq!(body.slice(3, usize::MAX), b"3456789");
        assert_eq!(body.slice(3, 0), b"");
    }

    #[test]
    fn a_slice_past_the_end_is_empty() {
        let body = Body::new(b"0123456789".to_vec());
        assert_eq!(body.slice(10, 1), b"");
        assert_eq!(body.slice(u64::MAX, usize::MAX), b"");
    }

    #[test]
    fn an_empty_body_is_empty() {
        let body = Body::new(Vec::new());
        assert!(body.is_empty());
        assert_eq!(body.len(), 0);
        assert_eq!(body.slice(0, 1), b"");
    }

    #[test]
    fn debug_does_not_show_the_mail() {
        assert_eq!(
            format!("{:?}", Body::new(b"secret".to_vec())),
            "Body(6 octets)"
        );
    }
}

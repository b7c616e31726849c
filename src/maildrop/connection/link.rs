//! A connection with its protocol state: commands go out, events come in, silence is noticed.

use std::io;
use std::time::{Duration, Instant};

use zeroize::{Zeroize, Zeroizing};

use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::connection::reply_rate::ReplyRate;
use crate::maildrop::connection::secrets::Secrets;
use crate::maildrop::fault::Fault;
use crate::net::{Interest, IoOutcome, NetError, Protection, Ready, Stream, Tls, WakeUp, wait};
use crate::pop3::{Command, Decoder, Event, Status};

/// Octets read at once: some round trips' worth, and few system calls for a large body.
const READ_OCTETS: usize = 256 * 1024;
/// A server that says less of a listing or a body in a whole time-out is as good as silent: one octet a second would
/// keep everybody waiting for ever.
const LEAST_PROGRESS: usize = 64;
/// After a rest of so long the connection may be half open: the server, or something between, has forgotten it. It is
/// given up after half of the time-out then, in time for another.
const REST: Duration = Duration::from_secs(5);

/// A connection. Blocking calls ([`Link::status`], [`Link::lines`]) are for the log-in, where one reply decides the
/// next command; [`Link::queue`], [`Link::exchange`] and [`Link::next_event`] are for a pipeline.
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    decoder: Decoder,
    incoming: Vec<u8>,
    /// What of `incoming` is not decoded yet.
    unread: std::ops::Range<usize>,
    outgoing: Zeroizing<Vec<u8>>,
    /// Several replies were owed at once since none was.
    had_several: bool,
    secrets: Secrets,
    timeout: Duration,
    /// How long the server may be silent now.
    patience: Duration,
    /// When the server last got on with its replies, or was first owed something.
    heard: Instant,
    /// Octets of a listing or a body since then.
    progress: usize,
    rate: ReplyRate,
    last_heard: LastHeard,
}

impl Link {
    /// The server owes its greeting.
    pub(crate) fn new(stream: Stream, timeout: Duration, last_heard: LastHeard) -> Link {
        let mut decoder = Decoder::new();
        decoder.expect(crate::pop3::Shape::Status);
        Link {
            stream,
            decoder,
            incoming: vec![0; READ_OCTETS],
            unread: 0..0,
            outgoing: Zeroizing::new(Vec::new()),
            had_several: false,
            secrets: Secrets::default(),
            timeout,
            patience: timeout,
            heard: Instant::now(),
            progress: 0,
            rate: ReplyRate::begin(),
            last_heard,
        }
    }

    pub(crate) fn stream(&self) -> &Stream {
        &self.stream
    }

    pub(crate) fn protection(&self) -> Protection {
        self.stream.protection()
    }

    /// Puts TLS on the connection. Octets that came in clear behind the +OK of STLS were injected by somebody between
    /// (CVE-2020-14954, CVE-2021-22947), and end the session.
    pub(crate) fn secure(self, tls: &Tls) -> Result<Link, Fault> {
        if !self.unread.is_empty() || self.owed() > 0 {
            return Err(Fault::Unsupported(
                "octets came in clear behind the server's answer to STLS: somebody may be tampering with the connection",
            ));
        }
        let stream = self.stream.secure(tls)?;
        Ok(Link {
            stream,
            heard: Instant::now(),
            ..self
        })
    }

    /// How many replies the server owes.
    pub(crate) fn owed(&self) -> usize {
        self.decoder.owed()
    }

    /// Whether commands were in flight together, since none was.
    pub(crate) fn had_several(&self) -> bool {
        self.had_several
    }

    /// Whether some of them are.
    pub(crate) fn is_amid_several(&self) -> bool {
        self.had_several && self.owed() > 0
    }

    /// When the server last got on with its replies.
    pub(crate) fn heard(&self) -> Instant {
        self.heard
    }

    /// Has the server be silent for so long from now on.
    pub(crate) fn allow_silence(&mut self, longest: Duration) {
        self.timeout = longest;
        self.patience = longest;
    }

    /// Writes the command into the buffer that the next [`Link::exchange`] sends.
    pub(crate) fn queue(&mut self, command: &Command<'_>) -> Result<(), Fault> {
        log::trace!("C: {command}");
        if self.decoder.owed() == 0 {
            self.refuse_what_is_unasked()?;
            let now = Instant::now();
            if now.duration_since(self.heard) >= REST {
                self.patience = self.timeout / 2;
            }
            self.heard = now;
            self.rate = ReplyRate::begin();
        }
        let begin = self.outgoing.len();
        command.encode(&mut self.outgoing)?;
        if let Some(secret) = command.secret_in(&self.outgoing[begin..]) {
            self.secrets.add(secret);
        }
        if !matches!(command, Command::SaslResponse(_) | Command::SaslCancel) {
            self.had_several = self.decoder.owed() > 0;
            self.decoder.expect(command.shape());
        }
        Ok(())
    }

    /// The next event of what has come, `None` where more must come first.
    pub(crate) fn next_event(&mut self) -> Result<Option<Event<'_>>, Fault> {
        let mut input = &self.incoming[self.unread.clone()];
        let event = self.decoder.next(&mut input);
        self.unread.start = self.unread.end - input.len();
        let event = event
            .map_err(|error| self.secrets.withhold_from(error.into()))?
            .map(|event| self.secrets.withhold(event));
        if let Some(event) = &event {
            log::trace!("S: {}", self.secrets.readable(event));
        }
        match &event {
            Some(Event::Body(octets) | Event::Line(octets)) => self.rate.note(octets.len()),
            Some(Event::Done(_) | Event::End | Event::Challenge(_)) => {
                self.rate = ReplyRate::begin();
            }
            Some(Event::Opened(_)) | None => {}
        }
        self.progress += match &event {
            Some(Event::Body(octets) | Event::Line(octets)) => octets.len(),
            Some(_) => LEAST_PROGRESS,
            None => 0,
        };
        if self.progress >= LEAST_PROGRESS {
            self.progress = 0;
            self.patience = self.timeout;
            self.heard = Instant::now();
            self.last_heard.note();
        }
        Ok(event)
    }

    /// Sends and receives until something has come, the bell rings, or `until`; but silence for a whole time-out
    /// while a reply is owed is an error, and so is a server that does not get on with it.
    pub(crate) fn exchange(
        &mut self,
        wake_up: Option<&WakeUp>,
        until: Option<Instant>,
    ) -> Result<Ready, Fault> {
        self.send()?;
        if self.receive()? {
            return Ok(Ready {
                readable: true,
                ..Ready::default()
            });
        }
        let patience = (self.owed() > 0).then(|| {
            let latest = self.rate.latest(self.timeout);
            latest.min(self.heard + self.patience)
        });
        let deadline = [patience, until].into_iter().flatten().min();
        let interest = if self.outgoing.is_empty() {
            Interest::Read
        } else {
            Interest::ReadAndWrite
        };
        let mut ready = wait(Some((&self.stream, interest)), wake_up, deadline)?;
        if ready.writable {
            self.send()?;
        }
        // What has come may be of TLS alone, such as a session ticket.
        ready.readable = ready.readable && self.receive()?;
        if !ready.readable && patience.is_some_and(|patience| Instant::now() >= patience) {
            return Err(self.silence().into());
        }
        Ok(ready)
    }

    fn silence(&self) -> NetError {
        if self.patience < self.timeout {
            return NetError::Broken(io::Error::new(
                io::ErrorKind::TimedOut,
                "no answer after a rest",
            ));
        }
        NetError::Silence(self.timeout)
    }

    /// Queues a command of a one-line reply, waits for it, and looks at it.
    pub(crate) fn status<T>(
        &mut self,
        command: &Command<'_>,
        look: impl FnOnce(&Status<'_>) -> T,
    ) -> Result<T, Fault> {
        self.queue(command)?;
        self.reply(look)
    }

    /// Waits for a one-line reply that is owed already.
    pub(crate) fn reply<T>(&mut self, look: impl FnOnce(&Status<'_>) -> T) -> Result<T, Fault> {
        loop {
            if let Some(event) = self.next_event()? {
                return match event {
                    Event::Done(status) => Ok(look(&status)),
                    _ => Err(Fault::Unsupported(
                        "the server sent a reply of several lines where one line was due",
                    )),
                };
            }
            self.exchange(None, None)?;
        }
    }

    /// Queues a command of a reply of several lines and takes each; an -ERR ends it with `refuse`'s fault.
    pub(crate) fn lines(
        &mut self,
        command: &Command<'_>,
        refuse: impl FnOnce(&Status<'_>) -> Fault,
        mut take: impl FnMut(&[u8]) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.queue(command)?;
        loop {
            match self.next_event()? {
                Some(Event::Done(status)) => return Err(refuse(&status)),
                Some(Event::Line(line)) => {
                    take(line).map_err(|fault| self.secrets.withhold_from(fault))?;
                }
                Some(Event::End) => return Ok(()),
                Some(Event::Opened(_) | Event::Challenge(_) | Event::Body(_)) => {}
                None => {
                    self.exchange(None, None)?;
                }
            }
        }
    }

    /// Sends the command of each item, `ahead` of the replies at most; shows `take` each event of a reply, with its item.
    pub(crate) fn pipeline<T>(
        &mut self,
        items: &[T],
        ahead: usize,
        command: impl Fn(&T) -> Command<'static>,
        mut take: impl FnMut(&T, Event<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut unsent = items.iter();
        let mut unanswered = items.iter();
        while let Some(item) = unanswered.as_slice().first() {
            while unanswered.len() - unsent.len() < ahead
                && let Some(next) = unsent.next()
            {
                self.queue(&command(next))?;
            }
            let Some(event) = self.next_event()? else {
                self.exchange(None, None)?;
                continue;
            };
            if matches!(event, Event::Done(_) | Event::End) {
                unanswered.next();
            }
            take(item, event)?;
        }
        Ok(())
    }

    /// Queues a command of a reply with a body and takes that whole; `None` where the server refuses.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] for more than `most` octets.
    pub(crate) fn body(
        &mut self,
        command: &Command<'_>,
        most: u64,
    ) -> Result<Option<Vec<u8>>, Fault> {
        self.queue(command)?;
        let mut body = Vec::new();
        loop {
            match self.next_event()? {
                Some(Event::Body(octets)) if body.len() as u64 + octets.len() as u64 > most => {
                    return Err(Fault::TooLarge);
                }
                Some(Event::Body(octets)) => body.extend_from_slice(octets),
                Some(Event::End) => return Ok(Some(body)),
                Some(Event::Done(_)) => return Ok(None),
                Some(Event::Opened(_) | Event::Line(_) | Event::Challenge(_)) => {}
                None => {
                    self.exchange(None, None)?;
                }
            }
        }
    }

    /// Waits until the server has closed the connection: mpopd answers QUIT before it deletes, and closes when it has.
    pub(crate) fn wait_for_close(mut self, until: Instant) {
        while Instant::now() < until {
            self.unread = 0..0;
            if self.exchange(None, Some(until)).is_err() {
                return;
            }
        }
    }

    /// What has come while nothing was owed must not be taken for the reply to the next command.
    pub(crate) fn refuse_what_is_unasked(&mut self) -> Result<(), Fault> {
        if self.receive()? {
            self.next_event()?;
        }
        Ok(())
    }

    fn send(&mut self) -> Result<(), Fault> {
        let mut sent = 0;
        while sent < self.outgoing.len() {
            match self.stream.write(&self.outgoing[sent..])? {
                IoOutcome::Moved(octets) => sent += octets,
                IoOutcome::NotNow => break,
            }
        }
        // A password may have gone out.
        self.outgoing[..sent].zeroize();
        self.outgoing.drain(..sent);
        Ok(())
    }

    /// Reads once into an empty buffer; true where there is something to decode.
    fn receive(&mut self) -> Result<bool, Fault> {
        if !self.unread.is_empty() {
            return Ok(true);
        }
        match self.stream.read(&mut self.incoming)? {
            IoOutcome::Moved(octets) => {
                self.unread = 0..octets;
                Ok(true)
            }
            IoOutcome::NotNow => Ok(false),
        }
    }
}

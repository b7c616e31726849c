//! A connection with its protocol state. It sends commands, returns the events in the server's
//! replies, and reports a server that falls silent.

use std::io;
use std::time::{Duration, Instant};

use zeroize::{Zeroize, Zeroizing};

use crate::maildrop::connection::last_heard::LastHeard;
use crate::maildrop::connection::reply_rate::ReplyRate;
use crate::maildrop::connection::secrets::Secrets;
use crate::maildrop::fault::Fault;
use crate::net::{
    BootTime, Interest, IoOutcome, NetError, Protection, Ready, Stream, Tls, WakeUp, wait,
};
use crate::pop3::{Command, Decoder, Event, ServerText, Status};

/// The most octets that one read takes. A large body needs few system calls then.
const READ_OCTETS: usize = 256 * 1024;
/// A server that sends fewer octets of a listing or a body within the timeout counts as silent.
/// Otherwise a server that sends one octet a second would make readers wait for ever.
const LEAST_PROGRESS: usize = 64;
/// A connection that was idle for this long may be dead without our knowing: the server or a router
/// may have dropped it. The next command waits only half the timeout, which leaves time for a new
/// connection.
const LONG_IDLE: Duration = Duration::from_secs(5);

/// A connection. The login uses the blocking calls ([`Link::status`], [`Link::lines`]), because
/// there each reply decides the next command. A pipeline uses [`Link::queue`], [`Link::exchange`]
/// and [`Link::next_event`].
#[derive(Debug)]
pub(crate) struct Link {
    stream: Stream,
    decoder: Decoder,
    incoming: Vec<u8>,
    /// The part of `incoming` that is not decoded yet.
    unread: std::ops::Range<usize>,
    /// Commands that are not sent yet.
    outgoing: Zeroizing<Vec<u8>>,
    /// See [`Link::had_several`].
    had_several: bool,
    secrets: Secrets,
    timeout: Duration,
    /// How long the server may be silent now: the timeout, or half of it after a long idle time.
    patience: Duration,
    /// When the server last made progress with its replies, or when the first command was queued
    /// after all replies had come.
    heard: Instant,
    /// When the server last sent anything, or that first command was queued; by the clock that goes
    /// on while the machine sleeps.
    last_used: BootTime,
    /// Octets of a listing or a body received since `heard`.
    progress: usize,
    rate: ReplyRate,
    last_heard: LastHeard,
}

impl Link {
    /// Takes a new connection, on which the server sends its greeting first.
    pub(crate) fn new(stream: Stream, timeout: Duration, last_heard: LastHeard) -> Self {
        let mut decoder = Decoder::new();
        decoder.expect(crate::pop3::Shape::Status);
        Self {
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
            last_used: BootTime::now(),
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

    /// Starts TLS on the connection, after the server's +OK to STLS. If more octets followed that
    /// +OK unencrypted, an attacker may have injected them (CVE-2020-14954, CVE-2021-22947), so
    /// this fails.
    pub(crate) fn secure(self, tls: &Tls) -> Result<Self, Fault> {
        if !self.unread.is_empty() || self.owed() > 0 {
            return Err(Fault::Unsupported(
                "octets came in clear after the server's answer to STLS: somebody may be tampering with the connection",
            ));
        }
        let stream = self.stream.secure(tls)?;
        Ok(Self {
            stream,
            heard: Instant::now(),
            last_used: BootTime::now(),
            ..self
        })
    }

    /// How many replies the server still has to send.
    pub(crate) fn owed(&self) -> usize {
        self.decoder.owed()
    }

    /// Whether several commands have been in flight at once since the last time none was.
    pub(crate) fn had_several(&self) -> bool {
        self.had_several
    }

    /// Whether replies are missing after several commands were in flight at once.
    pub(crate) fn is_amid_several(&self) -> bool {
        self.had_several && self.owed() > 0
    }

    /// When the server last sent anything, or a command was queued after all replies had come.
    pub(crate) fn last_used(&self) -> BootTime {
        self.last_used
    }

    /// Changes how long the server may be silent.
    pub(crate) fn allow_silence(&mut self, longest: Duration) {
        self.timeout = longest;
        self.patience = longest;
    }

    /// Writes the command into the buffer that the next [`Link::exchange`] sends.
    pub(crate) fn queue(&mut self, command: &Command<'_>) -> Result<(), Fault> {
        log::trace!("C: {command}");
        if self.decoder.owed() == 0 {
            self.refuse_what_is_unasked()?;
            if self.last_used.elapsed() >= LONG_IDLE {
                self.patience = self.timeout / 2;
            }
            self.heard = Instant::now();
            self.last_used = BootTime::now();
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

    /// The next event in the octets received so far. `None` if the server has to send more first.
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

    /// Sends the queued commands and waits until the server sends something, a handler wakes the
    /// engine through `wake_up`, or `until` is reached.
    ///
    /// # Errors
    /// The connection failed, or the server made no progress for the whole timeout while a reply
    /// was due, or it sends the reply too slowly.
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
        // A TLS record may carry no data for us, such as a session ticket.
        ready.readable = ready.readable && self.receive()?;
        if !ready.readable && patience.is_some_and(|patience| Instant::now() >= patience) {
            return Err(self.silence().into());
        }
        Ok(ready)
    }

    /// The error for a silent server. After a long idle time the connection counts as broken.
    fn silence(&self) -> NetError {
        if self.patience < self.timeout {
            return NetError::Broken(io::Error::new(
                io::ErrorKind::TimedOut,
                "no answer on an idle connection",
            ));
        }
        NetError::Silence(self.timeout)
    }

    /// Queues a command that has a one-line reply, waits for the reply and passes it to `look`.
    pub(crate) fn status<T>(
        &mut self,
        command: &Command<'_>,
        look: impl FnOnce(&Status<'_>) -> T,
    ) -> Result<T, Fault> {
        self.queue(command)?;
        self.reply(look)
    }

    /// Waits for the one-line reply to a command that is already queued, and passes it to `look`.
    pub(crate) fn reply<T>(&mut self, look: impl FnOnce(&Status<'_>) -> T) -> Result<T, Fault> {
        loop {
            if let Some(event) = self.next_event()? {
                return match event {
                    Event::Done(status) => Ok(look(&status)),
                    _ => Err(Fault::Unsupported(
                        "the server sent a reply of several lines to a command with a one-line reply",
                    )),
                };
            }
            self.exchange(None, None)?;
        }
    }

    /// Queues a command that has a multi-line reply, and passes each line to `take`. On -ERR it
    /// fails with the fault that `refuse` returns.
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

    /// Sends one command for each item, with at most `ahead` commands in flight. Passes each event
    /// of a reply to `take`, with its item.
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

    /// Sends a command whose reply has a body, and passes the body to `take` in pieces. Returns how
    /// many octets it has, or the server's words if it answers -ERR.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] if the body has more than `most` octets.
    pub(crate) fn body(
        &mut self,
        command: &Command<'_>,
        most: u64,
        mut take: impl FnMut(&[u8]),
    ) -> Result<Result<u64, ServerText>, Fault> {
        self.queue(command)?;
        let mut received = 0;
        loop {
            match self.next_event()? {
                Some(Event::Body(octets)) => {
                    received += octets.len() as u64;
                    if received > most {
                        return Err(Fault::TooLarge);
                    }
                    take(octets);
                }
                Some(Event::End) => return Ok(Ok(received)),
                Some(Event::Done(status)) => return Ok(Err(status.server_text())),
                Some(Event::Opened(_) | Event::Line(_) | Event::Challenge(_)) => {}
                None => {
                    self.exchange(None, None)?;
                }
            }
        }
    }

    /// Waits until the server closes the connection, at most until `until`. mpopd answers QUIT
    /// first, then deletes the messages, and then closes.
    ///
    /// # Errors
    /// The server has said something more: what was taken for the answer to QUIT was that to an
    /// earlier command.
    pub(crate) fn wait_for_close(mut self, until: Instant) -> Result<(), Fault> {
        let mut heard = Ok(());
        while Instant::now() < until {
            heard = heard.and(self.next_event().map(drop));
            self.unread = 0..0;
            if self.exchange(None, Some(until)).is_err() {
                break;
            }
        }
        heard
    }

    /// Fails if the server has sent something that no command asked for. It could be mistaken for
    /// the reply to the next command.
    pub(crate) fn refuse_what_is_unasked(&mut self) -> Result<(), Fault> {
        if self.receive()? {
            self.next_event()?;
        }
        Ok(())
    }

    /// Sends as much of the queued commands as the connection accepts now.
    fn send(&mut self) -> Result<(), Fault> {
        let mut sent = 0;
        while sent < self.outgoing.len() {
            match self.stream.write(&self.outgoing[sent..])? {
                IoOutcome::Moved(octets) => sent += octets,
                IoOutcome::NotNow => break,
            }
        }
        // A password may have been among what was sent.
        self.outgoing[..sent].zeroize();
        self.outgoing.drain(..sent);
        Ok(())
    }

    /// Reads once, if everything received before is decoded. Returns whether there is something to
    /// decode.
    fn receive(&mut self) -> Result<bool, Fault> {
        if !self.unread.is_empty() {
            return Ok(true);
        }
        match self.stream.read(&mut self.incoming)? {
            IoOutcome::Moved(octets) => {
                self.unread = 0..octets;
                self.last_used = BootTime::now();
                Ok(true)
            }
            IoOutcome::NotNow => Ok(false),
        }
    }
}

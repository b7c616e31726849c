//! Writes replies and breaks them off.

use std::io;
use std::time::{Duration, Instant};

use super::reply::WireReply;
use super::session::{ModelSession, Phase};
use super::{Break, Event, Fault, ModelState, Within};
use crate::common::Peer;

/// Pause between two octets that drip: far below the short timeout of such sequences.
const BETWEEN_DRIPS: Duration = Duration::from_millis(50);

impl ModelSession<'_> {
    pub(super) fn say(&mut self, peer: &mut Peer, reply: &WireReply) -> io::Result<()> {
        self.say_octets(peer, &reply.octets(), |_| {})
    }

    /// Sends the reply that completes the client's listing.
    pub(super) fn say_the_listing(&mut self, peer: &mut Peer, reply: &WireReply) -> io::Result<()> {
        let (messages, connection) = (self.messages.clone(), self.connection);
        self.say_octets(peer, &reply.octets(), |state| {
            state.events.push(Event::Listed(messages));
            state.listings += 1;
            state.last_listing = Some(Instant::now());
            state.broken.at_login_in_a_row = 0;
            state.logged_in.insert(connection);
        })?;
        self.phase = Phase::Listed;
        Ok(())
    }

    /// Writes in chunks. Calls `note` before the last chunk, unless the reply breaks off.
    fn say_octets(
        &mut self,
        peer: &mut Peer,
        octets: &[u8],
        note: impl FnOnce(&mut ModelState),
    ) -> io::Result<()> {
        if let Some(fault) = self.fault_within(octets.len()) {
            self.write(peer, &octets[..fault.after as usize])?;
            return self.break_off(peer, fault.how);
        }
        let last = self.random.usize(1..=self.shared.chunk.min(octets.len()));
        let (first, last) = octets.split_at(octets.len() - last);
        self.write(peer, first)?;
        note(&mut self.shared.state.lock());
        peer.send(last)
    }

    fn write(&mut self, peer: &mut Peer, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            let length = self.random.usize(1..=self.shared.chunk).min(octets.len());
            let (chunk, rest) = octets.split_at(length);
            peer.send(chunk)?;
            octets = rest;
        }
        Ok(())
    }

    /// The fault that breaks off a reply of this length, if one is due.
    fn fault_within(&self, length: usize) -> Option<Fault> {
        let mut state = self.shared.state.lock();
        let fault = state.faults.front_mut()?;
        if fault.within == Within::Transfers && self.phase == Phase::LogIn {
            return None;
        }
        if fault.after as usize >= length {
            fault.after -= length as u32;
            return None;
        }
        let fault = state.faults.pop_front()?;
        match self.phase {
            Phase::LogIn => {
                state.broken.at_login += 1;
                state.broken.at_login_in_a_row += 1;
            }
            Phase::Listed => state.broken.later += 1,
        }
        Some(fault)
    }

    fn break_off(&mut self, peer: &mut Peer, how: Break) -> io::Result<()> {
        match how {
            Break::Close => peer.close(),
            Break::Reset => peer.reset(),
            Break::Silence => self.stay_silent(peer)?,
            Break::Drip => self.drip(peer)?,
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    fn drip(&self, peer: &mut Peer) -> io::Result<()> {
        self.while_silent(|| peer.drip(b"x", BETWEEN_DRIPS))
    }

    pub(super) fn stay_silent(&self, peer: &mut Peer) -> io::Result<()> {
        self.while_silent(|| peer.stay_silent())
    }

    fn while_silent(&self, wait: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        state.broken.by_silence += 1;
        state.broken.silent += 1;
        drop(state);
        let end = wait();
        self.shared.state.lock().broken.silent -= 1;
        end
    }
}

//! The server of a sequence: it goes and comes back at one address.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicU32, Ordering};

use super::steps::{Absence, Mishap};
use crate::common::{Liar, Reply};
use crate::message;

/// The number of a message: its text and its unique-id tell it.
pub(super) type Number = u64;

pub(super) struct Provider {
    address: SocketAddrV4,
    liar: Option<Liar>,
    pub(super) is_away: bool,
    /// The messages, while nothing listens.
    kept: Vec<Number>,
    /// The serial numbers of the liar, in its order.
    numbers: Vec<Number>,
}

pub(super) fn uidl(number: Number) -> String {
    format!("m{number:04}")
}

impl Provider {
    /// One with messages 1 to `count`, at an address of loopback that nothing else uses: another
    /// program may take a port while it is stopped.
    pub(super) fn start(count: Number) -> Self {
        static ADDRESSES: AtomicU32 = AtomicU32::new(0x7f10_0001);
        let address = Ipv4Addr::from(ADDRESSES.fetch_add(1, Ordering::Relaxed));
        let mut provider = Self {
            address: SocketAddrV4::new(address, 0),
            liar: None,
            is_away: true,
            kept: (1..=count).collect(),
            numbers: Vec::new(),
        };
        provider.come_back();
        let port = provider.liar().port();
        provider.address.set_port(port);
        provider
    }

    pub(super) fn address(&self) -> SocketAddrV4 {
        self.address
    }

    fn liar(&self) -> &Liar {
        self.liar.as_ref().expect("a running server")
    }

    pub(super) fn go(&mut self, absence: Absence) {
        if self.is_away {
            return;
        }
        self.is_away = true;
        match absence {
            Absence::Stopped => {
                self.kept = self.left().into_iter().collect();
                self.liar = None;
                return;
            }
            Absence::Busy => self.liar().set_greeting(b"-ERR [SYS/TEMP] trouble\r\n"),
            Absence::Locked => self.liar().on("PASS", Reply::Err("[IN-USE] locked")),
            Absence::Closes => self.liar().on("USER", Reply::Close),
        }
        self.break_links();
    }

    pub(super) fn come_back(&mut self) {
        self.is_away = false;
        if let Some(liar) = &self.liar {
            liar.set_greeting(b"+OK ready\r\n");
            liar.behave("PASS");
            liar.behave("USER");
            return;
        }
        let messages: Vec<Vec<u8>> = self.kept.iter().copied().map(message).collect();
        let liar = Liar::start_at(self.address, &messages);
        for (serial, &number) in (1..).zip(&self.kept) {
            liar.set_uidl(serial, uidl(number).as_bytes());
        }
        self.numbers = self.kept.clone();
        self.liar = Some(liar);
    }

    pub(super) fn break_links(&self) {
        if let Some(liar) = &self.liar {
            liar.server().cut_all();
        }
    }

    pub(super) fn deliver(&mut self, number: Number) {
        match &self.liar {
            None => self.kept.push(number),
            Some(liar) => {
                let serial = liar.add(&message(number));
                liar.set_uidl(serial, uidl(number).as_bytes());
                self.numbers.push(number);
            }
        }
    }

    pub(super) fn expunge(&mut self, number: Number) {
        match &self.liar {
            None => self.kept.retain(|&kept| kept != number),
            Some(liar) => {
                let at = self.numbers.iter().position(|&other| other == number);
                liar.remove(at.expect("a delivered message") as u64 + 1);
            }
        }
    }

    pub(super) fn arm(&self, mishap: Mishap) {
        match mishap {
            Mishap::None => {}
            Mishap::DeleCloses => self.liar().on("DELE", Reply::Close),
            Mishap::QuitCloses => self.liar().on("QUIT", Reply::Close),
            Mishap::QuitIsLost => self.liar().after("QUIT", Reply::Close),
        }
    }

    pub(super) fn disarm(&self) {
        if let Some(liar) = &self.liar {
            liar.behave("DELE");
            liar.behave("QUIT");
        }
    }

    /// The messages that it has.
    pub(super) fn left(&self) -> BTreeSet<Number> {
        match &self.liar {
            None => self.kept.iter().copied().collect(),
            Some(liar) => {
                let serials = liar.left_serials().into_iter();
                serials
                    .map(|serial| self.numbers[serial as usize - 1])
                    .collect()
            }
        }
    }
}

//! Polling of the FUSE device while requests come in quick succession.
//!
//! When a thread waits in read(2) of the device, each request wakes it on a CPU that has gone idle,
//! and that takes longer than most requests. While O_NONBLOCK is set on the open file description
//! of the device, read(2) returns EAGAIN instead of waiting, and fuser calls it again at once. So
//! its thread polls, and finds each request as soon as it is there.
//!
//! Polling begins after [`BURST`] requests in quick succession. It ends when no request has come
//! for [`QUIET`], or the engine has work: on a machine with few CPUs both would compete. It pauses
//! when for a while more threads want to run than there are CPUs, or other programs keep the polling
//! thread from running. On a machine with one CPU it never begins.
//!
//! A thread of its own ends it, because the polling thread cannot: nothing but requests brings it
//! out of fuser. That thread sleeps until polling begins, and then looks from time to time.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use parking_lot::{Condvar, Mutex};

/// Polling ends after this long without a request.
const QUIET: Duration = Duration::from_micros(500);
/// How often to look whether requests still come and CPUs are free. Each look takes a CPU from the
/// program that reads or from the polling thread.
const LOOK_INTERVAL: Duration = Duration::from_millis(2);
/// Polling begins after this many requests, each within [`QUIET`] of the one before.
const BURST: u32 = 8;
/// How often to check whether other programs keep the polling thread from running. It takes the
/// kernel a few milliseconds to move a program that reads to the CPU that is idle.
const WINDOW: Duration = Duration::from_millis(20);
/// Other programs need the CPU if the polling thread got less than this percentage of a window.
const LEAST_SHARE: u32 = 60;
/// Other programs need the CPU if this many looks in a row find more threads that want to run than
/// there are CPUs. A few looks find threads that soon have done.
const HIGH_LOOKS: u32 = 4;
/// The first pause when other programs need the CPU. Each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A pause is forgotten after this many times its length.
const PAUSES_FORGOTTEN: u32 = 4;

/// Whether the device is polled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Polling {
    /// While requests come in quick succession, if the machine has several CPUs.
    #[default]
    InBursts,
    /// Never.
    Off,
}

/// Switches polling on and off.
pub(super) struct DevicePoller(Option<Arc<PollerState>>);

impl DevicePoller {
    /// `device` is on the same open file description as that of fuser. `is_engine_idle` tells
    /// whether nothing else has work.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        polling: Polling,
        device: OwnedFd,
        is_engine_idle: impl Fn() -> bool + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let cpus = thread::available_parallelism().map_or(1, usize::from);
        if polling == Polling::Off || cpus == 1 {
            return Ok(Self(None));
        }
        let load = SystemLoad::open(cpus)?;
        Self::start_on(device, load, is_engine_idle)
            .map(Some)
            .map(Self)
    }

    fn start_on(
        device: OwnedFd,
        load: SystemLoad,
        is_engine_idle: impl Fn() -> bool + Send + Sync + 'static,
    ) -> io::Result<Arc<PollerState>> {
        let flags = OFlag::from_bits_retain(fcntl(&device, FcntlArg::F_GETFL)?);
        let state = Arc::new(PollerState {
            device,
            flags,
            load,
            began: Instant::now(),
            is_engine_idle: Box::new(is_engine_idle),
            last_request: AtomicU64::new(0),
            is_on: AtomicBool::new(false),
            is_closed: AtomicBool::new(false),
            switch: Mutex::new(()),
            switched: Condvar::new(),
            burst: Mutex::default(),
        });
        let watching = Arc::clone(&state);
        thread::Builder::new()
            .name("poll-end".to_owned())
            .spawn(move || watching.end_each_burst())?;
        Ok(state)
    }

    /// To be called for each request, by the thread that answers it.
    pub(super) fn note_request(&self) {
        if let Some(state) = &self.0 {
            state.note_request();
        }
    }
}

impl Drop for DevicePoller {
    /// Ends the thread, which has the device open.
    fn drop(&mut self) {
        if let Some(state) = &self.0 {
            state.is_closed.store(true, Ordering::Release);
            let _switch = state.switch.lock();
            state.switched.notify_one();
        }
    }
}

struct PollerState {
    device: OwnedFd,
    /// The flags of the device without O_NONBLOCK.
    flags: OFlag,
    load: SystemLoad,
    /// All times count from here.
    began: Instant,
    is_engine_idle: Box<dyn Fn() -> bool + Send + Sync>,
    /// In nanoseconds.
    last_request: AtomicU64,
    is_on: AtomicBool,
    is_closed: AtomicBool,
    /// Held while `is_on` and the flags of the device change.
    switch: Mutex<()>,
    switched: Condvar,
    burst: Mutex<Burst>,
}

impl PollerState {
    fn note_request(&self) {
        let now = self.began.elapsed();
        self.last_request
            .store(now.as_nanos() as u64, Ordering::Relaxed);
        let mut burst = self.burst.lock();
        if !self.is_on.load(Ordering::Relaxed) {
            if burst.note_request(now) && (self.is_engine_idle)() {
                self.begin(&mut burst, now);
            }
            return;
        }
        burst.last_request = now;
        if burst.is_window_over(now) && burst.end_window(now, ThreadUsage::now()) == CpuDemand::High
        {
            burst.pause(now);
            self.switch_off();
        }
    }

    fn begin(&self, burst: &mut Burst, now: Duration) {
        burst.begin_window(now, ThreadUsage::now());
        self.switch_on();
    }

    fn switch_on(&self) {
        let _switch = self.switch.lock();
        match self.set_flags(self.flags | OFlag::O_NONBLOCK) {
            Ok(()) => self.is_on.store(true, Ordering::Relaxed),
            Err(error) => log::debug!("cannot poll the device: {error}"),
        }
        self.switched.notify_one();
    }

    fn switch_off(&self) {
        let _switch = self.switch.lock();
        self.is_on.store(false, Ordering::Relaxed);
        if let Err(error) = self.set_flags(self.flags) {
            log::warn!("cannot stop polling the device: {error}");
        }
    }

    fn set_flags(&self, flags: OFlag) -> io::Result<()> {
        fcntl(self.device.as_fd(), FcntlArg::F_SETFL(flags))?;
        Ok(())
    }

    fn end_each_burst(&self) {
        let mut high_looks = 0;
        while self.wait_until_on() {
            thread::sleep(LOOK_INTERVAL);
            high_looks = match self.load.demand() {
                CpuDemand::High => high_looks + 1,
                CpuDemand::Low => 0,
            };
            if high_looks == HIGH_LOOKS {
                self.burst.lock().pause(self.began.elapsed());
            } else if !self.is_quiet() && (self.is_engine_idle)() {
                continue;
            }
            self.switch_off();
            high_looks = 0;
        }
    }

    /// False once the session is over.
    fn wait_until_on(&self) -> bool {
        let mut switch = self.switch.lock();
        loop {
            if self.is_closed.load(Ordering::Acquire) {
                return false;
            }
            if self.is_on.load(Ordering::Relaxed) {
                return true;
            }
            self.switched.wait(&mut switch);
        }
    }

    fn is_quiet(&self) -> bool {
        let last = Duration::from_nanos(self.last_request.load(Ordering::Relaxed));
        self.began.elapsed().saturating_sub(last) >= QUIET
    }
}

/// How much other programs need the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CpuDemand {
    Low,
    High,
}

/// How many threads want to run on this machine.
struct SystemLoad {
    /// /proc/loadavg.
    file: File,
    cpus: usize,
}

impl SystemLoad {
    fn open(cpus: usize) -> io::Result<Self> {
        let file = File::open("/proc/loadavg")?;
        Ok(Self { file, cpus })
    }

    /// High if more threads run or want to run than the polling thread, the program that reads and
    /// the thread that calls this; with more than two CPUs, one more for each.
    fn demand(&self) -> CpuDemand {
        match self.running() {
            Some(running) if running > self.cpus + 1 => CpuDemand::High,
            _ => CpuDemand::Low,
        }
    }

    fn running(&self) -> Option<usize> {
        let mut buffer = [0; 128];
        let length = self.file.read_at(&mut buffer, 0).ok()?;
        running_threads(&buffer[..length])
    }
}

/// The fourth field tells how many threads run or want to run: `0.20 0.18 0.12 1/80 11206`
/// (proc_loadavg(5)).
fn running_threads(loadavg: &[u8]) -> Option<usize> {
    let fields = str::from_utf8(loadavg).ok()?;
    let (running, _all) = fields.split(' ').nth(3)?.split_once('/')?;
    running.parse().ok()
}

/// What the thread that answers requests has used of its CPU.
#[derive(Clone, Copy, Debug, Default)]
struct ThreadUsage {
    cpu_time: Duration,
    /// How often the kernel took the CPU away from it.
    preemptions: i64,
}

impl ThreadUsage {
    fn now() -> Self {
        let Ok(usage) = getrusage(UsageWho::RUSAGE_THREAD) else {
            return Self::default();
        };
        let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Self {
            cpu_time: Duration::from_micros(micros.unsigned_abs()),
            preemptions: usage.involuntary_context_switches(),
        }
    }
}

/// The requests in quick succession, and whether polling for them is worth its CPU time.
#[derive(Debug)]
struct Burst {
    last_request: Duration,
    requests: u32,
    /// No polling before this time.
    paused_until: Duration,
    pause: Duration,
    window: Duration,
    usage: ThreadUsage,
}

impl Default for Burst {
    fn default() -> Self {
        Self {
            last_request: Duration::ZERO,
            requests: 0,
            paused_until: Duration::ZERO,
            pause: FIRST_PAUSE,
            window: Duration::ZERO,
            usage: ThreadUsage::default(),
        }
    }
}

impl Burst {
    /// Whether polling may begin with this request.
    fn note_request(&mut self, now: Duration) -> bool {
        let gap = now.saturating_sub(self.last_request);
        self.last_request = now;
        if gap >= QUIET {
            self.requests = 0;
            return false;
        }
        self.requests += 1;
        if self.requests < BURST || now < self.paused_until {
            return false;
        }
        self.requests = 0;
        true
    }

    fn begin_window(&mut self, now: Duration, usage: ThreadUsage) {
        self.window = now;
        self.usage = usage;
    }

    fn is_window_over(&self, now: Duration) -> bool {
        now.saturating_sub(self.window) >= WINDOW
    }

    /// Begins the next window, unless other programs need the CPU.
    fn end_window(&mut self, now: Duration, usage: ThreadUsage) -> CpuDemand {
        let used = usage.cpu_time.saturating_sub(self.usage.cpu_time);
        let wanted = now.saturating_sub(self.window) * LEAST_SHARE / 100;
        let is_preempted = usage.preemptions > self.usage.preemptions;
        if is_preempted && used < wanted {
            return CpuDemand::High;
        }
        self.begin_window(now, usage);
        CpuDemand::Low
    }

    /// No polling begins for a while. That is longer each time, unless the last pause was long ago.
    fn pause(&mut self, now: Duration) {
        let is_long_ago = now.saturating_sub(self.paused_until) > self.pause * PAUSES_FORGOTTEN;
        self.pause = match is_long_ago {
            true => FIRST_PAUSE,
            false => (self.pause * 2).min(LONGEST_PAUSE),
        };
        self.requests = 0;
        self.paused_until = now + self.pause;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_micros(100);

    fn micros(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    fn usage(cpu_time: Duration, preemptions: i64) -> ThreadUsage {
        ThreadUsage {
            cpu_time,
            preemptions,
        }
    }

    #[test]
    fn polling_begins_after_requests_in_quick_succession() {
        let mut burst = Burst::default();
        let mut now = micros(10_000);
        assert!(!burst.note_request(now));
        for _ in 1..BURST {
            now += STEP;
            assert!(!burst.note_request(now));
        }
        assert!(burst.note_request(now + STEP));
    }

    #[test]
    fn requests_with_pauses_between_them_begin_no_polling() {
        let mut burst = Burst::default();
        for count in 1..100 {
            assert!(!burst.note_request(QUIET * count));
        }
    }

    #[test]
    fn polling_pauses_longer_and_longer_while_others_need_the_cpu() {
        let mut burst = Burst::default();
        let mut now = micros(1_000_000);
        for pause in [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4] {
            now += WINDOW;
            burst.pause(now);
            assert_eq!(burst.paused_until, now + pause);
            for count in 1..=BURST + 1 {
                assert!(!burst.note_request(now + STEP * count));
            }
            now = burst.paused_until;
        }
        now += FIRST_PAUSE * 4 * PAUSES_FORGOTTEN + WINDOW;
        burst.pause(now);
        assert_eq!(burst.paused_until, now + FIRST_PAUSE);
    }

    #[test]
    fn a_preempted_thread_shows_that_others_need_the_cpu() {
        let mut burst = Burst::default();
        burst.begin_window(WINDOW, usage(Duration::ZERO, 0));
        assert!(!burst.is_window_over(WINDOW * 3 / 2));
        assert!(burst.is_window_over(WINDOW * 2));
        let demand = burst.end_window(WINDOW * 2, usage(WINDOW / 2, 1));
        assert_eq!(demand, CpuDemand::High);
    }

    #[test]
    fn a_thread_that_waits_by_itself_is_not_preempted() {
        let mut burst = Burst::default();
        burst.begin_window(Duration::ZERO, usage(Duration::ZERO, 3));
        let demand = burst.end_window(WINDOW, usage(WINDOW / 2, 3));
        assert_eq!(demand, CpuDemand::Low);
        let demand = burst.end_window(WINDOW * 2, usage(WINDOW * 3 / 2, 9));
        assert_eq!(demand, CpuDemand::Low);
    }

    #[test]
    fn the_number_of_running_threads_is_read_from_loadavg() {
        let loadavg = b"0.20 0.18 0.12 3/80 11206\n";
        assert_eq!(running_threads(loadavg), Some(3));
        for broken in [&b""[..], b"0.20 0.18", b"0.2 0.1 0.1 x/9 7", b"\xff"] {
            assert_eq!(running_threads(broken), None);
        }
        // This thread runs.
        let load = SystemLoad::open(usize::MAX / 2).unwrap();
        assert!(load.running() >= Some(1));
        assert_eq!(load.demand(), CpuDemand::Low);
    }

    fn is_nonblocking(device: &File) -> bool {
        let flags = OFlag::from_bits_retain(fcntl(device, FcntlArg::F_GETFL).unwrap());
        flags.contains(OFlag::O_NONBLOCK)
    }

    fn poller(is_engine_idle: bool) -> (DevicePoller, File) {
        let device = File::open("/dev/null").unwrap();
        let shared = OwnedFd::from(device.try_clone().unwrap());
        let load = SystemLoad::open(usize::MAX / 2).unwrap();
        let state = DevicePoller::start_on(shared, load, move || is_engine_idle).unwrap();
        (DevicePoller(Some(state)), device)
    }

    /// A burst, repeated until the requests of one came in quick succession.
    fn request_until(poller: &DevicePoller, reached: impl Fn() -> bool) {
        while !reached() {
            poller.note_request();
        }
    }

    #[test]
    fn the_device_is_nonblocking_only_while_requests_come() {
        let (poller, device) = poller(true);
        assert!(!is_nonblocking(&device));
        request_until(&poller, || is_nonblocking(&device));
        while is_nonblocking(&device) {
            thread::sleep(LOOK_INTERVAL);
        }
    }

    #[test]
    fn the_device_is_not_polled_while_the_engine_works() {
        let (poller, device) = poller(false);
        for _ in 0..10_000 {
            poller.note_request();
            assert!(!is_nonblocking(&device));
        }
    }
}

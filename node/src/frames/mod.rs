//! Frames, taken in: the socket, the tables that they are judged by, and the keys that they are answered under.
//!
//! What happens to a frame is in `flows/frame.rs`. The rules are `hansa-xdp-frame`'s, the tables in user space
//! `hansa-xdp`'s; the kernel program, where there is one, has the same rules on tables of its own.

mod driver;
mod firewall;
mod listed;
mod said;
mod service;
mod tally;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hansa_api::model::{Check, FirewallRequest};
use hansa_screening::Screener;
use hansa_types::frame::{BoundByFrame, FrameBlock};
use hansa_types::iban::Iban;
use hansa_types::id::{Actor, Timestamp};
use hansa_types::payment::{Account, Payment};
use hansa_xdp::frame::{Address, Blocked, Counter, Frame, Key, MAX_FRAMES, REPLY_LEN, Reason, Reply};
use hansa_xdp::{BlockList, Judged, Model};
use tokio::net::UdpSocket;
use tokio::sync::{MutexGuard as Guard, OwnedSemaphorePermit, Semaphore};

use crate::config::{Config, FramesConfig, FramesError};
use crate::screening::Screening;

use self::driver::Front;
pub(crate) use self::driver::Stream;
pub(crate) use self::firewall::FirewallError;
use self::firewall::Senders;
#[cfg(test)]
pub(crate) use self::said::tests::payment as example;
pub(crate) use self::said::{LegDigests, NoFrame, fields};
use self::tally::Tally;

/// What operators say of who may send, in the replica's data folder.
const FIREWALL_FILE: &str = "firewall.json";
/// Most BLOCKs that wait to be durable; what does not fit is counted, and not answered.
pub(crate) const MAX_WAITING: usize = 4096;
/// Payments that are bound or decided at once are told apart by this many locks.
const LOCKS: usize = 4096;
/// Room for a datagram of the most frames, and a byte that shows that it had more.
pub(crate) const MAX_DATAGRAM: usize = MAX_FRAMES * hansa_xdp::frame::FRAME_LEN + 1;

/// A frame that is blocked. Nobody has been told yet: it is answered once it is in the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockedFrame {
    /// The frame, judged to be canonical and authentic.
    pub(crate) frame: Frame,
    /// Why.
    pub(crate) reason: Reason,
    /// Who sent it, and waits for the answer.
    pub(crate) source: SocketAddr,
    /// When it was judged, in nanoseconds since 1970.
    pub(crate) at: u64,
}

impl From<(Blocked, Reason)> for BlockedFrame {
    /// As it comes out of the kernel program's ring buffer.
    fn from((blocked, reason): (Blocked, Reason)) -> Self {
        let Address(octets) = blocked.source;
        let source = SocketAddr::new(IpAddr::from(octets).to_canonical(), u16::from_be_bytes(blocked.port));
        Self { frame: blocked.frame, reason, source, at: u64::from_ne_bytes(blocked.at) }
    }
}

/// What frames are taken in by.
struct Setting {
    /// `[frames]`.
    frames: FramesConfig,
    /// `[xdp]`.
    rules: hansa_xdp::Config,
    /// The UDP ports that the node listens for other members on.
    peer_ports: Vec<u16>,
    /// Where the other members are.
    members: Vec<IpAddr>,
    /// The file of what operators say of who may send.
    firewall: PathBuf,
}

impl Setting {
    /// What the configuration says, if frames are to be taken in.
    fn of(config: &Config, members: Vec<IpAddr>) -> Result<Option<Self>, FramesError> {
        let Some(frames) = config.frames.clone() else {
            let unused = config.xdp.interface.is_none() && config.xdp.peer_port == 0;
            return if unused { Ok(None) } else { Err(FramesError::Absent) };
        };
        let listen = config.p2p.network.listen.iter().filter_map(hansa_p2p::socket_address);
        Ok(Some(Self {
            frames,
            rules: config.xdp.clone(),
            peer_ports: listen.map(|address| address.port()).collect(),
            members,
            firewall: config.consensus.data_dir.join(FIREWALL_FILE),
        }))
    }
}

/// Opens what is to take frames in; `members` are where the others are.
pub(crate) async fn open(
    config: &Config,
    screener: &Screener,
    members: Vec<IpAddr>,
) -> Result<Option<Frames>, FramesError> {
    match Setting::of(config, members)? {
        Some(setting) => Frames::open(setting, screener).await.map(Some),
        None => Ok(None),
    }
}

/// Where frames are taken in, and how.
pub(crate) struct Frames {
    pub(crate) listen: SocketAddr,
    pub(crate) socket: UdpSocket,
    pub(crate) front: Front,
    config: hansa_xdp::Config,
    /// Held while tables are changed, here and in the driver: of two changes one comes first.
    senders: Mutex<Senders>,
    /// Held while an operator changes something, from the log to the tables.
    pub(crate) operating: tokio::sync::Mutex<()>,
    keys: BTreeMap<u8, Key>,
    digest_key: Key,
    tables: Mutex<Model>,
    counted: Mutex<Tally>,
    waiting: Arc<Semaphore>,
    locks: Box<[tokio::sync::Mutex<()>]>,
}

impl Frames {
    /// Opens the socket and fills the tables.
    async fn open(setting: Setting, screener: &Screener) -> Result<Self, FramesError> {
        let Setting { frames, rules: config, peer_ports, members, firewall } = setting;
        frames.check(&config, &peer_ports)?;
        let (digest_key, keys) = (frames.digest_key()?, frames.frame_keys()?);
        let senders = Senders::open(config.clone(), keys.clone(), members, &firewall)?;
        let address = frames.listen;
        let bind = |source| FramesError::Bind { address, source };
        let socket = UdpSocket::bind(address).await.map_err(bind)?;
        let listen = socket.local_addr().map_err(bind)?;
        let rules = senders.rules();
        let tables = Mutex::new(Model::new(&config, &rules));
        let accounts = listed::accounts(screener, &digest_key);
        let front = Front::new(config.clone(), &rules, &accounts, &tables);
        lock(&tables).set_accounts(accounts.into_iter().collect());
        Ok(Self {
            listen,
            socket,
            front,
            config,
            senders: Mutex::new(senders),
            operating: tokio::sync::Mutex::default(),
            keys,
            digest_key,
            tables,
            counted: Mutex::default(),
            waiting: Arc::new(Semaphore::new(MAX_WAITING)),
            locks: (0..LOCKS).map(|_| tokio::sync::Mutex::default()).collect(),
        })
    }

    /// Makes the accounts that the bank blocks now the block list, here and in the driver, and says how many they are.
    /// It takes a second for a million accounts.
    pub(crate) fn follow_lists(&self, screening: &Screening) -> usize {
        let _changing = lock(&self.senders);
        let accounts = listed::accounts(&screening.current(), &self.digest_key);
        let count = accounts.len();
        self.front.set_accounts(&accounts);
        let accounts: BlockList = accounts.into_iter().collect();
        let before = lock(&self.tables).set_accounts(accounts);
        // Not while the tables are held: it is as long as the new one.
        drop(before);
        count
    }

    /// Others are members now, or elsewhere.
    pub(crate) fn follow_members(&self, members: Vec<IpAddr>) {
        let mut senders = lock(&self.senders);
        if senders.set_members(members) {
            self.go_by(&senders);
        }
    }

    /// An operator says who may send.
    pub(crate) fn change_senders(
        &self,
        request: FirewallRequest,
        at: Timestamp,
    ) -> Result<(), FirewallError> {
        let mut senders = lock(&self.senders);
        let after = senders.after(request, at)?;
        after.keep()?;
        *senders = after;
        self.go_by(&senders);
        Ok(())
    }

    /// Whether an operator may say so; nothing is changed.
    pub(crate) fn check_senders(
        &self,
        request: &FirewallRequest,
        at: Timestamp,
    ) -> Result<(), FirewallError> {
        lock(&self.senders).after(request.clone(), at).map(|_| ())
    }

    fn go_by(&self, senders: &Senders) {
        let rules = senders.rules();
        self.front.set_rules(&rules);
        lock(&self.tables).set_rules(&rules);
    }

    /// Attaches the kernel program, in the place of one that is attached.
    pub(crate) fn attach(&self, screening: &Screening) -> Result<(), hansa_xdp::Error> {
        let senders = lock(&self.senders);
        let accounts = listed::accounts(&screening.current(), &self.digest_key);
        self.front.attach(&senders.rules(), &accounts, &self.tables)
    }

    /// Takes the kernel program off.
    pub(crate) fn detach(&self, actor: &Actor) -> Result<(), hansa_xdp::Error> {
        let _changing = lock(&self.senders);
        self.front.detach(actor)
    }

    /// Whether frames from and to this account are blocked.
    pub(crate) fn blocks(&self, account: Iban) -> bool {
        let digest = said::account(&self.digest_key, &Account::Iban(account));
        digest.is_some_and(|digest| lock(&self.tables).blocks(&digest))
    }

    /// Judges a datagram: its frames in order, or none of them if it is refused as a whole.
    pub(crate) fn judge(&self, source: IpAddr, datagram: &[u8], now: u64) -> Vec<Judged> {
        lock(&self.tables).judge(source, datagram, now).unwrap_or_default()
    }

    /// What was counted on the socket since this was asked last.
    pub(crate) fn newly_counted(&self) -> Vec<(Counter, u64)> {
        self.count().news()
    }

    /// Takes in what was counted on the socket.
    fn count(&self) -> MutexGuard<'_, Tally> {
        let mut counted = lock(&self.counted);
        counted.add(lock(&self.tables).counters());
        counted
    }

    /// The reply to a frame; none where nobody is to be answered.
    pub(crate) fn reply(&self, frame: &Frame, reason: Reason, now: u64) -> Option<[u8; REPLY_LEN]> {
        let key = self.keys.get(&frame.key_id()).filter(|_| reason.is_answered())?;
        Some(Reply::seal(frame, reason, now, key).to_bytes())
    }

    /// A place among the BLOCKs that wait to be durable, if there is one.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        self.waiting.clone().try_acquire_owned().ok()
    }

    /// How many BLOCKs wait.
    pub(crate) fn waiting(&self) -> usize {
        MAX_WAITING - self.waiting.available_permits()
    }

    /// The leg of a payment as frames name it.
    pub(crate) fn leg(&self, payment: &Payment) -> Option<LegDigests> {
        said::leg(&self.digest_key, payment)
    }

    /// How a payment's full message is bound by its blocked frame.
    pub(crate) fn bound(&self, block: &FrameBlock, payment: &Payment) -> BoundByFrame {
        let said = Frame::new(block.frame).fields();
        let differs = said.map_or_else(Vec::new, |said| said::differences(&self.digest_key, &said, payment));
        BoundByFrame { record: block.id(), reason: block.reason.clone(), differs }
    }

    /// Where frames are screened.
    pub(crate) fn path(&self) -> String {
        self.front.state().describe().1
    }

    /// Which path screens frames, for health.
    pub(crate) fn check(&self) -> Check {
        let (as_wanted, path) = self.front.state().describe();
        let detail = format!("screened {path}, at {}; {} BLOCKs wait", self.listen, self.waiting());
        Check { name: "frames".to_owned(), ok: as_wanted && self.waiting() < MAX_WAITING, detail }
    }

    /// Held while a payment is bound or decided, so that of the two one comes first.
    pub(crate) async fn alone(&self, key: &[u8; 32]) -> Guard<'_, ()> {
        let [high, low, ..] = *key;
        self.locks[usize::from(u16::from_be_bytes([high, low])) % LOCKS].lock().await
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Tables are changed word by word, so a panic elsewhere leaves them whole.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use hansa_keys::file::store_short;
    use hansa_screening::{Policy, RiskModel};
    use hansa_xdp::frame::Verdict;
    use proptest::prelude::*;

    use super::*;
    use crate::config::{DIGEST_PURPOSE, FrameKey, key_purpose};

    const NOW: u64 = 1_764_150_000_123_000_000;

    /// Frames from 192.0.2.0/24, on a port that was free a moment ago.
    fn open(runtime: &tokio::runtime::Runtime) -> Frames {
        let dir = tempfile::tempdir().unwrap();
        let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let frames = FramesConfig {
            listen: SocketAddr::from(([127, 0, 0, 1], port)),
            digest_key: dir.path().join("digest"),
            keys: vec![FrameKey { id: 3, file: dir.path().join("gateway") }],
        };
        store_short(&frames.digest_key, DIGEST_PURPOSE, &[7; 16]).unwrap();
        store_short(&frames.keys[0].file, &key_purpose(3), &[8; 16]).unwrap();
        let allow = vec!["192.0.2.0/24".parse().unwrap()];
        let rules = hansa_xdp::Config { frame_port: port, allow, ..hansa_xdp::Config::default() };
        let screener = Screener::new(Policy::default(), vec![], RiskModel::default_model()).unwrap();
        let firewall = dir.path().join("firewall.json");
        let setting = Setting { frames, rules, peer_ports: vec![], members: vec![], firewall };
        runtime.block_on(Frames::open(setting, &screener)).unwrap()
    }

    fn sealed(frames: &Frames, sequence: u64, key: [u8; 16]) -> Frame {
        let said = fields(&frames.digest_key, &example(), hansa_screening::Scheme::Sct).unwrap();
        let said = hansa_xdp::frame::Fields { key_id: 3, time: NOW / 1_000_000, sequence, ..said };
        said.seal(&Key::new(key)).unwrap()
    }

    #[test]
    fn what_the_kernel_blocked_is_answered_where_it_came_from() {
        let frame = Frame::new([1; 128]);
        let from = |source| Blocked {
            frame,
            source,
            destination: source,
            at: 7_u64.to_ne_bytes(),
            port: [0x11, 0x80],
            reason: 3,
        };
        let blocked = BlockedFrame::from((from(Address::v4([192, 0, 2, 7])), Reason::AmountLimit));
        assert_eq!((blocked.source.to_string().as_str(), blocked.at), ("192.0.2.7:4480", 7));
        let blocked = BlockedFrame::from((from(Address([0x20; 16])), Reason::AmountLimit));
        assert!(blocked.source.is_ipv6());
    }

    #[test]
    fn a_frame_is_judged_counted_and_answered_once() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let frames = open(&runtime);
        let (source, stranger) = (IpAddr::from([192, 0, 2, 7]), IpAddr::from([198, 51, 100, 7]));
        let frame = sealed(&frames, 9, [8; 16]);
        let judged = |source| -> Vec<Reason> {
            frames.judge(source, frame.as_bytes(), NOW).iter().map(|judged| judged.reason).collect()
        };
        assert_eq!(judged(stranger), []);
        assert_eq!(judged(source), [Reason::NothingFound]);
        assert_eq!(judged(source), [Reason::Replayed]);
        let counted = frames.newly_counted();
        assert!(counted.contains(&(Reason::NotAllowed.into(), 1)) && counted.len() == 3, "{counted:?}");
        assert_eq!(frames.newly_counted(), [], "what was told is not told again");
        let reply = frames.reply(&frame, Reason::Replayed, NOW).unwrap();
        assert_eq!(Reply::open(&reply, &Key::new([8; 16])).unwrap().verdict(), Verdict::Refused);
        assert_eq!(frames.reply(&frame, Reason::BadTag, NOW), None);
        let other = sealed(&frames, 10, [9; 16]);
        assert_eq!(frames.judge(source, other.as_bytes(), NOW)[0].reason, Reason::BadTag);
    }

    #[test]
    fn only_so_many_blocks_wait() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let frames = open(&runtime);
        let places: Vec<_> = std::iter::from_fn(|| frames.place()).collect();
        assert_eq!((places.len(), frames.waiting()), (MAX_WAITING, MAX_WAITING));
        assert!(!frames.check().ok, "the node is not ready to take more");
        drop(places);
        assert!(frames.check().ok && frames.place().is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Whoever has no key gets no verdict and no answer, whatever he sends.
        #[test]
        fn nobody_without_a_key_is_answered(
            datagrams in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..MAX_DATAGRAM), 1..8),
            spoilt in 0..128_usize,
        ) {
            static OPENED: std::sync::OnceLock<(tokio::runtime::Runtime, Frames)> = std::sync::OnceLock::new();
            let (_, frames) = OPENED.get_or_init(|| {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                let frames = open(&runtime);
                (runtime, frames)
            });
            let mut near = *sealed(frames, 1, [8; 16]).as_bytes();
            near[spoilt] ^= 0x10;
            for datagram in datagrams.iter().map(Vec::as_slice).chain([near.as_slice()]) {
                for Judged { frame, reason } in frames.judge(IpAddr::from([192, 0, 2, 7]), datagram, NOW) {
                    prop_assert_eq!(reason.verdict(), Verdict::Refused);
                    prop_assert_eq!(frames.reply(&frame, reason, NOW), None);
                }
            }
        }
    }
}

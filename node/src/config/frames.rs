//! `[frames]`: where frames are taken in, and under which keys.
//!
//! Who may send, how much, and what is blocked by number is `[xdp]`, which the kernel program goes by too.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use hansa_keys::KeyError;
use hansa_keys::file::load_short;
use hansa_xdp::frame::Key;
use serde::Deserialize;

/// What the digest key's file is for.
pub const DIGEST_PURPOSE: &str = "frame-digest";

/// What the file of the frame key `id` is for.
pub fn key_purpose(id: u8) -> String {
    format!("frame-{id}")
}

/// `[frames]`: absent, and no frames are taken in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FramesConfig {
    /// The address and UDP port that gateways send frames to.
    pub listen: SocketAddr,
    /// The file of the key that accounts and agents are digested under: the same on every replica and gateway.
    pub digest_key: PathBuf,
    /// The keys that frames are tagged under, one a gateway at least.
    pub keys: Vec<FrameKey>,
}

/// A key that frames are tagged under.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameKey {
    /// Its number, which stands in each frame.
    pub id: u8,
    /// Its file.
    pub file: PathBuf,
}

/// Why no frames can be taken in.
#[derive(Debug, thiserror::Error)]
pub enum FramesError {
    /// Any address.
    #[error(
        "frames.listen is {0}: name one address of this machine, for a reply must come from where the frame was sent"
    )]
    Anywhere(SocketAddr),
    /// A program without its rules.
    #[error(
        "[xdp] names an interface or a peer_port, and there is no [frames]: the kernel program is attached for both \
         together, so set [frames] too, or leave interface and peer_port out"
    )]
    Absent,
    /// Two ports.
    #[error("frames.listen has port {listen} and xdp.frame_port is {xdp}: they are one port, set both alike")]
    Port {
        /// That of `[frames]`.
        listen: u16,
        /// That of `[xdp]`.
        xdp: u16,
    },
    /// Nobody listens there.
    #[error(
        "xdp.peer_port is {0}, and [p2p.network] listens on no such port: set both alike, or leave it at 0"
    )]
    PeerPort(u16),
    /// What operators said of who may send.
    #[error(
        "{path}: {why}; it is what `hansa firewall` said on this replica: restore it, or remove it and say it again"
    )]
    Firewall {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Nobody may send.
    #[error("xdp.allow is empty: name the gateways' addresses or networks, or leave [frames] out")]
    Nobody,
    /// No key.
    #[error("frames.keys is empty: `hansa frame key --id 1 FILE` makes one")]
    NoKeys,
    /// Two keys of one number.
    #[error("frames.keys has two keys with id {0}: a gateway's next key has the next number")]
    SameId(u8),
    /// The key of zeros.
    #[error("{0} holds zeros only: `hansa frame key` makes a key")]
    Zeros(PathBuf),
    /// A key's file.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The rules.
    #[error("[xdp]: {0}")]
    Rules(#[from] hansa_xdp::ConfigError),
    /// The socket.
    #[error("frames.listen: {address} cannot be used: {source}; is it this machine's, and is the port free?")]
    Bind {
        /// Which address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
}

impl FramesConfig {
    /// Checks what can be checked before anything is opened.
    pub(crate) fn check(&self, rules: &hansa_xdp::Config, peer_ports: &[u16]) -> Result<(), FramesError> {
        rules.check()?;
        if self.listen.ip().is_unspecified() {
            return Err(FramesError::Anywhere(self.listen));
        }
        if self.listen.port() != rules.frame_port {
            return Err(FramesError::Port { listen: self.listen.port(), xdp: rules.frame_port });
        }
        if rules.peer_port != 0 && !peer_ports.contains(&rules.peer_port) {
            return Err(FramesError::PeerPort(rules.peer_port));
        }
        if rules.allow.is_empty() {
            return Err(FramesError::Nobody);
        }
        if self.keys.is_empty() { Err(FramesError::NoKeys) } else { Ok(()) }
    }

    /// The key that accounts and agents are digested under.
    pub(crate) fn digest_key(&self) -> Result<Key, FramesError> {
        read(&self.digest_key, DIGEST_PURPOSE)
    }

    /// The keys that frames are tagged under.
    pub(crate) fn frame_keys(&self) -> Result<BTreeMap<u8, Key>, FramesError> {
        let mut keys = BTreeMap::new();
        for FrameKey { id, file } in &self.keys {
            if keys.insert(*id, read(file, &key_purpose(*id))?).is_some() {
                return Err(FramesError::SameId(*id));
            }
        }
        Ok(keys)
    }

    /// Every path in it.
    pub(super) fn paths(&mut self) -> impl Iterator<Item = &mut PathBuf> {
        std::iter::once(&mut self.digest_key).chain(self.keys.iter_mut().map(|key| &mut key.file))
    }
}

/// Reads a key file with the care that every secret gets.
pub(crate) fn read(path: &std::path::Path, purpose: &str) -> Result<Key, FramesError> {
    let key = Key::new(*load_short(path, purpose)?);
    if key.is_none() { Err(FramesError::Zeros(path.to_owned())) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use hansa_keys::file::store_short;

    use super::*;

    fn config() -> FramesConfig {
        toml::from_str(
            "listen = \"127.0.0.1:4480\"\ndigest_key = \"d\"\nkeys = [{ id = 1, file = \"a\" }, { id = 1, file = \"b\" }]",
        )
        .unwrap()
    }

    fn rules(more: &str) -> hansa_xdp::Config {
        toml::from_str(&format!("allow = [\"127.0.0.1\"]\n{more}")).unwrap()
    }

    #[test]
    fn what_cannot_be_is_refused_by_its_name() {
        assert!(config().check(&rules(""), &[]).is_ok());
        assert!(config().check(&rules("peer_port = 4400"), &[4400]).is_ok());
        let refused = |config: FramesConfig, rules| config.check(&rules, &[4401]).unwrap_err().to_string();
        assert!(refused(config(), rules("peer_port = 4400")).contains("[p2p.network]"));
        let anywhere = FramesConfig { listen: "0.0.0.0:4480".parse().unwrap(), ..config() };
        assert!(refused(anywhere, rules("")).contains("frames.listen"));
        assert!(refused(config(), rules("frame_port = 4481")).contains("4481"));
        assert!(refused(config(), hansa_xdp::Config::default()).contains("xdp.allow"));
        assert!(refused(FramesConfig { keys: vec![], ..config() }, rules("")).contains("frames.keys"));
        assert!(toml::from_str::<FramesConfig>("listen = \"127.0.0.1:1\"\nkey = 1").is_err());
    }

    #[test]
    fn keys_are_files_of_their_purpose_with_a_number_each() {
        let dir = tempfile::tempdir().unwrap();
        let mut config = config();
        config.paths().for_each(|path| *path = dir.path().join(&*path));
        store_short(&config.digest_key, DIGEST_PURPOSE, &[7; 16]).unwrap();
        store_short(&config.keys[0].file, "frame-1", &[8; 16]).unwrap();
        store_short(&config.keys[1].file, "frame-1", &[0; 16]).unwrap();
        assert_eq!(config.digest_key().unwrap(), Key::new([7; 16]));
        assert!(matches!(config.frame_keys(), Err(FramesError::Zeros(_))));
        config.keys[1].file = config.keys[0].file.clone();
        assert!(matches!(config.frame_keys(), Err(FramesError::SameId(1))));
        config.keys[1].id = 2;
        assert!(config.frame_keys().unwrap_err().to_string().contains("frame-2"), "another gateway's key");
    }
}

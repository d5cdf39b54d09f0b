//! The Ed25519 key by which a node is known, and the peer ids of the manifest's keys.

use std::fmt;

use hansa_types::hash::PublicKey;
use libp2p::PeerId;
use libp2p::identity::{Keypair, ed25519};
use zeroize::Zeroizing;

/// A node's libp2p identity. Its debug form shows the peer id, never the key.
#[derive(Clone)]
pub struct Identity(Keypair);

impl Identity {
    /// The key pair of an RFC 8032 Ed25519 seed. The caller keeps, and wipes, its own copy.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let mut copy = Zeroizing::new(*seed);
        Self(Keypair::ed25519_from_bytes(copy.as_mut_slice()).expect("any 32 bytes are an Ed25519 seed"))
    }

    /// What other members know the node by.
    pub fn peer_id(&self) -> PeerId {
        self.0.public().to_peer_id()
    }

    pub(crate) fn keypair(&self) -> &Keypair {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.peer_id())
    }
}

/// A peer key that is no point of the curve.
#[derive(Debug, thiserror::Error)]
#[error("{0} is not an Ed25519 public key; check the member's peer_key in the manifest")]
pub struct InvalidPeerKey(pub PublicKey);

/// The peer id of a member's `peer_key` in the manifest.
pub fn peer_id(key: &PublicKey) -> Result<PeerId, InvalidPeerKey> {
    let key = ed25519::PublicKey::try_from_bytes(&key.0).map_err(|_| InvalidPeerKey(*key))?;
    Ok(libp2p::identity::PublicKey::from(key).to_peer_id())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 1: the seed and the public key it gives.
    const SEED: [u8; 32] = [
        0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4, 0x44,
        0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
    ];
    const PUBLIC: [u8; 32] = [
        0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a, 0x0e,
        0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
    ];

    #[test]
    fn seed_and_manifest_key_give_the_same_peer_id() {
        let identity = Identity::from_seed(&SEED);
        assert_eq!(identity.peer_id(), peer_id(&PublicKey(PUBLIC)).expect("a valid key"));
    }

    #[test]
    fn a_key_off_the_curve_is_refused() {
        let mut off_curve = [0; 32];
        off_curve[0] = 2;
        assert!(peer_id(&PublicKey(off_curve)).is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}", Identity::from_seed(&SEED));
        assert_eq!(text, format!("Identity({})", Identity::from_seed(&SEED).peer_id()));
    }
}

//! Bank A takes frames in: its keys, and what its configuration says of them.

use hansa_keys::KeyError;
use hansa_keys::file::{SHORT, store_short};
use hansa_node::config::{DIGEST_PURPOSE, key_purpose};
use rand::RngCore;
use rand::rngs::OsRng;

use super::{BANKS, Bank};
use crate::cable::{INTERFACE, NETWORK, NODE};

/// The bank, by its place in the consortium.
pub const BANK: usize = 0;
/// The number of its gateway's key.
pub const KEY_ID: u8 = 1;

/// Makes the gateway's key and the digest key, in the bank's folder of keys.
pub(super) fn make_keys(bank: &Bank) -> Result<(), KeyError> {
    for purpose in [key_purpose(KEY_ID), DIGEST_PURPOSE.to_owned()] {
        let mut bytes = [0; SHORT];
        OsRng.fill_bytes(&mut bytes);
        store_short(&bank.folder.join("keys").join(format!("{purpose}.key")), &purpose, &bytes)?;
    }
    Ok(())
}

/// What a configuration says of who may send: this machine.
const HERE: &str = "allow = [\"127.0.0.0/8\"]";
/// The limit of one payment.
const LIMIT: &str = "EUR = { amount = 5_000_000 }";

/// Above the limit that the configuration sets for frames, in euro and in cents.
pub const ABOVE_LIMIT: &str = "50000.01";
/// The same.
pub const MINOR_ABOVE_LIMIT: u64 = 5_000_001;

/// The configuration of a bank that takes frames in, without its limit.
pub fn without_limit(config: &str) -> String {
    config.replacen(LIMIT, "", 1)
}

/// The configuration of a bank that takes frames in, for a node at the end of a cable that screens them in its driver.
pub fn on_cable(config: &str, bank: &Bank) -> String {
    let port = bank.frame_port;
    config
        .replacen(
            &format!("[frames]\nlisten = \"127.0.0.1:{port}\""),
            &format!("[frames]\nlisten = \"{NODE}:{port}\""),
            1,
        )
        .replacen(HERE, &format!("allow = [\"{NETWORK}\"]\ninterface = \"{INTERFACE}\""), 1)
}

/// `[frames]` and `[xdp]` of a replica; nothing where its bank takes none in.
pub(super) fn configuration(bank: &Bank) -> String {
    if bank.id.as_str() != BANKS[BANK].0 {
        return String::new();
    }
    let (port, gateway) = (bank.frame_port, key_purpose(KEY_ID));
    format!(
        r#"[frames]
listen = "127.0.0.1:{port}"
digest_key = "keys/{DIGEST_PURPOSE}.key"
keys = [{{ id = {KEY_ID}, file = "keys/{gateway}.key" }}]

[xdp]
frame_port = {port}
{HERE}

[xdp.limits]
{LIMIT}

"#
    )
}

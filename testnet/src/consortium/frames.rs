//! Bank A takes frames in: its keys, and what its configuration says of them.

use hansa_keys::KeyError;
use hansa_keys::file::{SHORT, store_short};
use hansa_node::config::{DIGEST_PURPOSE, key_purpose};
use rand::RngCore;
use rand::rngs::OsRng;

use super::{BANKS, Bank};

/// The bank, by its place in the consortium.
pub(super) const BANK: usize = 0;
/// The number of its gateway's key.
const KEY_ID: u8 = 1;

/// Makes the gateway's key and the digest key, in the bank's folder of keys.
pub(super) fn make_keys(bank: &Bank) -> Result<(), KeyError> {
    for purpose in [key_purpose(KEY_ID), DIGEST_PURPOSE.to_owned()] {
        let mut bytes = [0; SHORT];
        OsRng.fill_bytes(&mut bytes);
        store_short(&bank.folder.join("keys").join(format!("{purpose}.key")), &purpose, &bytes)?;
    }
    Ok(())
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
allow = ["127.0.0.0/8"]

[xdp.limits]
EUR = {{ amount = 5_000_000 }}

"#
    )
}

//! A bank of the consortium: who it is, where its replicas are, and its keys.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::codec_struct;
use crate::country::Country;
use crate::hash::{Element, Field, PublicKey};
use crate::id::Epoch;
use crate::lei::Lei;

/// One bank of the consortium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The legal name.
    pub institution: String,
    /// The ultimate parent, per which votes count.
    pub parent: Lei,
    /// Where its replicas run: each zone by its name, and the jurisdiction it lies in.
    pub zones: BTreeMap<String, Country>,
    /// Signs the manifest, proposals and votes. It may be kept offline.
    pub governance_key: PublicKey,
    /// Signs the checkpoints of the bank's log, and its coming trace commitments.
    pub log_key: PublicKey,
    /// Cosigns the checkpoints of the other members' logs.
    pub cosigner_key: PublicKey,
    /// The libp2p identities of the bank's nodes: one for all replicas, or one for each.
    pub peer_keys: BTreeSet<PublicKey>,
    /// `P(1, sk)`: the membership commitment.
    pub membership: Field,
    /// `P(3, t_e)` for each epoch in which it may signal; an epoch without one has no leaf.
    pub traces: BTreeMap<Epoch, Field>,
    /// The public half of its share of the tag key; none while one holder has the whole key.
    pub tag_share: Option<Element>,
}
codec_struct!(Member {
    institution,
    parent,
    zones,
    governance_key,
    log_key,
    cosigner_key,
    peer_keys,
    membership,
    traces,
    tag_share,
});

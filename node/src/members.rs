//! Who is a member now, as the network of banks and the node's start see it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hansa_keys::{KeyFolder, Purpose};
use hansa_p2p::{Member, Multiaddr, PeerId};
use hansa_prover::secrets::MemberSecrets;
use hansa_types::hash::Field;
use hansa_types::id::{BankId, Epoch, Timestamp};
use hansa_types::manifest::Manifest;
use hansa_types::sign::Signer as _;
use tokio::task::block_in_place;

use crate::config::Config;
use crate::error::StartError;
use crate::governed::Governed;
use crate::node::Node;

/// Where the configuration says that members are.
pub(crate) type Addresses = BTreeMap<BankId, Vec<Multiaddr>>;

/// The addresses that the configuration names. A bank may be named before it is a member, or after.
pub(crate) fn addresses(config: &Config, governed: &Governed) -> Result<Addresses, StartError> {
    let ledger = governed.ledger();
    let mut addresses = Addresses::new();
    for (bank, named) in &config.p2p.peers {
        if !governed.founded().members.contains_key(bank)
            && !ledger.state().decided().members.contains_key(bank)
        {
            return Err(StartError::UnknownPeer(bank.clone()));
        }
        for address in named.all() {
            let parsed = address.parse::<Multiaddr>();
            let parsed =
                parsed.map_err(|e| StartError::Address { bank: bank.clone(), reason: e.to_string() })?;
            addresses.entry(bank.clone()).or_default().push(parsed);
        }
    }
    Ok(addresses)
}

/// The peers of those who are members at `now` and not shut out.
pub(crate) fn peers(governed: &Governed, addresses: &Addresses, now: Timestamp) -> Vec<Member> {
    let mut members = Vec::new();
    for (bank, manifest_member) in present(governed, now) {
        for key in &manifest_member.peer_keys {
            match hansa_p2p::peer_id(key) {
                Ok(peer_id) => {
                    members.push(Member {
                        peer_id,
                        addresses: addresses.get(&bank).cloned().unwrap_or_default(),
                    });
                }
                Err(error) => tracing::warn!(%bank, %error, "a member's node cannot connect"),
            }
        }
    }
    members
}

/// The addresses of those who are members at `now` and not shut out.
pub(crate) fn ips(governed: &Governed, addresses: &Addresses, now: Timestamp) -> Vec<IpAddr> {
    let present = present(governed, now);
    let named = addresses.iter().filter(|(bank, _)| present.contains_key(*bank)).flat_map(|(_, named)| named);
    named.filter_map(hansa_p2p::socket_address).map(|address| address.ip()).collect()
}

fn present(governed: &Governed, now: Timestamp) -> BTreeMap<BankId, hansa_types::manifest::Member> {
    let revoked = governed.ledger().state().revoked(governed.epoch(now));
    let manifest = governed.manifest(now);
    let members = manifest.members.iter().filter(|(bank, _)| !revoked.contains(*bank));
    members.map(|(bank, member)| (bank.clone(), member.clone())).collect()
}

impl Node {
    /// The members that can be asked: without this bank, and without those who are shut out.
    pub(crate) fn others(&self) -> Vec<BankId> {
        let mut present = present(&self.governed, self.now());
        present.remove(&self.bank);
        present.into_keys().collect()
    }

    /// The peer of a member's node: the connected one, if it has several.
    pub(crate) fn peer_of(&self, bank: &BankId) -> Option<PeerId> {
        let manifest = self.manifest();
        let keys = manifest.members.get(bank)?.peer_keys.iter();
        let peers: Vec<PeerId> = keys.filter_map(|key| hansa_p2p::peer_id(key).ok()).collect();
        peers.iter().find(|peer| self.is_connected(peer)).or(peers.first()).copied()
    }

    /// Whose node a peer is.
    pub(crate) fn bank_of(&self, peer: &PeerId) -> Option<BankId> {
        let manifest = self.manifest();
        let is = |key| hansa_p2p::peer_id(key).is_ok_and(|id| id == *peer);
        let found = manifest.members.iter().find(|(_, member)| member.peer_keys.iter().any(is));
        found.map(|(bank, _)| bank.clone())
    }

    /// Makes the network's members those who are it now: others are cut off at once.
    pub(crate) async fn follow_members(&self) {
        let now = self.now();
        if let Some(frames) = &self.frames {
            // Its tables may be held for as long as a list is replaced.
            block_in_place(|| frames.follow_members(ips(&self.governed, &self.addresses, now)));
        }
        let members = peers(&self.governed, &self.addresses, now);
        match self.network.set_members(members).await {
            Ok(false) => {}
            Ok(true) => tracing::info!("the network follows a change of members"),
            Err(error) => tracing::warn!(%error, "the network does not follow a change of members"),
        }
    }
}

/// The manifest names this bank with this node's keys, and the gateway it shares through. The governance key may be
/// elsewhere.
pub(crate) fn check(config: &Config, manifest: &Manifest, keys: &KeyFolder) -> Result<(), StartError> {
    let bank = &config.node.bank;
    let member = manifest.members.get(bank).ok_or_else(|| StartError::NotMember(bank.clone()))?;
    let foreign = |purpose| Err(StartError::ForeignKey { purpose, bank: bank.clone() });
    let mut wanted = vec![(Purpose::Log, member.log_key), (Purpose::Cosigner, member.cosigner_key)];
    if keys.find(Purpose::Governance)?.is_some() {
        wanted.insert(0, (Purpose::Governance, member.governance_key));
    }
    for (purpose, key) in wanted {
        if keys.signer(purpose)?.public_key() != key {
            return foreign(purpose);
        }
    }
    if !member.peer_keys.contains(&keys.signer(Purpose::Peer)?.public_key()) {
        return foreign(Purpose::Peer);
    }
    let secrets = MemberSecrets::from_seed(keys.secret(Purpose::Member)?.expose());
    let committed = |(epoch, trace): (&Epoch, &Field)| secrets.trace_commitment(*epoch) == *trace;
    if secrets.membership() != member.membership || !member.traces.iter().all(committed) {
        return foreign(Purpose::Member);
    }
    Ok(())
}

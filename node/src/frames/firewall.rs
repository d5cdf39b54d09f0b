//! Who may send what: the configuration's word, the members' addresses, and what operators said on this replica, which
//! holds until they say otherwise and is kept in a file.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use hansa_api::model::{FirewallAction, FirewallRequest, FirewallRule, OperatorRule, Traffic};
use hansa_types::id::Timestamp;
use hansa_xdp::frame::{Class, Key};
use hansa_xdp::{Config, Error, Firewall, Prefix, PrefixError, Rules};
use serde::{Deserialize, Serialize};

use crate::config::FramesError;
use crate::files;
use crate::flows::exceptions::MAX_REASON;

/// Why who may send is not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FirewallError {
    /// No reason, or a book.
    #[error("say why, in at most {MAX_REASON} bytes")]
    Reason,
    /// No network.
    #[error(transparent)]
    Network(#[from] PrefixError),
    /// Nothing to forget.
    #[error(
        "no operator said anything of {0}: see `hansa firewall list`; the configuration's rules are changed there"
    )]
    Unsaid(Prefix),
    /// No room.
    #[error(transparent)]
    Room(#[from] Error),
    /// The file.
    #[error(transparent)]
    File(#[from] files::FileError),
}

/// Who may send what on this replica.
#[derive(Clone, Debug)]
pub(super) struct Senders {
    config: Config,
    keys: BTreeMap<u8, Key>,
    members: Vec<IpAddr>,
    path: PathBuf,
    said: BTreeMap<(Traffic, Prefix), Said>,
}

/// What an operator said of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    traffic: Traffic,
    network: Prefix,
    allowed: bool,
    by: OperatorRule,
}

impl Senders {
    /// What the configuration says, and what operators said before.
    pub(super) fn open(
        config: Config,
        keys: BTreeMap<u8, Key>,
        members: Vec<IpAddr>,
        path: &Path,
    ) -> Result<Self, FramesError> {
        let wrong = |why: String| FramesError::Firewall { path: path.to_owned(), why };
        let said: Vec<Said> = match files::read(path).map_err(|error| wrong(error.to_string()))? {
            Some(file) => serde_json::from_slice(&file).map_err(|error| wrong(error.to_string()))?,
            None => vec![],
        };
        let said = said.into_iter().map(|said| ((said.traffic, said.network), said)).collect();
        let senders = Self { config, keys, members, path: path.to_owned(), said };
        let room = senders.config.max_prefixes;
        senders.rules().firewall.check(room).map_err(|error| wrong(error.to_string()))?;
        Ok(senders)
    }

    /// What the tables are filled with.
    pub(super) fn rules(&self) -> Rules {
        let mut rules = Rules::new(&self.config, self.keys.clone(), self.members.iter().copied());
        for Said { traffic, network, allowed, .. } in self.said.values() {
            rules.firewall.set(class(*traffic), *network, *allowed);
        }
        rules
    }

    /// Others are members now, or elsewhere. Whether that is a change.
    pub(super) fn set_members(&mut self, members: Vec<IpAddr>) -> bool {
        let changed = self.members != members;
        self.members = members;
        changed
    }

    /// This, after an operator said something; nothing is kept yet.
    pub(super) fn after(&self, request: FirewallRequest, at: Timestamp) -> Result<Self, FirewallError> {
        let FirewallRequest { traffic, network, action, reason, actor } = request;
        if reason.trim().is_empty() || reason.len() > MAX_REASON {
            return Err(FirewallError::Reason);
        }
        let (mut after, network) = (self.clone(), network.parse::<Prefix>()?);
        let key = (traffic, network);
        match action {
            FirewallAction::Forget => {
                after.said.remove(&key).ok_or(FirewallError::Unsaid(network))?;
            }
            FirewallAction::Allow | FirewallAction::Deny => {
                let by = OperatorRule { actor, reason, at };
                let allowed = action == FirewallAction::Allow;
                after.said.insert(key, Said { traffic, network, allowed, by });
            }
        }
        after.rules().firewall.check(self.config.max_prefixes)?;
        Ok(after)
    }

    /// Keeps what operators said, for the next start.
    pub(super) fn keep(&self) -> Result<(), FirewallError> {
        let said: Vec<&Said> = self.said.values().collect();
        let bytes = serde_json::to_vec_pretty(&said).expect("what operators say has only strings as keys");
        Ok(files::keep(&self.path, &bytes)?)
    }

    /// What is said of each network, and by whom.
    pub(super) fn view(&self) -> Vec<FirewallRule> {
        let in_force: Firewall = self.rules().firewall;
        let of = |traffic: Traffic| {
            let rules = in_force.rules(class(traffic));
            rules.map(move |(network, allowed)| (traffic, network, allowed))
        };
        let rules = of(Traffic::Frames).chain(of(Traffic::Peers));
        let rules = rules.map(|(traffic, network, allowed)| FirewallRule {
            traffic,
            network: network.to_string(),
            allowed,
            by: self.said.get(&(traffic, network)).map(|said| said.by.clone()),
        });
        rules.collect()
    }
}

fn class(traffic: Traffic) -> Class {
    match traffic {
        Traffic::Frames => Class::Frames,
        Traffic::Peers => Class::Peer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn senders(path: &Path) -> Senders {
        let allow = vec!["192.0.2.0/24".parse().unwrap()];
        let config = Config { allow, max_prefixes: 3, ..Config::default() };
        Senders::open(config, BTreeMap::new(), vec!["198.51.100.7".parse().unwrap()], path).unwrap()
    }

    fn request(action: FirewallAction, network: &str) -> FirewallRequest {
        let (traffic, actor) = (Traffic::Frames, "ops.a".parse().unwrap());
        FirewallRequest { traffic, network: network.to_owned(), action, reason: "moved".to_owned(), actor }
    }

    #[test]
    fn what_an_operator_says_goes_before_the_configuration_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("firewall.json");
        let senders_before = senders(&path);
        let denied =
            senders_before.after(request(FirewallAction::Deny, "192.0.2.0/24"), Timestamp(7)).unwrap();
        denied.keep().unwrap();
        let again = senders(&path);
        assert_eq!(again.rules(), denied.rules());
        let view = again.view();
        assert_eq!(view.len(), 2);
        assert!(!view[0].allowed && view[0].by.as_ref().unwrap().at == Timestamp(7), "{view:?}");
        assert_eq!((view[1].traffic, view[1].network.as_str()), (Traffic::Peers, "198.51.100.7/32"));
        let forgotten = again.after(request(FirewallAction::Forget, "192.0.2.0/24"), Timestamp(8)).unwrap();
        assert_eq!(forgotten.rules(), senders_before.rules());
    }

    #[test]
    fn what_cannot_be_said_is_refused_and_a_broken_file_is_no_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("firewall.json");
        let senders = senders(&path);
        let refused = |request| senders.after(request, Timestamp(7)).unwrap_err();
        let allow = |network| request(FirewallAction::Allow, network);
        assert!(matches!(refused(allow("192.0.2.1/24")), FirewallError::Network(_)));
        assert!(matches!(
            refused(FirewallRequest { reason: " ".to_owned(), ..allow("10.0.0.1") }),
            FirewallError::Reason
        ));
        assert!(matches!(refused(request(FirewallAction::Forget, "10.0.0.1")), FirewallError::Unsaid(_)));
        let full = senders.after(allow("10.0.0.1"), Timestamp(7)).unwrap();
        let error = full.after(allow("10.0.0.2"), Timestamp(7)).unwrap_err();
        assert!(error.to_string().contains("max_prefixes"), "{error}");
        std::fs::write(&path, "[{]").unwrap();
        let Senders { config, .. } = senders;
        let error = Senders::open(config, BTreeMap::new(), vec![], &path).unwrap_err();
        assert!(error.to_string().contains("firewall.json"), "{error}");
    }
}

//! The transcript: a folder of files, verified from the charter to the last contribution.
//!
//! ```text
//! charter.hansa
//! phase1.hansa                     a phase 1 made elsewhere, or
//! phase1-0001.hansa ..             contributions to the ceremony's own
//! phase2-0000.hansa                the start of phase 2
//! phase2-0001.hansa ..             contributions to phase 2
//! phase2-0001.attestation.hansa    what the contributor declares
//! ```
//!
//! Every file names the hash of the one it builds on, so the hash of the last says what all of them hold. Whoever
//! contributes verifies everything before; so does whoever makes the keys, and anyone else who wants to.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use hansa_types::{codec::Decode, codec_struct, hash::Digest, id::BankId};

use crate::{
    attestation::Attestation,
    charter::{Charter, SignedCharter, Source},
    circuit::Circuit,
    error::CeremonyError,
    file::{self, Kind},
    flaw::Flaw,
    knowledge::{Knowledge, Secret},
    origin::{Given, Origin},
    phase1::{Phase1, Powers, Step},
    phase2::{Divided, Start},
    place::{Contributor, Phase, Place},
    points::Reading,
};

/// The name of the charter's file.
pub const CHARTER: &str = "charter.hansa";
/// The name of the file with a phase 1 made elsewhere.
pub const PHASE1: &str = "phase1.hansa";
/// Fewer contributions than this fit a phase.
const MAX_CONTRIBUTIONS: u32 = 10_000;

/// The name of a contribution's file; number 0 of phase 2 is its start.
#[must_use]
pub fn contribution_name(phase: Phase, number: u32) -> String {
    format!("{phase}-{number:04}.hansa")
}

/// The name of the file with the attestation to a contribution.
#[must_use]
pub fn attestation_name(phase: Phase, number: u32) -> String {
    format!("{phase}-{number:04}.attestation.hansa")
}

/// What stands in front of the start's points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StartHeader {
    pub(crate) charter: Digest,
    pub(crate) circuit: Digest,
    /// SHA-256 of the last file of phase 1.
    pub(crate) phase1: Digest,
}
codec_struct!(StartHeader { charter, circuit, phase1 });

/// A verified contribution.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Where it stands.
    pub place: Place,
    /// SHA-256 of its file.
    pub hash: Digest,
    /// What its contributor declares, if it does.
    pub attestation: Option<Attestation>,
}

/// A verified transcript, as far as it goes.
#[derive(Debug)]
pub struct Transcript {
    /// The folder.
    pub folder: PathBuf,
    /// The charter, which all founders signed.
    pub charter: Charter,
    /// Where phase 1 came from, if not from here.
    pub origin: Option<Origin>,
    /// Contributions to both phases, in order.
    pub entries: Vec<Entry>,
    /// Phase 1 as it stands.
    pub(crate) phase1: Phase1,
    /// The hash of the last file of phase 1; of the charter if there is none.
    pub(crate) phase1_hash: Digest,
    /// Phase 2, once it began.
    pub(crate) phase2: Option<Phase2>,
}

/// Phase 2 as it stands.
#[derive(Debug)]
pub(crate) struct Phase2 {
    pub(crate) start: Start,
    pub(crate) divided: Divided,
    pub(crate) hash: Digest,
}

impl Transcript {
    /// Verifies a folder's transcript. `progress` is told each file's name before it is read.
    ///
    /// # Errors
    /// [`CeremonyError`] with the first file that is refused, and why.
    pub fn verify(
        folder: &Path,
        circuit: &Circuit,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, CeremonyError> {
        let files = Files { folder: folder.to_owned(), names: names(folder)?, progress };
        let mut verifier = Verifier { files, circuit };
        verifier.run()
    }

    /// The contributions to one phase.
    pub fn phase(&self, phase: Phase) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.place.phase == phase)
    }

    /// How many different institutions contributed to a phase and attested to it.
    #[must_use]
    pub fn institutions(&self, phase: Phase) -> usize {
        let attested = self.phase(phase).filter_map(|entry| Some(&entry.attestation.as_ref()?.bank));
        self.charter.institutions(attested)
    }

    /// The hash of the last file: what the manifest cites.
    #[must_use]
    pub fn hash(&self) -> Digest {
        self.phase2.as_ref().map_or(self.phase1_hash, |phase2| phase2.hash)
    }

    /// Whether phase 2 has begun, so that phase 1 is closed.
    #[must_use]
    pub fn in_phase2(&self) -> bool {
        self.phase2.is_some()
    }

    /// Whether the beacon has ended it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.entries.last().is_some_and(|entry| matches!(entry.place.contributor, Contributor::Beacon(_)))
    }

    /// The place of the next contribution.
    #[must_use]
    pub fn next(&self, contributor: Contributor) -> Place {
        let phase = if self.in_phase2() { Phase::Two } else { Phase::One };
        let done = u32::try_from(self.phase(phase).count()).expect("numbers of files are bounded");
        Place { charter: self.charter.digest(), phase, number: done + 1, previous: self.hash(), contributor }
    }
}

/// The names of the files in a folder.
fn names(folder: &Path) -> Result<Vec<String>, CeremonyError> {
    let io = |source| file::FileError::Io { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        if let Ok(name) = entry.map_err(io)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The folder's files as they are read.
struct Files<'a> {
    folder: PathBuf,
    names: Vec<String>,
    progress: &'a mut dyn FnMut(&str),
}

impl Files<'_> {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|there| there == name)
    }

    /// A file's bytes; that it is missing is said with what it is.
    fn read(&mut self, name: &str) -> Result<Vec<u8>, CeremonyError> {
        if !self.has(name) {
            return Err(CeremonyError::Missing { folder: self.folder.clone(), name: name.to_owned() });
        }
        (self.progress)(name);
        Ok(file::read(&self.folder.join(name))?)
    }

    /// How many contributions of a phase there are, without a gap.
    fn count(&self, phase: Phase) -> Result<u32, CeremonyError> {
        let count = (1..MAX_CONTRIBUTIONS).take_while(|n| self.has(&contribution_name(phase, *n))).count();
        let count = u32::try_from(count).expect("bounded");
        let prefix = format!("{phase}-");
        let stray = self.names.iter().find(|name| {
            let number =
                name.strip_prefix(&prefix).and_then(|rest| rest.get(..4)).and_then(|n| n.parse::<u32>().ok());
            number.is_some_and(|number| number > count)
        });
        match stray {
            None => Ok(count),
            Some(_) => Err(CeremonyError::Missing {
                folder: self.folder.clone(),
                name: contribution_name(phase, count + 1),
            }),
        }
    }
}

struct Verifier<'a> {
    files: Files<'a>,
    circuit: &'a Circuit,
}

impl Verifier<'_> {
    fn run(&mut self) -> Result<Transcript, CeremonyError> {
        let charter = self.charter()?;
        let mut transcript = Transcript {
            folder: self.files.folder.clone(),
            origin: None,
            entries: Vec::new(),
            phase1: Phase1::Powers(Box::new(Powers::initial(charter.power))),
            phase1_hash: charter.digest(),
            phase2: None,
            charter,
        };
        match transcript.charter.phase1 {
            Source::Given(digest) => self.given(&mut transcript, digest)?,
            Source::Own => self.own(&mut transcript)?,
        }
        let start = contribution_name(Phase::Two, 0);
        if self.files.has(&start) {
            self.start(&mut transcript, &start)?;
        }
        let count = self.files.count(Phase::Two)?;
        if count > 0 && transcript.phase2.is_none() {
            return Err(CeremonyError::Missing { folder: self.files.folder.clone(), name: start });
        }
        for number in 1..=count {
            self.divided(&mut transcript, number)?;
        }
        self.attestations(&mut transcript)?;
        Ok(transcript)
    }

    fn charter(&mut self) -> Result<Charter, CeremonyError> {
        (self.files.progress)(CHARTER);
        let charter = charter(&self.files.folder)?;
        let differs = |what, found: String, known: String| CeremonyError::Refused {
            file: CHARTER.to_owned(),
            flaw: Flaw::Other { what, found, known },
        };
        if charter.circuit != self.circuit.hash {
            let (found, known) = (self.circuit.hash.to_string(), charter.circuit.to_string());
            return Err(differs("this program's circuit", found, known));
        }
        if charter.power != self.circuit.power() {
            let (found, known) = (self.circuit.power().to_string(), charter.power.to_string());
            return Err(differs("the power of this program's circuit", found, known));
        }
        Ok(charter)
    }

    fn given(&mut self, transcript: &mut Transcript, digest: Digest) -> Result<(), CeremonyError> {
        let refuse = |flaw| CeremonyError::Refused { file: PHASE1.to_owned(), flaw };
        let bytes = self.files.read(PHASE1)?;
        let found = file::hash(&bytes);
        if found != digest {
            let (found, known) = (found.to_string(), digest.to_string());
            return Err(refuse(Flaw::Other { what: "the file's hash", found, known }));
        }
        let Given { origin, phase1 } = Given::from_file(&bytes).map_err(refuse)?;
        if phase1.size() != 1 << transcript.charter.power {
            let (found, known) = (phase1.size().ilog2().to_string(), transcript.charter.power.to_string());
            return Err(refuse(Flaw::Other { what: "its power", found, known }));
        }
        (transcript.origin, transcript.phase1, transcript.phase1_hash) = (Some(origin), phase1, digest);
        Ok(())
    }

    fn own(&mut self, transcript: &mut Transcript) -> Result<(), CeremonyError> {
        for number in 1..=self.files.count(Phase::One)? {
            let name = contribution_name(Phase::One, number);
            let bytes = self.files.read(&name)?;
            let refuse = |flaw| CeremonyError::Refused { file: name.clone(), flaw };
            let (place, mut reading) =
                place(Kind::Powers, &bytes, transcript, Phase::One, number).map_err(refuse)?;
            let Phase1::Powers(before) = &transcript.phase1 else {
                unreachable!("an own phase 1 consists of powers")
            };
            let read = || -> Result<Powers, Flaw> {
                let step = Step::read(&mut reading)?;
                let powers = Powers::read(&mut reading, transcript.charter.power)?;
                reading.finish()?;
                powers.follow(before, &step, &place)?;
                powers.check()?;
                Ok(powers)
            };
            transcript.phase1 = Phase1::Powers(Box::new(read().map_err(refuse)?));
            transcript.phase1_hash = file::hash(&bytes);
            transcript.entries.push(Entry { place, hash: transcript.phase1_hash, attestation: None });
        }
        Ok(())
    }

    fn start(&mut self, transcript: &mut Transcript, name: &str) -> Result<(), CeremonyError> {
        let bytes = self.files.read(name)?;
        let read = || -> Result<Start, Flaw> {
            let mut reader = file::open(Kind::Start, &bytes)?;
            let header = StartHeader::decode(&mut reader)?;
            let charter = transcript.charter.digest();
            if header.charter != charter {
                return Err(Flaw::Charter { found: header.charter, charter });
            }
            if header.circuit != self.circuit.hash {
                let (found, known) = (header.circuit.to_string(), self.circuit.hash.to_string());
                return Err(Flaw::Other { what: "the circuit", found, known });
            }
            if header.phase1 != transcript.phase1_hash {
                return Err(Flaw::Previous { found: header.phase1, previous: transcript.phase1_hash });
            }
            let mut reading = Reading::new(reader.take(reader.remaining())?);
            let start = Start::read(&mut reading, self.circuit)?;
            reading.finish()?;
            start.check(self.circuit, &transcript.phase1)?;
            Ok(start)
        };
        let start = read().map_err(|flaw| CeremonyError::Refused { file: name.to_owned(), flaw })?;
        let hash = file::hash(&bytes);
        let divided = start.divided.clone();
        transcript.phase2 = Some(Phase2 { start, divided, hash });
        Ok(())
    }

    fn divided(&mut self, transcript: &mut Transcript, number: u32) -> Result<(), CeremonyError> {
        let name = contribution_name(Phase::Two, number);
        let bytes = self.files.read(&name)?;
        let read = || -> Result<(Place, Divided), Flaw> {
            let (place, mut reading) = place(Kind::Divided, &bytes, transcript, Phase::Two, number)?;
            let knowledge = Knowledge::read(&mut reading, Secret::Delta)?;
            let divided = Divided::read(&mut reading, self.circuit)?;
            reading.finish()?;
            let before = &transcript.phase2.as_ref().expect("the start was read before").divided;
            divided.follow(before, &knowledge, &place)?;
            if let Contributor::Beacon(signature) = &place.contributor {
                let expected = crate::beacon::scalar(signature, &place.previous);
                if !expected.is_ok_and(|scalar| knowledge.is_of(&scalar)) {
                    return Err(Flaw::Beacon("delta was not multiplied by what follows from the round"));
                }
            }
            Ok((place, divided))
        };
        let (place, divided) = read().map_err(|flaw| CeremonyError::Refused { file: name.clone(), flaw })?;
        let hash = file::hash(&bytes);
        if let Some(phase2) = &mut transcript.phase2 {
            (phase2.divided, phase2.hash) = (divided, hash);
        }
        transcript.entries.push(Entry { place, hash, attestation: None });
        Ok(())
    }

    fn attestations(&mut self, transcript: &mut Transcript) -> Result<(), CeremonyError> {
        let mut expected: BTreeMap<String, &mut Entry> = BTreeMap::new();
        for entry in &mut transcript.entries {
            expected.insert(attestation_name(entry.place.phase, entry.place.number), entry);
        }
        let there: Vec<String> =
            self.files.names.iter().filter(|name| name.ends_with(".attestation.hansa")).cloned().collect();
        for name in there {
            let bytes = self.files.read(&name)?;
            let refuse = |flaw| CeremonyError::Refused { file: name.clone(), flaw };
            let entry = expected
                .get_mut(&name)
                .ok_or_else(|| refuse(Flaw::Content("there is no contribution of this number".into())))?;
            let attestation = Attestation::open(&bytes, &transcript.charter).map_err(refuse)?;
            if attestation.contribution != entry.hash {
                return Err(refuse(Flaw::Attests { found: attestation.contribution, hash: entry.hash }));
            }
            if entry.place.contributor != Contributor::Institution(attestation.bank.clone()) {
                let bank = Contributor::Institution(attestation.bank.clone());
                return Err(refuse(Flaw::Content(format!(
                    "{bank} attests to a contribution of {}",
                    entry.place.contributor
                ))));
            }
            entry.attestation = Some(attestation);
        }
        Ok(())
    }
}

/// The place a contribution names, which must be where it stands, and its points.
fn place<'a>(
    kind: Kind,
    bytes: &'a [u8],
    transcript: &Transcript,
    phase: Phase,
    number: u32,
) -> Result<(Place, Reading<'a>), Flaw> {
    let mut reader = file::open(kind, bytes)?;
    let place = Place::decode(&mut reader)?;
    let charter = transcript.charter.digest();
    if place.charter != charter {
        return Err(Flaw::Charter { found: place.charter, charter });
    }
    if (place.phase, place.number) != (phase, number) {
        return Err(Flaw::Number { found_phase: place.phase, found: place.number, phase, number });
    }
    let previous = transcript.hash();
    if place.previous != previous {
        return Err(Flaw::Previous { found: place.previous, previous });
    }
    if transcript.is_closed() {
        return Err(Flaw::Beacon("it has ended the ceremony: nothing may follow it"));
    }
    admitted(&transcript.charter, &place)?;
    Ok((place, Reading::new(reader.take(reader.remaining())?)))
}

/// Whether the charter lets this contributor contribute here.
pub(crate) fn admitted(charter: &Charter, place: &Place) -> Result<(), Flaw> {
    match &place.contributor {
        Contributor::Institution(bank) if charter.founders.contains_key(bank) => Ok(()),
        Contributor::Institution(_) => Err(Flaw::Stranger(place.contributor.clone())),
        Contributor::Beacon(_) if place.phase == Phase::One => {
            Err(Flaw::Beacon("it ends phase 2, not phase 1"))
        }
        Contributor::Beacon(signature) => {
            let beacon = charter.beacon.as_ref().ok_or(Flaw::Beacon("the charter names none"))?;
            beacon.verify(signature)
        }
    }
}

/// The first contribution of a bank in the folder that nobody attests to: its place and its file's hash.
pub(crate) fn unattested(folder: &Path, bank: &BankId) -> Result<Option<(Place, Digest)>, CeremonyError> {
    let names = names(folder)?;
    for (phase, kind) in [(Phase::One, Kind::Powers), (Phase::Two, Kind::Divided)] {
        let numbers = 1..MAX_CONTRIBUTIONS;
        for number in numbers.take_while(|number| names.contains(&contribution_name(phase, *number))) {
            let name = contribution_name(phase, number);
            if names.contains(&attestation_name(phase, number)) {
                continue;
            }
            let bytes = file::read(&folder.join(&name))?;
            let place = file::open(kind, &bytes).and_then(|mut reader| Ok(Place::decode(&mut reader)?));
            let place = place.map_err(|flaw| CeremonyError::Refused { file: name, flaw })?;
            if place.contributor == Contributor::Institution(bank.clone()) {
                return Ok(Some((place, file::hash(&bytes))));
            }
        }
    }
    Ok(None)
}

/// The charter of a folder, which all founders signed.
pub(crate) fn charter(folder: &Path) -> Result<Charter, CeremonyError> {
    let refuse = |flaw| CeremonyError::Refused { file: CHARTER.to_owned(), flaw };
    let path = folder.join(CHARTER);
    if !path.exists() {
        return Err(CeremonyError::Missing { folder: folder.to_owned(), name: CHARTER.to_owned() });
    }
    let signed = SignedCharter::from_file(&file::read(&path)?).map_err(refuse)?;
    signed.complete().map_err(refuse)?;
    Ok(signed.charter)
}

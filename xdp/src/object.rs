//! The kernel program as it was built by `make ebpf`, and how it is loaded.

use std::io;

use aya::EbpfLoader;
use aya::maps::MapError;
use aya::programs::ProgramError;
use aya::util::KernelVersion;
use aya::{Ebpf, EbpfError, VerifierLogLevel, include_bytes_aligned};

use crate::config::Config;
use crate::error::Error;
use crate::sys::PlainSettings;

/// The program that a node loads.
static PROGRAM: &[u8] = include_bytes_aligned!("../object/hansa-xdp.o");
/// The same for measurements: whole runs that can be repeated on one packet.
static BENCH: &[u8] = include_bytes_aligned!("../object/hansa-xdp-bench.o");
/// The hash of the sources that the objects were built from.
pub static SOURCES_HASH: &str = include_str!("../object/sources.sha256");

/// The oldest kernel whose BPF has a compare-and-exchange, and batches and shared pages before that.
const OLDEST: (KernelVersion, &str) = (KernelVersion::new(5, 12, 0), "5.12");

/// Loads the node's program with maps of the configuration's sizes.
pub(crate) fn load(config: &Config) -> Result<Ebpf, Error> {
    load_object(PROGRAM, config)
}

/// Loads the programs for measurements.
pub(crate) fn load_bench(config: &Config) -> Result<Ebpf, Error> {
    load_object(BENCH, config)
}

fn load_object(object: &[u8], config: &Config) -> Result<Ebpf, Error> {
    let found = KernelVersion::current().unwrap_or(OLDEST.0);
    if found < OLDEST.0 {
        return Err(Error::KernelTooOld { found: format!("{found:?}"), needed: OLDEST.1 });
    }
    let settings = PlainSettings(config.settings());
    EbpfLoader::new()
        // The whole log of a refusal has millions of lines, and the loader would ask for it time and again.
        .verifier_log_level(VerifierLogLevel::STATS)
        .override_global("SETTINGS", &settings, true)
        .map_max_entries("PREFIXES", config.max_prefixes)
        .map_max_entries("SOURCES", config.max_sources)
        .map_max_entries("LIST_A", config.max_accounts)
        .map_max_entries("LIST_B", config.max_accounts)
        .map_max_entries("FILTERS", 2 * settings.0.filter_words)
        .map_max_entries("TOTALS", config.max_windows)
        .map_max_entries("BLOCKED", config.ring_bytes)
        .load(object)
        .map_err(explain)
}

/// The clear sentence for what the loader says.
pub(crate) fn explain(error: EbpfError) -> Error {
    if let EbpfError::ProgramError(ProgramError::LoadError { io_error, .. }) = &error
        && matches!(io_error.raw_os_error(), Some(libc::EINVAL | libc::EACCES))
        && missing_capabilities().is_none()
    {
        return Error::Verifier { source: error.into() };
    }
    let name = match &error {
        EbpfError::MapError(MapError::CreateError { name, .. }) => format!("creating map {name}"),
        _ => "loading".to_owned(),
    };
    match io_cause(&error).and_then(io::Error::raw_os_error) {
        Some(libc::EPERM | libc::EACCES) => refused(name),
        Some(libc::ENOSYS) => Error::NoBpf,
        Some(code @ (libc::ENOMEM | libc::E2BIG)) => {
            Error::Memory { source: io::Error::from_raw_os_error(code) }
        }
        _ => Error::Load { source: error.into() },
    }
}

/// Why the kernel refuses this process.
pub(crate) fn refused(call: String) -> Error {
    match missing_capabilities() {
        Some(missing) => Error::Capability { missing },
        None => Error::Forbidden { call },
    }
}

/// The first error of the operating system behind `error`.
pub(crate) fn io_cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut error = Some(error);
    while let Some(cause) = error {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(io);
        }
        error = cause.source();
    }
    None
}

/// Which of the needed capabilities this process lacks, if any.
fn missing_capabilities() -> Option<String> {
    const SYS_ADMIN: u64 = 1 << 21;
    const NEEDED: [(u64, &str); 3] =
        [(1 << 39, "cap_bpf"), (1 << 12, "cap_net_admin"), (1 << 38, "cap_perfmon")];
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    let effective = u64::from_str_radix(effective.trim(), 16).ok()?;
    let holds =
        |bit: u64, name: &str| effective & bit != 0 || effective & SYS_ADMIN != 0 && name != "cap_net_admin";
    let missing: Vec<&str> =
        NEEDED.iter().filter(|(bit, name)| !holds(*bit, name)).map(|(_, name)| *name).collect();
    (!missing.is_empty()).then(|| missing.join(", "))
}

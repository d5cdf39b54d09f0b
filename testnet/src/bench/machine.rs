//! Where and what was measured: the machine, the commit, the profile. What cannot be found out is `unknown`, or 0.

use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::package_folder;

/// The machine, as far as it bears on figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's model name.
    pub cpu: String,
    /// Logical processors that this process may use.
    pub cores: usize,
    /// Memory in GiB, rounded.
    pub memory_gib: u64,
    /// The kernel's release.
    pub kernel: String,
}

impl Machine {
    /// This machine.
    pub fn this() -> Self {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        Self {
            cpu: cpu_model(&read("/proc/cpuinfo")).unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: memory_gib(&read("/proc/meminfo")).unwrap_or(0),
            kernel: Some(read("/proc/sys/kernel/osrelease").trim().to_owned())
                .filter(|release| !release.is_empty())
                .unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

/// The value behind the first `key : value` line of a file of `/proc`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        (name.trim() == key).then(|| value.trim())
    })
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    // ARM kernels give no model name.
    field(cpuinfo, "model name").or_else(|| field(cpuinfo, "CPU part")).map(str::to_owned)
}

fn memory_gib(meminfo: &str) -> Option<u64> {
    Some((kibibytes(meminfo, "MemTotal")? + (1 << 19)) >> 20)
}

fn kibibytes(text: &str, key: &str) -> Option<u64> {
    field(text, key)?.strip_suffix("kB")?.trim().parse().ok()
}

/// The most memory that this process has had resident so far, in bytes; Linux counts from its exec on.
pub(super) fn peak_resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    Some(kibibytes(&status, "VmHWM")? * 1024)
}

/// The short hash of the checked-out commit, with `-dirty` where files differ from it.
pub(crate) fn commit() -> String {
    let described = Command::new("git")
        .args(["describe", "--always", "--dirty", "--exclude=*"])
        .current_dir(package_folder())
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    match described {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        _ => "unknown".to_owned(),
    }
}

/// The cargo profile that this program was built with.
pub(super) fn profile() -> &'static str {
    if cfg!(debug_assertions) { "dev" } else { "release" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_as_linux_writes_them() {
        let cpuinfo =
            "processor\t: 0\nmodel name\t: Example CPU @ 2.00GHz\n\nprocessor\t: 1\nmodel name\t: other\n";
        assert_eq!(cpu_model(cpuinfo).as_deref(), Some("Example CPU @ 2.00GHz"));
        assert_eq!(memory_gib("MemTotal:       24689796 kB\nMemFree: 1 kB\n"), Some(24));
        assert_eq!(cpu_model("nothing here"), None);
        assert_eq!(memory_gib("MemTotal: many"), None);
    }

    #[test]
    fn this_machine_has_a_description() {
        let machine = Machine::this();
        assert!(machine.cores > 0 && !machine.cpu.is_empty() && !machine.kernel.is_empty());
        assert!(!commit().is_empty());
    }
}

//! What an operator adds to the operating system's randomness: typed keys, dice, coins, or a file.
//!
//! How many bits an input is worth is a cautious guess that only decides when the prompt ends; security needs the
//! operating system's 512 bits or the operator's, not both.

use std::{
    fs::File,
    io::{self, Read, Write as _},
    path::Path,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nix::sys::termios::{self, LocalFlags, SetArg, SpecialCharacterIndices, Termios};

use crate::{
    file::FileError,
    secret::{ENTROPY_BITS, Entropy, Locked, SecretError},
};

/// Thousandths of a bit that a key is worth: its choice and its moment, cautiously.
const KEY: u32 = 1000;
/// And a digit 1 to 6, which may be a die's.
const DIE: u32 = 2584;
/// No entropy file is longer.
const MAX_FILE: u64 = 1 << 20;
/// Bytes taken at a time.
const BUFFER: usize = 4096;

/// Why no entropy was taken.
#[derive(Debug, thiserror::Error)]
pub enum EntropyError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is too short.
    #[error("{path} has {bytes} bytes; at least 32 are wanted, for 256 bits")]
    Short {
        /// Which.
        path: std::path::PathBuf,
        /// How many it has.
        bytes: u64,
    },
    /// Nobody types.
    #[error("standard input ended after {0} of 256 bits: type on, or name a file with --entropy-file")]
    Ended(u32),
    /// The terminal.
    #[error("the terminal: {0}")]
    Terminal(#[from] io::Error),
    /// Locked memory.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Adds a file's bytes, at least 32.
///
/// # Errors
/// [`EntropyError`].
pub fn from_file(entropy: &mut Entropy, path: &Path) -> Result<(), EntropyError> {
    let io = |source| FileError::Io { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(io)?.take(MAX_FILE);
    let mut buffer = Locked::new([0_u8; BUFFER])?;
    let mut bytes = 0;
    loop {
        let read = file.read(&mut *buffer).map_err(io)?;
        if read == 0 {
            break;
        }
        entropy.add(&buffer[..read]);
        bytes += read as u64;
    }
    if bytes < u64::from(ENTROPY_BITS / 8) {
        return Err(EntropyError::Short { path: path.to_owned(), bytes });
    }
    Ok(())
}

/// Adds what is typed at the terminal until it is worth 256 bits, with a bar that fills.
///
/// # Errors
/// [`EntropyError`] if the input ends before.
pub fn from_terminal(entropy: &mut Entropy) -> Result<(), EntropyError> {
    eprintln!(
        "Type at random until the bar is full: keys as they come, throws of dice (1-6), tosses of a coin.\n\
         Nothing of it is shown or kept."
    );
    let _quiet = Quiet::new()?;
    let bar = ProgressBar::with_draw_target(Some(u64::from(ENTROPY_BITS)), ProgressDrawTarget::stderr());
    bar.set_style(
        ProgressStyle::with_template("[{bar:40}] {pos} of {len} bits").expect("the template is constant"),
    );
    let start = Instant::now();
    collect(entropy, &mut io::stdin().lock(), &mut || start.elapsed(), &mut |bits| {
        bar.set_position(u64::from(bits));
    })?;
    bar.finish();
    io::stderr().flush()?;
    Ok(())
}

/// Takes bytes one by one with the moments they came; a key that repeats the one before counts nothing.
fn collect(
    entropy: &mut Entropy,
    input: &mut dyn Read,
    clock: &mut dyn FnMut() -> Duration,
    progress: &mut dyn FnMut(u32),
) -> Result<(), EntropyError> {
    let mut key = Locked::new([0_u8; 17])?;
    let mut worth = 0;
    while worth < ENTROPY_BITS * 1000 {
        let before = key[0];
        if input.read(&mut key[..1])? == 0 {
            return Err(EntropyError::Ended(worth / 1000));
        }
        key[1..].copy_from_slice(&clock().as_nanos().to_be_bytes());
        entropy.add(&*key);
        worth += match key[0] {
            b'1'..=b'6' => DIE,
            b'\n' | b'\r' => 0,
            typed if typed == before => 0,
            _ => KEY,
        };
        progress((worth / 1000).min(ENTROPY_BITS));
    }
    Ok(())
}

/// The terminal without echo, key by key, until dropped. Without a terminal there is nothing to do.
struct Quiet(Option<Termios>);

impl Quiet {
    fn new() -> Result<Self, EntropyError> {
        let stdin = io::stdin();
        let Ok(before) = termios::tcgetattr(&stdin) else { return Ok(Self(None)) };
        let mut quiet = before.clone();
        quiet.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
        quiet.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        termios::tcsetattr(&stdin, SetArg::TCSANOW, &quiet).map_err(io::Error::from)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // The process ends soon in any case.
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(text: &[u8]) -> (Result<(), EntropyError>, u32) {
        let mut entropy = Entropy::known(b"").unwrap();
        let mut bits = 0;
        let mut now = Duration::ZERO;
        let mut clock = || {
            now += Duration::from_millis(1);
            now
        };
        let result = collect(&mut entropy, &mut &*text, &mut clock, &mut |b| bits = b);
        (result, bits)
    }

    #[test]
    fn typing_counts_until_it_is_enough() {
        let keys: Vec<u8> = b"ab".repeat(128);
        assert!(matches!(typed(&keys), (Ok(()), ENTROPY_BITS)));
        assert!(matches!(typed(&keys[1..]), (Err(EntropyError::Ended(255)), 255)));
        assert!(matches!(typed(&b"314".repeat(34)), (Ok(()), ENTROPY_BITS)));
        assert!(matches!(typed(&b"a".repeat(1000)), (Err(EntropyError::Ended(1)), 1)));
    }

    #[test]
    fn a_file_needs_256_bits() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entropy");
        let mut entropy = Entropy::known(b"").unwrap();
        std::fs::write(&path, [7; 31]).unwrap();
        assert!(matches!(from_file(&mut entropy, &path), Err(EntropyError::Short { bytes: 31, .. })));
        std::fs::write(&path, [7; 32]).unwrap();
        from_file(&mut entropy, &path).unwrap();
        assert!(from_file(&mut entropy, &folder.path().join("none")).is_err());
    }
}

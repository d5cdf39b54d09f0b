//! Where a contribution's secrets live: memory that is never swapped out, in pages of its own, wiped when it is dropped.
//!
//! Whoever learns the secrets of all contributors can forge proofs, so each must be gone when its contribution is
//! written. They are in no argument and no file, and a process that holds them leaves no core dump ([`harden`]). What
//! arithmetic leaves on the stack is overwritten ([`wipe_stack`]).

use std::ops::{Deref, DerefMut};

use ark_bls12_381::Fr;
use ark_ff::{AdditiveGroup, Field};
use nix::sys::{prctl, resource};
use region::LockGuard;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroize;

/// Bytes of stack overwritten by [`wipe_stack`]: more than any routine here has in use.
const STACK: usize = 256 << 10;
/// Bytes of an entropy pool.
const POOL: usize = 64;
/// Bits that an operator adds at least.
pub const ENTROPY_BITS: u32 = 256;

/// Why secrets cannot be kept as they must be.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The system does not lock memory.
    #[error(
        "secrets cannot be locked in memory: {0}; raise the limit (ulimit -l) to 8192 KiB, or run with CAP_IPC_LOCK"
    )]
    Lock(#[from] region::Error),
    /// The system does not switch core dumps off.
    #[error("core dumps cannot be switched off: {0}")]
    CoreDump(#[from] nix::Error),
    /// The system has no randomness.
    #[error("the operating system gives no randomness: {0}")]
    Random(#[from] rand::Error),
}

/// Switches core dumps off for the process, and other processes of the same user from looking into it.
///
/// # Errors
/// [`SecretError::CoreDump`].
pub fn harden() -> Result<(), SecretError> {
    resource::setrlimit(resource::Resource::RLIMIT_CORE, 0, 0)?;
    prctl::set_dumpable(false)?;
    Ok(())
}

/// Overwrites what earlier calls left on the stack below the caller's frame.
#[inline(never)]
pub fn wipe_stack() {
    let mut stack = [0xff_u8; STACK];
    stack.zeroize();
    std::hint::black_box(&stack);
}

/// A value in whole pages, so that locking and unlocking them touches nothing else.
#[repr(align(4096))]
struct Pages<T>(T);

/// A value that is never swapped out and is wiped when it is dropped.
pub(crate) struct Locked<T: Zeroize> {
    pages: Box<Pages<T>>,
    _guard: LockGuard,
}

impl<T: Zeroize> Locked<T> {
    /// Locks memory and puts a value without secrets there; secrets come in through `DerefMut`.
    pub(crate) fn new(blank: T) -> Result<Self, SecretError> {
        let pages = Box::new(Pages(blank));
        let _guard = region::lock((&raw const *pages).cast::<u8>(), size_of::<Pages<T>>())?;
        Ok(Self { pages, _guard })
    }
}

impl<T: Zeroize> Deref for Locked<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.pages.0
    }
}

impl<T: Zeroize> DerefMut for Locked<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.pages.0
    }
}

impl<T: Zeroize> Drop for Locked<T> {
    fn drop(&mut self) {
        self.pages.0.zeroize();
    }
}

/// The randomness of one contribution: the operating system's, and what the operator adds.
///
/// The pool is the SHA-512 of the pool before and each addition, so no addition, however bad, takes anything away.
pub struct Entropy {
    pool: Locked<[u8; POOL]>,
}

impl Entropy {
    /// 512 bits of the operating system's randomness.
    ///
    /// # Errors
    /// [`SecretError`] if there is none, or no locked memory.
    pub fn from_system() -> Result<Self, SecretError> {
        let mut pool = Locked::new([0; POOL])?;
        rand::RngCore::try_fill_bytes(&mut rand::rngs::OsRng, &mut *pool)?;
        Ok(Self { pool })
    }

    /// A pool that is known, for tests alone: whoever knows it knows the secrets.
    ///
    /// # Errors
    /// [`SecretError::Lock`].
    #[doc(hidden)]
    pub fn known(seed: &[u8]) -> Result<Self, SecretError> {
        let mut entropy = Self { pool: Locked::new([0; POOL])? };
        entropy.add(seed);
        Ok(entropy)
    }

    /// The pool, for the test that looks for it.
    #[cfg(test)]
    pub(crate) fn pool_for_tests(&self) -> &[u8; POOL] {
        &self.pool
    }

    /// Stirs in what the operator adds.
    pub fn add(&mut self, bytes: &[u8]) {
        let mut hash = Sha512::new_with_prefix(b"hansa/ceremony/entropy/v1\0");
        hash.update(*self.pool);
        hash.update(bytes);
        hash.finalize_into((&mut *self.pool).into());
        wipe_stack();
    }

    /// A scalar for the purpose, neither zero nor one.
    pub(crate) fn scalar(&self, purpose: &str) -> Result<Locked<Fr>, SecretError> {
        let mut scalar = Locked::new(Fr::ZERO)?;
        let mut wide = Locked::new([0_u8; POOL])?;
        let mut attempt = 0_u8;
        while *scalar == Fr::ZERO || *scalar == Fr::ONE {
            let mut hash = Sha512::new_with_prefix(b"hansa/ceremony/secret/v1\0");
            hash.update(*self.pool);
            hash.update([attempt]);
            hash.update(purpose.as_bytes());
            hash.finalize_into((&mut *wide).into());
            *scalar = wide_scalar(&wide);
            attempt = attempt.wrapping_add(1);
        }
        wipe_stack();
        Ok(scalar)
    }
}

/// The element of 64 little-endian bytes: their number modulo the order, whose distance from uniform is below 2^-256.
pub(crate) fn wide_scalar(bytes: &[u8; POOL]) -> Fr {
    let two_128 = Fr::from(u128::MAX) + Fr::ONE;
    let (parts, _) = bytes.as_chunks::<16>();
    parts.iter().rev().fold(Fr::ZERO, |value, part| value * two_128 + Fr::from(u128::from_le_bytes(*part)))
}

#[cfg(test)]
mod tests {
    use ark_ff::PrimeField;

    use super::*;

    #[test]
    fn every_addition_counts_and_nothing_repeats() {
        let scalar = |parts: &[&[u8]], purpose| {
            let mut entropy = Entropy::known(b"seed").unwrap();
            parts.iter().for_each(|part| entropy.add(part));
            *entropy.scalar(purpose).unwrap()
        };
        let all = [
            scalar(&[], "tau"),
            scalar(&[], "alpha"),
            scalar(&[b"1"], "tau"),
            scalar(&[b"2"], "tau"),
            scalar(&[b"1", b"2"], "tau"),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|other| other != one));
        }
        assert_eq!(all[0], scalar(&[], "tau"));
        let [a, b] = [(); 2].map(|()| Entropy::from_system().unwrap().scalar("tau").unwrap());
        assert_ne!(*a, *b);
    }

    #[test]
    fn a_wide_number_is_reduced() {
        let mut bytes = [0; POOL];
        (bytes[0], bytes[16], bytes[63]) = (7, 1, 0x80);
        let expected = Fr::from_le_bytes_mod_order(&bytes);
        assert_eq!(wide_scalar(&bytes), expected);
    }
}

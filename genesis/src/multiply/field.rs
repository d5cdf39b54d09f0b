//! Elements of the base fields of G1 and G2, eight at a time: one in each lane of AVX-512 registers.
//!
//! A coordinate is eight limbs of 52 bits in Montgomery form with R = 2^416, and is multiplied by the instructions made
//! for it (Gueron, Krasnov, ARITH 2016), which add the lower or the upper half of a product of two limbs to 64 bits.
//! 416 bits are 35 more than the modulus p has, so elements are not reduced below p until they are stored:
//!
//! - what comes of a [`product`](Element::product) of elements below 2^16 p is below 3 p, whatever their size;
//! - [`minus`](Element::minus) adds 32 p, so that what is subtracted may be as large as that;
//! - sums are limb by limb and have to be [`carried`](Element::carried) before they are multiplied.

use std::arch::x86_64::*;

use ark_bls12_381::{Fq, FqConfig};
use ark_ff::{AdditiveGroup, BigInt, BigInteger, Field, MontConfig, PrimeField};
use zeroize::Zeroize;

/// Elements of a vector.
pub(super) const WIDTH: usize = 8;
/// Limbs of a coordinate.
const LIMBS: usize = 8;
/// Bits of a limb.
const BITS: usize = 52;
/// A limb of ones.
const MASK: u64 = (1 << BITS) - 1;
/// Words of a coordinate in arkworks.
const WORDS: usize = 6;
/// p.
const MODULUS: [u64; LIMBS] = to_limbs(&Fq::MODULUS.0);
/// -1/p modulo 2^52.
const INVERSE: u64 = FqConfig::INV & MASK;
/// arkworks has R = 2^384, so this is 2^448, which in a product takes a coordinate of arkworks here ..
const IN: [u64; LIMBS] = to_limbs(&Fq::new(BigInt::new([0, 1, 0, 0, 0, 0])).0.0);
/// .. and this is 2^384, which takes it back.
const OUT: [u64; LIMBS] = to_limbs(&FqConfig::R.0);

const fn to_limbs(words: &[u64; WORDS]) -> [u64; LIMBS] {
    let mut limbs = [0; LIMBS];
    let mut i = 0;
    while i < LIMBS {
        let (word, shift) = (BITS * i / 64, BITS * i % 64);
        let mut limb = words[word] >> shift;
        if shift + BITS > 64 && word + 1 < WORDS {
            limb |= words[word + 1] << (64 - shift);
        }
        limbs[i] = limb & MASK;
        i += 1;
    }
    limbs
}

/// The words of a number below 2^384.
fn to_words(limbs: &[u64; LIMBS]) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    for (i, limb) in limbs.iter().enumerate() {
        let (word, shift) = (BITS * i / 64, BITS * i % 64);
        words[word] |= limb << shift;
        if shift + BITS > 64 && word + 1 < WORDS {
            words[word + 1] |= limb >> (64 - shift);
        }
    }
    words
}

/// One number in each lane, the first in the lowest.
#[target_feature(enable = "avx512f")]
#[inline]
pub(super) fn vector(lanes: [i64; WIDTH]) -> __m512i {
    let [a, b, c, d, e, f, g, h] = lanes;
    _mm512_set_epi64(h, g, f, e, d, c, b, a)
}

/// The numbers in the lanes.
#[target_feature(enable = "avx512f")]
#[inline]
fn lanes(vector: __m512i) -> [u64; WIDTH] {
    let (low, high) = (_mm512_castsi512_si256(vector), _mm512_extracti64x4_epi64::<1>(vector));
    let mut lanes = [0; WIDTH];
    for (half, lanes) in [low, high].into_iter().zip(lanes.as_chunks_mut::<4>().0) {
        *lanes = [
            _mm256_extract_epi64::<0>(half).cast_unsigned(),
            _mm256_extract_epi64::<1>(half).cast_unsigned(),
            _mm256_extract_epi64::<2>(half).cast_unsigned(),
            _mm256_extract_epi64::<3>(half).cast_unsigned(),
        ];
    }
    lanes
}

/// The same number in every lane.
#[target_feature(enable = "avx512f")]
#[inline]
fn same(number: u64) -> __m512i {
    _mm512_set1_epi64(number.cast_signed())
}

/// Takes what is above the bits of a limb to the next limb; limbs may be negative, but for their sum.
#[target_feature(enable = "avx512f")]
#[inline]
fn carry(limbs: &mut [__m512i; LIMBS]) {
    let mask = same(MASK);
    for i in 1..LIMBS {
        limbs[i] = _mm512_add_epi64(limbs[i], _mm512_srai_epi64::<{ BITS as u32 }>(limbs[i - 1]));
        limbs[i - 1] = _mm512_and_si512(limbs[i - 1], mask);
    }
}

/// A product of two coordinates, or a sum of such: each limb has room for some hundred, and may be negative.
#[derive(Clone, Copy)]
struct Wide([__m512i; 2 * LIMBS]);

impl Wide {
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn product(a: &Coordinate, b: &Coordinate) -> Self {
        let mut sum = [_mm512_setzero_si512(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in 0..LIMBS {
                sum[i + j] = _mm512_madd52lo_epu64(sum[i + j], a.0[i], b.0[j]);
            }
            for j in 0..LIMBS {
                sum[i + j + 1] = _mm512_madd52hi_epu64(sum[i + j + 1], a.0[i], b.0[j]);
            }
        }
        Self(sum)
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn square(a: &Coordinate) -> Self {
        let mut sum = [_mm512_setzero_si512(); 2 * LIMBS];
        for i in 0..LIMBS {
            for j in i + 1..LIMBS {
                sum[i + j] = _mm512_madd52lo_epu64(sum[i + j], a.0[i], a.0[j]);
            }
            for j in i + 1..LIMBS {
                sum[i + j + 1] = _mm512_madd52hi_epu64(sum[i + j + 1], a.0[i], a.0[j]);
            }
        }
        for i in 0..LIMBS {
            sum[2 * i] = _mm512_madd52lo_epu64(_mm512_add_epi64(sum[2 * i], sum[2 * i]), a.0[i], a.0[i]);
            let above = _mm512_add_epi64(sum[2 * i + 1], sum[2 * i + 1]);
            sum[2 * i + 1] = _mm512_madd52hi_epu64(above, a.0[i], a.0[i]);
        }
        Self(sum)
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn minus(mut self, other: &Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(&other.0) {
            *limb = _mm512_sub_epi64(*limb, *other);
        }
        self
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn shifted<const BITS: u32>(mut self) -> Self {
        for limb in &mut self.0 {
            *limb = _mm512_slli_epi64::<BITS>(*limb);
        }
        self
    }

    /// This over R, modulo p: for a size below 2^34 p^2 it is between p - p / 2 and 2 p + p / 2.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn reduced(mut self) -> Coordinate {
        let sum = &mut self.0;
        for i in 0..LIMBS {
            let factor = _mm512_madd52lo_epu64(_mm512_setzero_si512(), sum[i], same(INVERSE));
            for j in 0..LIMBS {
                sum[i + j] = _mm512_madd52lo_epu64(sum[i + j], factor, same(MODULUS[j]));
            }
            for j in 0..LIMBS {
                sum[i + j + 1] = _mm512_madd52hi_epu64(sum[i + j + 1], factor, same(MODULUS[j]));
            }
            sum[i + 1] = _mm512_add_epi64(sum[i + 1], _mm512_srai_epi64::<{ BITS as u32 }>(sum[i]));
        }
        let mut limbs = [_mm512_setzero_si512(); LIMBS];
        for i in 0..LIMBS {
            limbs[i] = _mm512_add_epi64(sum[LIMBS + i], same(MODULUS[i]));
        }
        carry(&mut limbs);
        Coordinate(limbs)
    }
}

/// Eight elements of the prime field.
#[derive(Clone, Copy)]
struct Coordinate([__m512i; LIMBS]);

impl Coordinate {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn plus(mut self, other: &Self) -> Self {
        for (limb, other) in self.0.iter_mut().zip(&other.0) {
            *limb = _mm512_add_epi64(*limb, *other);
        }
        self
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn minus(mut self, other: &Self) -> Self {
        for ((limb, other), modulus) in self.0.iter_mut().zip(&other.0).zip(MODULUS) {
            *limb = _mm512_add_epi64(_mm512_sub_epi64(*limb, *other), same(modulus << 5));
        }
        self
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn negated(&self) -> Self {
        Self([_mm512_setzero_si512(); LIMBS]).minus(self).carried()
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn carried(mut self) -> Self {
        carry(&mut self.0);
        self
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn times(&self, factor: &[u64; LIMBS]) -> Self {
        Wide::product(self, &Self(factor.map(|limb| same(limb)))).reduced()
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn load(elements: &[Fq; WIDTH]) -> Self {
        let limbs = elements.map(|element| to_limbs(&element.0.0));
        let mut vectors = [_mm512_setzero_si512(); LIMBS];
        for (i, to) in vectors.iter_mut().enumerate() {
            *to = vector(limbs.map(|limbs| limbs[i].cast_signed()));
        }
        Self(vectors).times(&IN)
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn store(&self) -> [Fq; WIDTH] {
        let mut limbs = [[0; LIMBS]; WIDTH];
        for (i, vector) in self.times(&OUT).0.into_iter().enumerate() {
            limbs.iter_mut().zip(lanes(vector)).for_each(|(to, limb)| to[i] = limb);
        }
        limbs.map(|limbs| {
            let mut element = BigInt::new(to_words(&limbs));
            while element >= Fq::MODULUS {
                element.sub_with_borrow(&Fq::MODULUS);
            }
            Fq::new_unchecked(element)
        })
    }
}

/// Eight elements of the field of degree `D` over the prime field: 1, or 2 with u^2 = -1.
#[derive(Clone, Copy)]
pub(super) struct Element<const D: usize>([Coordinate; D]);

/// A product of two elements, or a difference of such, before it is reduced.
pub(super) struct Product<const D: usize>([Wide; D]);

impl<const D: usize> Element<D> {
    /// From arkworks.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn load<F: Field<BasePrimeField = Fq>>(elements: &[F; WIDTH]) -> Self {
        let mut coordinates = [Coordinate([_mm512_setzero_si512(); LIMBS]); D];
        for (i, to) in coordinates.iter_mut().enumerate() {
            let of = |element: &F| element.to_base_prime_field_elements().nth(i).expect("of degree D");
            *to = Coordinate::load(&elements.each_ref().map(of));
        }
        Self(coordinates)
    }

    /// To arkworks.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn store<F: Field<BasePrimeField = Fq>>(&self) -> [F; WIDTH] {
        let mut coordinates = [[Fq::ZERO; WIDTH]; D];
        for (to, coordinate) in coordinates.iter_mut().zip(&self.0) {
            *to = coordinate.store();
        }
        let mut elements = [F::ZERO; WIDTH];
        for (i, to) in elements.iter_mut().enumerate() {
            let of = coordinates.iter().map(|coordinate| coordinate[i]);
            *to = F::from_base_prime_field_elems(of).expect("of degree D");
        }
        elements
    }

    /// The product, not reduced.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn product(&self, other: &Self) -> Product<D> {
        let (a, b) = (&self.0, &other.0);
        let mut product = [Wide([_mm512_setzero_si512(); 2 * LIMBS]); D];
        product[0] = Wide::product(&a[0], &b[0]);
        if D == 2 {
            // Karatsuba and Ofman.
            let (a01, b01) = (a[0].plus(&a[1]).carried(), b[0].plus(&b[1]).carried());
            let high = Wide::product(&a[1], &b[1]);
            product[1] = Wide::product(&a01, &b01).minus(&product[0]).minus(&high);
            product[0] = product[0].minus(&high);
        }
        Product(product)
    }

    /// The square, not reduced.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn squared(&self) -> Product<D> {
        let a = &self.0;
        let mut square = [Wide([_mm512_setzero_si512(); 2 * LIMBS]); D];
        square[0] = Wide::square(&a[0]);
        if D == 2 {
            square[0] = square[0].minus(&Wide::square(&a[1]));
            square[1] = Wide::product(&a[0], &a[1]).shifted::<1>();
        }
        Product(square)
    }

    /// The product.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline(never)]
    pub(super) fn times(&self, other: &Self) -> Self {
        self.product(other).reduced()
    }

    /// The square.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline(never)]
    pub(super) fn square(&self) -> Self {
        self.squared().reduced()
    }

    /// The sum, not carried.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn plus(mut self, other: &Self) -> Self {
        for (to, other) in self.0.iter_mut().zip(&other.0) {
            *to = to.plus(other);
        }
        self
    }

    /// The difference, not carried; what is subtracted is at most 32 p.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn minus(mut self, other: &Self) -> Self {
        for (to, other) in self.0.iter_mut().zip(&other.0) {
            *to = to.minus(other);
        }
        self
    }

    /// 2^`BITS` times this, not carried.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn shifted<const BITS: u32>(mut self) -> Self {
        for limb in self.0.iter_mut().flat_map(|coordinate| &mut coordinate.0) {
            *limb = _mm512_slli_epi64::<BITS>(*limb);
        }
        self
    }

    /// The same with limbs of 52 bits.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn carried(mut self) -> Self {
        for coordinate in &mut self.0 {
            *coordinate = coordinate.carried();
        }
        self
    }

    /// The opposite of an element of at most 32 p, carried.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn negated(mut self) -> Self {
        for coordinate in &mut self.0 {
            *coordinate = coordinate.negated();
        }
        self
    }

    /// The conjugate: this to the power of p.
    #[target_feature(enable = "avx512f")]
    pub(super) fn conjugate(mut self) -> Self {
        for coordinate in self.0.iter_mut().skip(1) {
            *coordinate = coordinate.negated();
        }
        self
    }

    /// `other` in the lanes of the mask.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn replaced(mut self, mask: __mmask8, other: &Self) -> Self {
        for (to, other) in self.0.iter_mut().zip(&other.0) {
            for (to, other) in to.0.iter_mut().zip(&other.0) {
                *to = _mm512_mask_mov_epi64(*to, mask, *other);
            }
        }
        self
    }
}

impl<const D: usize> Product<D> {
    /// The difference.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn minus(mut self, other: &Self) -> Self {
        for (to, other) in self.0.iter_mut().zip(&other.0) {
            *to = to.minus(other);
        }
        self
    }

    /// 2^`BITS` times this.
    #[target_feature(enable = "avx512f")]
    #[inline]
    pub(super) fn shifted<const BITS: u32>(mut self) -> Self {
        for wide in &mut self.0 {
            *wide = wide.shifted::<BITS>();
        }
        self
    }

    /// An element below 3 p, carried.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn reduced(self) -> Element<D> {
        let mut element = [Coordinate([_mm512_setzero_si512(); LIMBS]); D];
        for (to, wide) in element.iter_mut().zip(self.0) {
            *to = wide.reduced();
        }
        Element(element)
    }
}

impl<const D: usize> Zeroize for Element<D> {
    fn zeroize(&mut self) {
        self.0.iter_mut().for_each(|coordinate| coordinate.0.zeroize());
    }
}

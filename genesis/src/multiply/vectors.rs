//! Eight multiplications at a time, in the lanes of AVX-512 registers.
//!
//! Sums are in Jacobian coordinates, so only the tables of multiples and the results need inversions, which a chunk
//! shares. The formulas (Cohen, Miyaji, Ono, Asiacrypt 1998) are not complete: where equal or opposite points are added,
//! z is zero, and so it is in all that is computed from that. Then the chunk is left as it was, to be multiplied in the
//! portable way. Digits of scalars below the order do not lead there; a mask says which lanes have no summand yet.

use std::{arch::x86_64::*, marker::PhantomData};

use ark_ec::{AffineRepr, short_weierstrass::Affine};
use ark_ff::Field;
use zeroize::Zeroize;

use super::{
    BITS, CHUNK, Digits, Group, LARGEST,
    field::{Element, WIDTH, vector},
};

/// A point in each lane, none of which is the identity.
#[derive(Clone, Copy)]
struct Point<const D: usize> {
    x: Element<D>,
    y: Element<D>,
}

/// The point (x / z^2, y / z^3) in each lane.
#[derive(Clone, Copy)]
struct Sum<const D: usize> {
    x: Element<D>,
    y: Element<D>,
    z: Element<D>,
}

impl<const D: usize> Sum<D> {
    /// Twice this.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn doubled(&self) -> Self {
        let (a, b) = (self.x.square(), self.y.square());
        let slope = a.plus(&a.shifted::<1>()).carried();
        let v = self.x.times(&b);
        let f = slope.square();
        let run = v.shifted::<3>().plus(&v.shifted::<2>()).minus(&f).carried();
        Self {
            x: f.minus(&v.shifted::<3>()).carried(),
            y: slope.product(&run).minus(&b.squared().shifted::<3>()).reduced(),
            z: self.y.product(&self.z).shifted::<1>().reduced(),
        }
    }

    /// This and a point that it is neither equal nor opposite to; otherwise z is zero.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn plus(&self, point: &Point<D>) -> Self {
        let square = self.z.square();
        let h = self.x.minus(&square.times(&point.x)).carried();
        let slope = self.y.minus(&square.times(&self.z).times(&point.y)).carried();
        let square = h.square();
        let (cube, v, f) = (h.times(&square), self.x.times(&square), slope.square());
        let run = v.plus(&v.shifted::<1>()).minus(&f.plus(&cube)).carried();
        Self {
            x: f.plus(&cube).minus(&v.shifted::<1>()).carried(),
            y: slope.product(&run).minus(&self.y.product(&cube)).reduced(),
            z: self.z.times(&h),
        }
    }

    /// `other` in the lanes of the mask.
    #[target_feature(enable = "avx512f")]
    fn replaced(&self, mask: __mmask8, other: &Self) -> Self {
        Self {
            x: self.x.replaced(mask, &other.x),
            y: self.y.replaced(mask, &other.y),
            z: self.z.replaced(mask, &other.z),
        }
    }
}

impl<const D: usize> Point<D> {
    /// The point of x / z^2 and y / z^3.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn scaled(&self, inverse: &Element<D>) -> Self {
        let square = inverse.square();
        Self { x: self.x.times(&square), y: self.y.times(&square.times(inverse)) }
    }

    /// In each lane the multiple of its digit, from once to [`LARGEST`] times the point; anything where it is zero.
    #[target_feature(enable = "avx512f")]
    fn pick(multiples: &[Self; LARGEST], digits: __m512i) -> Self {
        let mut sizes = _mm512_abs_epi64(digits);
        let one = _mm512_set1_epi64(1);
        let &[mut picked, ref others @ ..] = multiples;
        for other in others {
            sizes = _mm512_sub_epi64(sizes, one);
            let here = _mm512_cmpeq_epi64_mask(sizes, one);
            picked = Self { x: picked.x.replaced(here, &other.x), y: picked.y.replaced(here, &other.y) };
        }
        let negative = _mm512_cmplt_epi64_mask(digits, _mm512_setzero_si512());
        Self { x: picked.x, y: picked.y.replaced(negative, &picked.y.negated()) }
    }
}

/// Buffers for a chunk. There are none where the processor lacks the instructions.
pub(super) struct Room<G: Group, const D: usize> {
    one: Element<D>,
    /// What x and y of a conjugate are multiplied by to have the base times the point.
    factors: Point<D>,
    /// For each vector, each part and each size of a digit, that multiple of the points.
    multiples: Vec<[Point<D>; LARGEST]>,
    sums: Vec<Sum<D>>,
    /// Lanes of sums that are not empty.
    begun: Vec<__mmask8>,
    /// What is to be inverted, and the products of all before.
    inverses: Vec<Element<D>>,
    products: Vec<Element<D>>,
    _group: PhantomData<G>,
}

impl<G: Group, const D: usize> Room<G, D> {
    pub(super) fn new() -> Option<Self> {
        let here = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma");
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: this processor has the instructions.
        here.then(|| unsafe { Self::empty() })
    }

    /// Replaces each point by the sum by its digits, or none of them.
    pub(super) fn multiply(&mut self, points: &mut [Affine<G>], digits: &[Digits; CHUNK]) -> Option<()> {
        #[expect(unsafe_code, reason = "instructions that not every processor has")]
        // SAFETY: there are buffers, so this processor has the instructions.
        unsafe {
            self.multiply_chunk(points, digits)
        }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn empty() -> Self {
        let (x, y) = G::factors();
        Self {
            one: Element::load(&[G::BaseField::ONE; WIDTH]),
            factors: Point { x: Element::load(&[x; WIDTH]), y: Element::load(&[y; WIDTH]) },
            multiples: Vec::new(),
            sums: Vec::with_capacity(CHUNK / WIDTH),
            begun: Vec::with_capacity(CHUNK / WIDTH),
            inverses: Vec::with_capacity(CHUNK / WIDTH * LARGEST),
            products: Vec::with_capacity(CHUNK / WIDTH * LARGEST),
            _group: PhantomData,
        }
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    fn multiply_chunk(&mut self, points: &mut [Affine<G>], digits: &[Digits; CHUNK]) -> Option<()> {
        self.tabulate(points)?;
        self.sums.clear();
        self.begun.clear();
        for (i, (points, digits)) in points.chunks(WIDTH).zip(digits.chunks(WIDTH)).enumerate() {
            let there = points.iter().rev().fold(0, |mask, point| mask << 1 | u8::from(!point.is_zero()));
            self.sum(i, there, digits);
        }
        self.inverses.clear();
        self.inverses.extend(self.sums.iter().map(|sum| sum.z));
        self.invert()?;
        for (i, points) in points.chunks_mut(WIDTH).enumerate() {
            let sum = Point { x: self.sums[i].x, y: self.sums[i].y }.scaled(&self.inverses[i]);
            let (x, y) = (sum.x.store(), sum.y.store());
            for (lane, point) in points.iter_mut().enumerate() {
                *point = match self.begun[i] >> lane & 1 {
                    0 => Affine::identity(),
                    _ => Affine::new_unchecked(x[lane], y[lane]),
                };
            }
        }
        Some(())
    }

    /// The sum of vector `i` by its digits, in lanes where there is a point.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn sum(&mut self, i: usize, there: __mmask8, digits: &[Digits]) {
        let multiples = &self.multiples[i * G::PARTS..][..G::PARTS];
        let mut begun = 0;
        let mut sum = Sum { x: multiples[0][0].x, y: multiples[0][0].y, z: self.one };
        for digit in (0..G::DIGITS).rev() {
            if begun != 0 {
                for _ in 0..BITS {
                    sum = sum.doubled();
                }
            }
            for (part, multiples) in multiples.iter().enumerate() {
                let mut here = [0; WIDTH];
                for (here, digits) in here.iter_mut().zip(digits) {
                    *here = i64::from(digits[part * G::DIGITS + digit]);
                }
                let here = vector(here);
                let wanted = there & _mm512_cmpneq_epi64_mask(here, _mm512_setzero_si512());
                if wanted != 0 {
                    let term = Point::pick(multiples, here);
                    let first = Sum { x: term.x, y: term.y, z: self.one };
                    let next = sum.plus(&term).replaced(!begun, &first);
                    sum = sum.replaced(wanted, &next);
                    begun |= wanted;
                }
            }
        }
        self.sums.push(sum);
        self.begun.push(begun);
    }

    /// Once to eight times each point, and that times the powers of the base; in place of an identity, the generator's.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn tabulate(&mut self, points: &[Affine<G>]) -> Option<()> {
        self.multiples.clear();
        self.inverses.clear();
        for points in points.chunks(WIDTH) {
            let mut full = [G::GENERATOR; WIDTH];
            for (to, point) in full.iter_mut().zip(points).filter(|(_, point)| !point.is_zero()) {
                *to = *point;
            }
            let one = Point { x: Element::load(&full.map(|p| p.x)), y: Element::load(&full.map(|p| p.y)) };
            let mut sums = [Sum { x: one.x, y: one.y, z: self.one }; LARGEST];
            for size in 2..=LARGEST {
                let next =
                    if size % 2 == 0 { sums[size / 2 - 1].doubled() } else { sums[size - 2].plus(&one) };
                sums[size - 1] = next;
            }
            self.inverses.extend(sums.iter().map(|sum| sum.z));
            self.multiples.push(sums.map(|sum| Point { x: sum.x, y: sum.y }));
            for _ in 1..G::PARTS {
                self.multiples.push([one; LARGEST]);
            }
        }
        self.invert()?;
        let inverses = self.inverses.as_chunks::<LARGEST>().0;
        for (parts, inverses) in self.multiples.chunks_mut(G::PARTS).zip(inverses) {
            for (size, inverse) in inverses.iter().enumerate() {
                let mut multiple = parts[0][size].scaled(inverse);
                parts[0][size] = multiple;
                for part in &mut parts[1..] {
                    multiple = Point {
                        x: multiple.x.conjugate().times(&self.factors.x),
                        y: multiple.y.conjugate().times(&self.factors.y),
                    };
                    part[size] = multiple;
                }
            }
        }
        Some(())
    }

    /// Replaces what is to be inverted by its inverses, if none of it is zero (Montgomery 1987, section 10.3.1).
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn invert(&mut self) -> Option<()> {
        self.products.clear();
        let mut product = self.one;
        for element in &self.inverses {
            self.products.push(product);
            product = product.times(element);
        }
        let mut lanes: [G::BaseField; WIDTH] = product.store();
        for lane in &mut lanes {
            lane.inverse_in_place()?;
        }
        let mut inverse = Element::load(&lanes);
        for (element, before) in self.inverses.iter_mut().zip(&self.products).rev() {
            (*element, inverse) = (inverse.times(before), inverse.times(element));
        }
        Some(())
    }
}

impl<G: Group, const D: usize> Drop for Room<G, D> {
    fn drop(&mut self) {
        // Sums and their z say which digits there were.
        for sum in &mut self.sums {
            [&mut sum.x, &mut sum.y, &mut sum.z].into_iter().for_each(Zeroize::zeroize);
        }
        self.inverses.zeroize();
        self.products.zeroize();
        self.begun.zeroize();
    }
}

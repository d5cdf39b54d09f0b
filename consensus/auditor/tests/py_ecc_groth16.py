"""Judges exported proofs with py_ecc: python py_ecc_groth16.py KEY (PUBLIC PROOF)..; prints OK or INVALID for each."""

import json
import sys

from py_ecc.optimized_bls12_381 import (
    FQ, FQ2, FQ12, add, b, b2, curve_order, final_exponentiate, is_on_curve, multiply, neg, pairing,
)


def g1(point):
    point = tuple(FQ(int(coordinate)) for coordinate in point)
    assert is_on_curve(point, b)
    return point


def g2(point):
    point = tuple(FQ2([int(part) for part in coordinate]) for coordinate in point)
    assert is_on_curve(point, b2)
    return point


def holds(key, inputs, proof):
    """e(A, B) = e(alpha, beta) e(IC, gamma) e(C, delta), with exactly as many inputs as the key has."""
    inputs = [int(value) for value in inputs]
    if len(inputs) + 1 != len(key["IC"]) or any(value >= curve_order for value in inputs):
        return False
    total = g1(key["IC"][0])
    for point, value in zip(key["IC"][1:], inputs):
        total = add(total, multiply(g1(point), value))
    pairs = [
        (g2(proof["pi_b"]), neg(g1(proof["pi_a"]))),
        (g2(key["vk_beta_2"]), g1(key["vk_alpha_1"])),
        (g2(key["vk_gamma_2"]), total),
        (g2(key["vk_delta_2"]), g1(proof["pi_c"])),
    ]
    product = FQ12.one()
    for q, p in pairs:
        product *= pairing(q, p, final_exponentiate=False)
    return final_exponentiate(product) == FQ12.one()


def main():
    key, *files = [json.load(open(name, encoding="ascii")) for name in sys.argv[1:]]
    for inputs, proof in zip(files[::2], files[1::2]):
        print("OK" if holds(key, inputs, proof) else "INVALID")


main()

// snarkjs as a peer to measure against: the steps of a ceremony over BLS12-381, on request, each answered with the CPU
// time that this process and its threads took. The protocol is in testnet/peers/README.md; the argument is a folder.

import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import * as snarkjs from "snarkjs";

const CURVE = "bls12381";
// The order of the scalar field, little-endian.
const ORDER = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001n;
const PUBLIC = 2;
const folder = process.argv[2];
const file = (name) => path.join(folder, name);
const entropy = () => `${process.hrtime.bigint()}-${Math.random()}`;

function bytes(number, length) {
    const out = Buffer.alloc(length);
    for (let i = 0; i < length; i++) out[i] = Number((number >> BigInt(8 * i)) & 0xffn);
    return out;
}

function u32(number) {
    return bytes(BigInt(number), 4);
}

// The circuit that hansa-testnet measures on: x (x + 5) = next, as often as the domain has room, in circom's format.
function circuit(power) {
    const rows = 2 ** power - PUBLIC;
    const term = (wire, factor) => Buffer.concat([u32(wire), bytes(factor, 32)]);
    const constraints = [];
    // Wires: one, y, then x_0 .. x_(rows - 1); the last product is y.
    for (let i = 0; i < rows; i++) {
        const next = i + 1 === rows ? 1 : i + PUBLIC + 1;
        constraints.push(u32(1), term(i + PUBLIC, 1n), u32(2), term(0, 5n), term(i + PUBLIC, 1n), u32(1), term(next, 1n));
    }
    const wires = rows + PUBLIC;
    const header = Buffer.concat([
        u32(32), bytes(ORDER, 32), u32(wires), u32(1), u32(0), u32(rows), bytes(BigInt(wires), 8), u32(rows),
    ]);
    const labels = Buffer.concat(Array.from({ length: wires }, (_, i) => bytes(BigInt(i), 8)));
    const section = (kind, content) => Buffer.concat([u32(kind), bytes(BigInt(content.length), 8), content]);
    return Buffer.concat([
        Buffer.from("r1cs"), u32(1), u32(3),
        section(1, header), section(2, Buffer.concat(constraints)), section(3, labels),
    ]);
}

const steps = {
    async new(power) {
        fs.writeFileSync(file("circuit.r1cs"), circuit(Number(power)));
        const { getCurveFromName } = await import("ffjavascript");
        await snarkjs.powersOfTau.newAccumulator(await getCurveFromName(CURVE), Number(power), file("0.ptau"));
    },
    async "phase1-contribute"() {
        await snarkjs.powersOfTau.contribute(file("0.ptau"), file("1.ptau"), "peer", entropy());
    },
    async "phase1-verify"() {
        if (!(await snarkjs.powersOfTau.verify(file("1.ptau")))) throw new Error("phase 1 does not verify");
    },
    async "phase2-start"() {
        await snarkjs.powersOfTau.preparePhase2(file("1.ptau"), file("final.ptau"));
        await snarkjs.zKey.newZKey(file("circuit.r1cs"), file("final.ptau"), file("0.zkey"));
    },
    async "phase2-contribute"() {
        await snarkjs.zKey.contribute(file("0.zkey"), file("1.zkey"), "peer", entropy());
    },
    async "phase2-verify"() {
        const verified = await snarkjs.zKey.verifyFromR1cs(file("circuit.r1cs"), file("final.ptau"), file("1.zkey"));
        if (!verified) throw new Error("phase 2 does not verify");
    },
};

console.log("ready snarkjs 0.7.6");
for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, argument] = line.trim().split(" ");
    if (command === "quit") break;
    if (!steps[command]) {
        console.log(`error unknown command ${command}: ${Object.keys(steps).join(", ")} or quit is wanted`);
        continue;
    }
    const before = process.cpuUsage();
    try {
        await steps[command](argument);
        const { user, system } = process.cpuUsage(before);
        console.log(`ok ${(user + system) * 1000}`);
    } catch (error) {
        console.log(`error ${error.message}`);
    }
}
process.exit(0);

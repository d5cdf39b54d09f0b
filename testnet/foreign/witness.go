package main

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
)

// The signature type of cosignature/v1, which x/mod does not know.
const cosignature = 0x04

// witness is a note.Verifier of C2SP tlog-cosignature.
type witness struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func newWitness(vkey string) (*witness, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("not a witness's key")
	}
	key, err := decode(parts[2])
	if err != nil || len(key) != 1+ed25519.PublicKeySize || key[0] != cosignature {
		return nil, errors.New("not a key of cosignature/v1")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	hash := binary.BigEndian.Uint32(sum[:4])
	if fmt.Sprintf("%08x", hash) != parts[1] {
		return nil, errors.New("the witness's key id is not the hash of its name and key")
	}
	return &witness{name: parts[0], hash: hash, key: key[1:]}, nil
}

func (w *witness) Name() string { return w.name }

func (w *witness) KeyHash() uint32 { return w.hash }

func (w *witness) Verify(message, signature []byte) bool {
	if len(signature) != 8+ed25519.SignatureSize {
		return false
	}
	header := fmt.Sprintf("cosignature/v1\ntime %d\n", binary.BigEndian.Uint64(signature[:8]))
	return ed25519.Verify(w.key, append([]byte(header), message...), signature[8:])
}

// Verifies what Hansa's log publishes with nothing of Hansa's: Go's standard library, and the packages note and tlog of
// golang.org/x/mod/sumdb, which serve Go's own checksum database.
//
//	foreign DIR [PART]...
//
// DIR holds a tlog-tiles folder (checkpoint, tile/) and beside it log.vkey, witness.vkey, old.checkpoint, consistency
// (a hash in base64 a line), leaf and leaf.tlog-proof. Each part is verified and said in a line; without PARTs, all.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The one height of tiles that C2SP knows. x/mod writes it into the path, C2SP does not.
const height = 8

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: foreign DIR [PART]...")
		os.Exit(2)
	}
	log := &log{dir: os.Args[1]}
	parts := []string{"checkpoint", "inclusion", "consistency", "tiles"}
	if len(os.Args) > 2 {
		parts = os.Args[2:]
	}
	verify := map[string]func() (string, error){
		"checkpoint":  log.checkpoint,
		"inclusion":   log.inclusion,
		"consistency": log.consistency,
		"tiles":       log.tiles,
	}
	for _, part := range parts {
		shown, err := verify[part]()
		if err != nil {
			fmt.Fprintf(os.Stderr, "foreign: REFUSED: %s: %v\n", part, err)
			os.Exit(1)
		}
		fmt.Printf("%s: %s\n", part, shown)
	}
}

type log struct {
	dir string
}

func (l *log) read(name string) (string, error) {
	bytes, err := os.ReadFile(filepath.Join(l.dir, name))
	return string(bytes), err
}

// open verifies a signed checkpoint: the log's signature always, and the witness's if it is wanted.
func (l *log) open(signed string, cosigned bool) (tlog.Tree, error) {
	var tree tlog.Tree
	key, err := l.read("log.vkey")
	if err != nil {
		return tree, err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(key))
	if err != nil {
		return tree, err
	}
	key, err = l.read("witness.vkey")
	if err != nil {
		return tree, err
	}
	witness, err := newWitness(strings.TrimSpace(key))
	if err != nil {
		return tree, err
	}
	opened, err := note.Open([]byte(signed), note.VerifierList(verifier, witness))
	if err != nil {
		return tree, err
	}
	signers := map[string]bool{}
	for _, signature := range opened.Sigs {
		signers[signature.Name] = true
	}
	if !signers[verifier.Name()] || cosigned && !signers[witness.Name()] {
		return tree, fmt.Errorf("a signature is missing, there are %v", signers)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[0] != verifier.Name() {
		return tree, fmt.Errorf("not a checkpoint of %s: %q", verifier.Name(), opened.Text)
	}
	tree.N, err = strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tree, err
	}
	tree.Hash, err = tlog.ParseHash(lines[2])
	return tree, err
}

func (l *log) head() (tlog.Tree, error) {
	signed, err := l.read("checkpoint")
	if err != nil {
		return tlog.Tree{}, err
	}
	return l.open(signed, true)
}

func (l *log) checkpoint() (string, error) {
	tree, err := l.head()
	return fmt.Sprintf("%d entries, signed by the log and a witness", tree.N), err
}

func (l *log) inclusion() (string, error) {
	leaf, err := l.read("leaf")
	if err != nil {
		return "", err
	}
	text, err := l.read("leaf.tlog-proof")
	if err != nil {
		return "", err
	}
	head, signed, ok := strings.Cut(text, "\n\n")
	lines := strings.Split(head, "\n")
	if !ok || len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" {
		return "", errors.New("not a tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil {
		return "", err
	}
	proof, err := hashes(lines[2:])
	if err != nil {
		return "", err
	}
	tree, err := l.open(signed, false)
	if err != nil {
		return "", err
	}
	err = tlog.CheckRecord(tlog.RecordProof(proof), tree.N, tree.Hash, index, tlog.RecordHash([]byte(leaf)))
	return fmt.Sprintf("leaf %d of %d by %d hashes", index, tree.N, len(proof)), err
}

func (l *log) consistency() (string, error) {
	signed, err := l.read("old.checkpoint")
	if err != nil {
		return "", err
	}
	old, err := l.open(signed, false)
	if err != nil {
		return "", err
	}
	tree, err := l.head()
	if err != nil {
		return "", err
	}
	text, err := l.read("consistency")
	if err != nil {
		return "", err
	}
	proof, err := hashes(strings.Split(strings.TrimSuffix(text, "\n"), "\n"))
	if err != nil {
		return "", err
	}
	err = tlog.CheckTree(tlog.TreeProof(proof), tree.N, tree.Hash, old.N, old.Hash)
	return fmt.Sprintf("%d to %d by %d hashes", old.N, tree.N, len(proof)), err
}

// tiles computes the tree again from the entries, compares every tile of it, and reads the entries' hashes through the
// tiles as a client does.
func (l *log) tiles() (string, error) {
	tree, err := l.head()
	if err != nil {
		return "", err
	}
	// TileHashReader alone does not do: that of x/mod 0.7.0 authenticates all but the first few tiles that it reads.
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = stored[index]
		}
		return found, nil
	})
	indexes := make([]int64, tree.N)
	err = l.entries(tree.N, func(i int64, entry []byte) error {
		hashes, err := tlog.StoredHashes(i, entry, reader)
		indexes[i] = tlog.StoredHashIndex(0, i)
		stored = append(stored, hashes...)
		return err
	})
	if err != nil {
		return "", err
	}
	for level := 0; tree.N>>(level*height) > 0; level++ {
		nodes := tree.N >> (level * height)
		for first := int64(0); first < nodes; first += 1 << height {
			width := int(min(nodes-first, 1<<height))
			tile := tlog.Tile{H: height, L: level, N: first >> height, W: width}
			wanted, err := tlog.ReadTileData(tile, reader)
			if err != nil {
				return "", err
			}
			found, err := l.read(path(tile))
			if err != nil {
				return "", err
			}
			if found != string(wanted) {
				return "", fmt.Errorf("%s is not what the entries give", path(tile))
			}
		}
	}
	root, err := tlog.TreeHash(tree.N, reader)
	if err != nil {
		return "", err
	}
	if root != tree.Hash {
		return "", errors.New("the entries do not lead to the root that was signed")
	}
	_, err = tlog.TileHashReader(tree, l).ReadHashes(indexes)
	return fmt.Sprintf("every one of %d entries is in the tree", tree.N), err
}

// entries reads the entry bundles.
func (l *log) entries(size int64, visit func(int64, []byte) error) error {
	for first := int64(0); first < size; first += 1 << height {
		width := min(size-first, 1<<height)
		tile := tlog.Tile{H: height, L: 0, N: first >> height, W: int(width)}
		name := strings.Replace(path(tile), "tile/0/", "tile/entries/", 1)
		bundle, err := l.read(name)
		if err != nil {
			return err
		}
		for i := first; i < first+width; i++ {
			if len(bundle) < 2 {
				return fmt.Errorf("%s ends at entry %d", name, i)
			}
			length := int(binary.BigEndian.Uint16([]byte(bundle[:2])))
			if len(bundle) < 2+length {
				return fmt.Errorf("%s ends within entry %d", name, i)
			}
			if err := visit(i, []byte(bundle[2:2+length])); err != nil {
				return err
			}
			bundle = bundle[2+length:]
		}
		if bundle != "" {
			return fmt.Errorf("%s has more than its entries", name)
		}
	}
	return nil
}

// Height is part of tlog.TileReader.
func (l *log) Height() int { return height }

// ReadTiles is part of tlog.TileReader.
func (l *log) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	contents := make([][]byte, len(tiles))
	for i, tile := range tiles {
		bytes, err := os.ReadFile(filepath.Join(l.dir, path(tile)))
		if err != nil {
			return nil, err
		}
		contents[i] = bytes
	}
	return contents, nil
}

// SaveTiles is part of tlog.TileReader.
func (l *log) SaveTiles([]tlog.Tile, [][]byte) {}

func path(tile tlog.Tile) string {
	return strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
}

func hashes(lines []string) ([]tlog.Hash, error) {
	var hashes []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			return nil, fmt.Errorf("%q is no hash: %w", line, err)
		}
		hashes = append(hashes, hash)
	}
	return hashes, nil
}

func decode(text string) ([]byte, error) { return base64.StdEncoding.DecodeString(text) }

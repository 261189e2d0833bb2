package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
)

// peerImage is the image with the program peer. No registry is reachable, so it is also the
// pause image of Pods.
const peerImage = "external-workload.test/peer:e2e"

// writePeerImage writes an image with one static program, in the format of docker save,
// which ctr images import reads.
func writePeerImage(program, path string) error {
	content, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	layer, err := archive(file{name: "peer", content: content, mode: 0o755})
	if err != nil {
		return err
	}
	digest := sha256.Sum256(layer)
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH,
		"os":           "linux",
		"config":       map[string]any{"Entrypoint": []string{"/peer"}, "Cmd": []string{"pause"}, "User": "65532:65532"},
		"rootfs":       map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(digest[:])}},
	})
	if err != nil {
		return err
	}
	manifest, err := json.Marshal([]map[string]any{{
		"Config": "config.json", "RepoTags": []string{peerImage}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	whole, err := archive(
		file{name: "manifest.json", content: manifest, mode: 0o644},
		file{name: "config.json", content: config, mode: 0o644},
		file{name: "layer.tar", content: layer, mode: 0o644})
	if err != nil {
		return err
	}
	return os.WriteFile(path, whole, 0o600)
}

type file struct {
	name    string
	content []byte
	mode    int64
}

func archive(files ...file) ([]byte, error) {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, f := range files {
		header := tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content)), Typeflag: tar.TypeReg}
		if err := writer.WriteHeader(&header); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", f.name, err)
		}
		if _, err := writer.Write(f.content); err != nil {
			return nil, fmt.Errorf("archiving %s: %w", f.name, err)
		}
	}
	err := writer.Close()
	return out.Bytes(), err
}

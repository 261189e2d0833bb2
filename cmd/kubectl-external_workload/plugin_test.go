package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// krewManifest is a manifest of krew. Fields that krew does not know are an error.
type krewManifest struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Metadata   struct {
		Name string `json:"name"`
	} `json:"metadata"`
	Spec struct {
		Version          string         `json:"version"`
		Homepage         string         `json:"homepage"`
		ShortDescription string         `json:"shortDescription"`
		Description      string         `json:"description"`
		Platforms        []krewPlatform `json:"platforms"`
	} `json:"spec"`
}

type krewPlatform struct {
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
	URI    string `json:"uri"`
	SHA256 string `json:"sha256"`
	Bin    string `json:"bin"`
}

// TestThePluginIsPackedForKrew packs the plugin for this machine alone: all
// platforms take several minutes.
func TestThePluginIsPackedForKrew(t *testing.T) {
	if runtime.GOOS != "linux" || testing.Short() {
		t.Skip("left out: it needs GNU tar and builds the plugin")
	}
	directory := filepath.Join(t.TempDir(), "plugin")
	const base = "https://example.org/v1.2.3"
	command := exec.CommandContext(t.Context(), "../../hack/plugin.sh", "v1.2.3", "abc", base)
	command.Env = append(os.Environ(), "PLATFORMS="+runtime.GOOS+"/"+runtime.GOARCH, "DIST="+directory)
	if output, err := command.CombinedOutput(); err != nil {
		t.Fatalf("hack/plugin.sh: %v\n%s", err, output)
	}
	text, err := os.ReadFile(filepath.Join(directory, "external-workload.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var manifest krewManifest
	if err := yaml.UnmarshalStrict(text, &manifest); err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	checkKrewManifest(t, &manifest)
	if len(manifest.Spec.Platforms) != 1 {
		t.Fatalf("%d platforms, want 1", len(manifest.Spec.Platforms))
	}
	checkKrewPlatform(t, manifest.Spec.Platforms[0], directory, base)
}

// checkKrewManifest checks what krew's own validation requires.
func checkKrewManifest(t *testing.T, m *krewManifest) {
	t.Helper()
	if m.APIVersion != "krew.googlecontainertools.github.com/v1alpha2" || m.Kind != "Plugin" {
		t.Errorf("the manifest is a %s %s", m.APIVersion, m.Kind)
	}
	// krew installs the plugin as kubectl-NAME with underscores, which kubectl runs for
	// its name with hyphens.
	if m.Metadata.Name != "external-workload" {
		t.Errorf("the name is %q", m.Metadata.Name)
	}
	for field, test := range map[string]struct{ value, pattern string }{
		"version":          {m.Spec.Version, `^v[0-9]+\.[0-9]+\.[0-9]+$`},
		"homepage":         {m.Spec.Homepage, `^https://\S+$`},
		"shortDescription": {m.Spec.ShortDescription, `^.+$`},
		"description":      {m.Spec.Description, `(?s)^.+$`},
	} {
		if !regexp.MustCompile(test.pattern).MatchString(test.value) {
			t.Errorf("%s is %q, want %s", field, test.value, test.pattern)
		}
	}
}

// checkKrewPlatform compares an entry with its archive.
func checkKrewPlatform(t *testing.T, platform krewPlatform, directory, base string) {
	t.Helper()
	want := map[string]string{"os": runtime.GOOS, "arch": runtime.GOARCH}
	if diff := cmp.Diff(want, platform.Selector.MatchLabels); diff != "" {
		t.Errorf("selector (-want +got):\n%s", diff)
	}
	name, found := strings.CutPrefix(platform.URI, base+"/")
	if !found {
		t.Fatalf("the URI is %s, want one below %s", platform.URI, base)
	}
	archive, err := os.ReadFile(filepath.Join(directory, name))
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(archive); platform.SHA256 != hex.EncodeToString(sum[:]) {
		t.Errorf("sha256 is %s, and that of the archive %x", platform.SHA256, sum)
	}
	executables, files := archiveFiles(t, archive)
	if !slices.Contains(executables, platform.Bin) || !slices.Contains(files, "LICENSE") {
		t.Errorf("the archive has %v, %v of them executable; want LICENSE and %s", files, executables, platform.Bin)
	}
}

// archiveFiles are the names of the files in an archive, and of the executable ones.
func archiveFiles(t *testing.T, archive []byte) (executables, files []string) {
	t.Helper()
	unpacked, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	reader := tar.NewReader(unpacked)
	for {
		header, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return executables, files
		}
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, header.Name)
		if header.Mode&0o111 != 0 {
			executables = append(executables, header.Name)
		}
	}
}

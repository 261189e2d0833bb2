package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// A module is what decides which binaries come out.
type module struct {
	goMod, goSum []byte
	// version is that of k8s.io/kubernetes, such as v1.36.3.
	version string
}

var (
	kubernetesVersion = regexp.MustCompile(`(?m)^\s*(?:require\s+)?k8s\.io/kubernetes\s+(v\S+)`)
	majorAndMinor     = regexp.MustCompile(`^v(\d+)\.(\d+)\.`)
)

// readModule reads go.mod and go.sum of the module in directory.
func readModule(directory string) (module, error) {
	goMod, err := os.ReadFile(filepath.Join(directory, "go.mod"))
	if errors.Is(err, os.ErrNotExist) {
		return module{}, errors.New("no go.mod here: start it as go -C hack/kubernetes run")
	}
	if err != nil {
		return module{}, err
	}
	goSum, err := os.ReadFile(filepath.Join(directory, "go.sum"))
	if err != nil {
		return module{}, err
	}
	return newModule(goMod, goSum)
}

func newModule(goMod, goSum []byte) (module, error) {
	found := kubernetesVersion.FindSubmatch(goMod)
	if found == nil {
		return module{}, errors.New("this go.mod does not require k8s.io/kubernetes: start it as go -C hack/kubernetes run")
	}
	version := string(found[1])
	if !majorAndMinor.MatchString(version) {
		return module{}, fmt.Errorf("k8s.io/kubernetes %s in go.mod is no release", version)
	}
	return module{goMod: goMod, goSum: goSum, version: version}, nil
}

// buildFlags stamps the version into both places that report it: the API server
// answers /version from the one and clients name themselves by the other.
// Without it they call themselves v0.0.0-master, which kubectl cannot parse.
func (m module) buildFlags() []string {
	parts := majorAndMinor.FindStringSubmatch(m.version)
	linker := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, stamp := range []string{
			"gitVersion=" + m.version, "gitMajor=" + parts[1], "gitMinor=" + parts[2], "gitTreeState=clean",
		} {
			linker = append(linker, "-X", pkg+"."+stamp)
		}
	}
	return []string{"-trimpath", "-ldflags", strings.Join(linker, " ")}
}

// folder is where the binaries of exactly this module belong.
func (m module) folder(cache string) (string, error) {
	parent, err := cacheFolder(cache)
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, m.version+"-"+m.hash()), nil
}

// hash changes with all that can change a binary.
func (m module) hash() string {
	sum := sha256.New()
	for _, part := range []string{
		string(m.goMod), string(m.goSum), strings.Join(m.buildFlags(), "\n"),
		strings.Join(buildEnvironment, "\n"), runtime.GOOS, runtime.GOARCH,
	} {
		fmt.Fprintf(sum, "%d\n%s\n", len(part), part)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
)

// A module decides which version of the binaries is built.
type module struct {
	// path is the go.mod, relative to this program's folder.
	path         string
	goMod, goSum []byte
	// version is that of k8s.io/kubernetes, such as v1.36.3.
	version string
}

const (
	// pinnedFile is the module that is built by default.
	pinnedFile = "go.mod"
	// otherFiles are the modules of the other versions, each with its .sum.
	otherFiles = "versions/v*.mod"
)

var (
	kubernetesVersion = regexp.MustCompile(`(?m)^\s*(?:require\s+)?k8s\.io/kubernetes\s+(v\S+)`)
	majorAndMinor     = regexp.MustCompile(`^v(\d+)\.(\d+)\.`)
)

// readModules reads the modules of all versions below directory, the pinned one first.
func readModules(directory string) ([]module, error) {
	others, err := filepath.Glob(filepath.Join(directory, otherFiles))
	if err != nil {
		return nil, err
	}
	var found []module
	for _, path := range append([]string{filepath.Join(directory, pinnedFile)}, others...) {
		m, err := readModule(path)
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}

// readModule reads the module at path, and the .sum beside it.
func readModule(path string) (module, error) {
	goMod, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return module{}, fmt.Errorf("no %s here: start it as go -C hack/kubernetes run", path)
	}
	if err != nil {
		return module{}, err
	}
	goSum, err := os.ReadFile(strings.TrimSuffix(path, ".mod") + ".sum")
	if err != nil {
		return module{}, err
	}
	m, err := newModule(goMod, goSum)
	if err != nil {
		return module{}, fmt.Errorf("%s: %w", path, err)
	}
	m.path = path
	return m, nil
}

// find returns the module of a version such as 1.33, v1.33 or 1.33.13, or the first
// module, which is the pinned one, if the version is empty.
func find(modules []module, version string) (module, error) {
	asked := strings.TrimPrefix(version, "v")
	for _, m := range modules {
		if asked == "" || asked == m.minor() || asked == strings.TrimPrefix(m.version, "v") {
			return m, nil
		}
	}
	return module{}, fmt.Errorf("there is no module for Kubernetes %s: choose from %s", version, strings.Join(newestFirst(modules), ", "))
}

// newestFirst returns the versions of modules, such as 1.36.
func newestFirst(modules []module) []string {
	var versions []string
	for _, m := range modules {
		versions = append(versions, m.minor())
	}
	slices.SortFunc(versions, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(b, a)) })
	return versions
}

func newModule(goMod, goSum []byte) (module, error) {
	found := kubernetesVersion.FindSubmatch(goMod)
	if found == nil {
		return module{}, errors.New("the module does not require k8s.io/kubernetes: start it as go -C hack/kubernetes run")
	}
	version := string(found[1])
	if !majorAndMinor.MatchString(version) {
		return module{}, fmt.Errorf("k8s.io/kubernetes %s is no release", version)
	}
	return module{goMod: goMod, goSum: goSum, version: version}, nil
}

// minor returns the version without its patch, such as 1.36.
func (m module) minor() string {
	parts := majorAndMinor.FindStringSubmatch(m.version)
	return parts[1] + "." + parts[2]
}

// has reports whether the component is a tool of the module. Some versions lack
// components that need unpublished modules.
func (m module) has(c component) bool {
	return regexp.MustCompile(`(?m)^\s*(?:tool\s+)?` + regexp.QuoteMeta(c.pkg) + `$`).Match(m.goMod)
}

// buildFlags stamps the version into both variables that report it: one for /version of
// the API server, one for the user agent of clients. Without it the version is
// v0.0.0-master, which kubectl cannot parse.
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

// folder returns the cache folder of exactly this module's binaries.
func (m module) folder(cache string) (string, error) {
	parent, err := cacheFolder(cache)
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, m.version+"-"+m.hash()), nil
}

// hash changes with everything that can change a binary.
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

package chart

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	root     = "../.."
	chartDir = root + "/charts/external-workload-controller"
)

var update = flag.Bool("update", false, "rewrite golden files and generated documents")

// helmBinary builds the version of Helm in go.mod, or finds it in Go's cache.
var helmBinary = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "tool", "-n", "helm").Output()
	if err != nil {
		return "", fmt.Errorf("building helm: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// helm runs Helm and returns its output, and an error with its error output.
func helm(t *testing.T, args ...string) (string, error) {
	t.Helper()
	binary, err := helmBinary()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	command := exec.CommandContext(t.Context(), binary, args...)
	command.Env = append(os.Environ(),
		"KUBECONFIG="+os.DevNull,
		"HELM_CACHE_HOME="+home, "HELM_CONFIG_HOME="+home, "HELM_DATA_HOME="+home)
	var stdout, stderr bytes.Buffer
	command.Stdout, command.Stderr = &stdout, &stderr
	if err := command.Run(); err != nil {
		return stdout.String(), fmt.Errorf("helm %s: %w: %s%s", args[0], err, stdout.String(), stderr.String())
	}
	return stdout.String(), nil
}

// render returns the manifests of the chart, as release "ewc" in the namespace
// "mesh-vms", for the given arguments of helm template.
func render(t *testing.T, args ...string) string {
	t.Helper()
	out, err := tryRender(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryRender(t *testing.T, args ...string) (string, error) {
	t.Helper()
	return helm(t, append([]string{"template", "ewc", chartDir, "--namespace", "mesh-vms"}, args...)...)
}

// object is a manifest of any kind.
type object map[string]any

func (o object) kind() string { return fmt.Sprint(o["kind"]) }
func (o object) name() string { return fmt.Sprint(o.at("metadata", "name")) }

// at follows the keys, and returns nil if one is missing.
func (o object) at(keys ...string) any {
	var value any = map[string]any(o)
	for _, key := range keys {
		fields, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = fields[key]
	}
	return value
}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

// parse reads manifests strictly: a duplicate key is an error.
func parse(t *testing.T, manifests string) []object {
	t.Helper()
	var objects []object
	for _, text := range separator.Split(manifests, -1) {
		var o object
		if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
			t.Fatalf("reading a rendered manifest: %v\n%s", err, text)
		}
		if len(o) > 0 {
			objects = append(objects, o)
		}
	}
	return objects
}

// only returns the only object of the kind.
func only(t *testing.T, objects []object, kind string) object {
	t.Helper()
	var found []object
	for _, o := range objects {
		if o.kind() == kind {
			found = append(found, o)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d objects of kind %s, want 1", len(found), kind)
	}
	return found[0]
}

// decode decodes a part of an object into a type.
func decode[T any](t *testing.T, part any) T {
	t.Helper()
	var typed T
	text, err := yaml.Marshal(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &typed); err != nil {
		t.Fatalf("reading %T: %v\n%s", typed, err, text)
	}
	return typed
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.FromSlash(path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

package chart

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cases returns the values files in testdata; each has a golden file.
func cases(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.values.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no values in testdata: %v", err)
	}
	return paths
}

func TestRenderedManifestsMatchTheGoldenFiles(t *testing.T) {
	for _, values := range cases(t) {
		golden := strings.TrimSuffix(values, ".values.yaml") + ".golden.yaml"
		t.Run(filepath.Base(golden), func(t *testing.T) {
			got := render(t, "--values", values)
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(readFile(t, golden), got); diff != "" {
				t.Errorf("the manifests differ from %s (-golden +rendered):\n%s", golden, diff)
			}
		})
	}
}

func TestTheChartIsLinted(t *testing.T) {
	for _, values := range cases(t) {
		if _, err := helm(t, "lint", "--strict", "--quiet", chartDir, "--values", values); err != nil {
			t.Error(err)
		}
	}
}

func TestThePackageHoldsWhatTheTemplatesRead(t *testing.T) {
	folder := t.TempDir()
	if _, err := helm(t, "package", chartDir, "--destination", folder); err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob(filepath.Join(folder, "*.tgz"))
	if err != nil || len(archives) != 1 {
		t.Fatalf("packages: %v, %v", archives, err)
	}
	everything := "testdata/everything.values.yaml"
	fromPackage, err := helm(t, "template", "ewc", archives[0], "--namespace", "mesh-vms", "--values", everything)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(render(t, "--values", everything), fromPackage); diff != "" {
		t.Errorf("the package and the folder render differently (-folder +package):\n%s", diff)
	}
}

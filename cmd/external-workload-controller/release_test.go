package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// `make build` and the image build the binary with the same flags.
func TestBuildFlagsEqualThoseOfTheImage(t *testing.T) {
	if diff := cmp.Diff(imageFlags(t), makeFlags(t)); diff != "" {
		t.Errorf("BUILD_FLAGS in the Makefile are not the flags in .ko.yaml (-image +make):\n%s", diff)
	}
}

// A template calls methods by names that it reads. With a template in the program the
// linker keeps every exported method, which doubles the size of the program.
func TestReleaseHasNoTemplates(t *testing.T) {
	list := append(append([]string{"list"}, makeFlags(t)...), "-deps", ".")
	output, err := exec.CommandContext(t.Context(), "go", list...).Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(list, " "), err)
	}
	packages := strings.Fields(string(output))
	if !slices.Contains(packages, "net/http") {
		t.Fatal("the list of packages lacks net/http, which is known to be in the program")
	}
	if slices.Contains(packages, "google.golang.org/grpc") {
		t.Error("the program contains grpc-go again, with its pages of HTML; probes do without it")
	}
	for _, unwanted := range []string{"text/template", "html/template"} {
		if slices.Contains(packages, unwanted) {
			t.Errorf("the program contains %s; go list -deps shows which import brings it", unwanted)
		}
	}
}

func imageFlags(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile("../../.ko.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var image struct {
		Builds []struct {
			Flags []string `json:"flags"`
		} `json:"builds"`
	}
	if err := yaml.Unmarshal(content, &image); err != nil {
		t.Fatalf("reading .ko.yaml: %v", err)
	}
	if len(image.Builds) != 1 {
		t.Fatalf(".ko.yaml has %d builds, not one", len(image.Builds))
	}
	return image.Builds[0].Flags
}

func makeFlags(t *testing.T) []string {
	t.Helper()
	content, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^BUILD_FLAGS := (.*)$`).FindSubmatch(content)
	if found == nil {
		t.Fatal("the Makefile sets no BUILD_FLAGS")
	}
	return strings.Fields(string(found[1]))
}

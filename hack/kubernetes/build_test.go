package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestTheChoiceOfComponents(t *testing.T) {
	always := []string{"etcd", "kube-apiserver", "kube-controller-manager", "kubectl"}
	cases := map[string]struct {
		asked, want []string
		wantError   string
	}{
		"nothing requested":                {want: always},
		"a component that is always built": {asked: []string{"kubectl"}, want: always},
		"others, in build order":           {asked: []string{"kube-proxy", "kubelet"}, want: append(slices.Clone(always), "kubelet", "kube-proxy")},
		"an unknown name":                  {asked: []string{"kublet"}, wantError: `no component is called "kublet"`},
		"a package instead of a name":      {asked: []string{"k8s.io/kubernetes/cmd/kubelet"}, wantError: "no component"},
		"one component requested twice":    {asked: []string{"kubelet", "kubelet"}, want: append(slices.Clone(always), "kubelet")},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			chosen, err := choose(c.asked)
			if c.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantError) {
					t.Fatalf("error is %v, want one with %q", err, c.wantError)
				}
				return
			}
			if got := componentNames(chosen); err != nil || !slices.Equal(got, c.want) {
				t.Fatalf("chose %q (error %v), want %q", got, err, c.want)
			}
		})
	}
}

func TestOnlyWhatIsMissingIsBuilt(t *testing.T) {
	compiled := []string{}
	build := testBuilder(t, func(_ context.Context, c component, output string) error {
		compiled = append(compiled, c.name)
		return os.WriteFile(output, []byte(c.name), 0o755)
	})
	writeFile(t, filepath.Join(build.folder, "etcd"))
	for range 2 {
		if err := build.all(t.Context(), components[:3]); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"kube-apiserver", "kube-controller-manager"}; !slices.Equal(compiled, want) {
		t.Errorf("compiled %q, want %q", compiled, want)
	}
}

func TestABuildThatFailsLeavesNoBinary(t *testing.T) {
	failure := errors.New("does not compile")
	build := testBuilder(t, func(_ context.Context, c component, output string) error {
		writeFile(t, output)
		return failure
	})
	err := build.all(t.Context(), components[:1])
	if !errors.Is(err, failure) || !strings.Contains(err.Error(), "building etcd") {
		t.Errorf("error is %v, want the failure and the component's name", err)
	}
	left, err := filepath.Glob(filepath.Join(build.folder, "*etcd*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q (error %v)", left, err)
	}
}

func TestOfTwoRunsOneBuildsAndTheOtherWaits(t *testing.T) {
	inside, goOn := make(chan struct{}), make(chan struct{})
	first := testBuilder(t, func(_ context.Context, _ component, output string) error {
		close(inside)
		<-goOn
		return os.WriteFile(output, nil, 0o755)
	})
	second := first
	second.compile = func(context.Context, component, string) error { return errors.New("built twice") }
	second.say = func(format string, _ ...any) {
		if strings.HasPrefix(format, "waiting") {
			close(goOn)
		}
	}

	results := make(chan error, 2)
	go func() { results <- first.all(t.Context(), components[:1]) }()
	<-inside
	go func() { results <- second.all(t.Context(), components[:1]) }()
	for range 2 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestARunThatWaitsCanBeInterrupted(t *testing.T) {
	build := testBuilder(t, nil)
	unlock, err := build.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	build.say = func(string, ...any) { cancel() }
	if err := build.all(ctx, components[:1]); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v, want %v", err, context.Canceled)
	}
}

func TestGivenAssetsAreUsedAndNothingIsBuilt(t *testing.T) {
	cache := t.TempDir()
	environment := func(name string) string {
		return map[string]string{assetsVariable: "/given", cacheVariable: cache}[name]
	}
	var printed strings.Builder
	if err := run(t.Context(), nil, environment, &printed, io.Discard); err != nil {
		t.Fatal(err)
	}
	if printed.String() != "/given\n" {
		t.Errorf("printed %q, want the given folder", printed.String())
	}
	if entries, err := os.ReadDir(cache); err != nil || len(entries) > 0 {
		t.Errorf("the cache folder has %d entries (error %v), want none", len(entries), err)
	}
}

func TestVersionTakesPrecedenceOverAssets(t *testing.T) {
	environment := func(name string) string {
		return map[string]string{assetsVariable: "/given"}[name]
	}
	var printed strings.Builder
	err := run(t.Context(), []string{"-version", "0.1"}, environment, &printed, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no module for Kubernetes 0.1") || printed.String() != "" {
		t.Errorf("error is %v and %q is printed, want an error about an unknown version", err, printed.String())
	}
}

func testBuilder(t *testing.T, compile func(context.Context, component, string) error) builder {
	t.Helper()
	return builder{folder: t.TempDir(), compile: compile, say: t.Logf}
}

func writeFile(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
}

func componentNames(of []component) []string {
	var names []string
	for _, c := range of {
		names = append(names, c.name)
	}
	return names
}

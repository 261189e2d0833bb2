package main

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const someGoMod = `module example.test/kubernetes

require (
	k8s.io/kube-proxy v0.0.0 // indirect
	k8s.io/kubernetes v1.36.3 // indirect
)

tool k8s.io/kubernetes/cmd/kubelet
`

func TestTheVersionIsReadFromGoMod(t *testing.T) {
	cases := map[string]struct{ goMod, want, wantError string }{
		"in a block":           {goMod: someGoMod, want: "v1.36.3"},
		"in a line of its own": {goMod: "require k8s.io/kubernetes v1.2.3\n", want: "v1.2.3"},
		"a pre-release":        {goMod: "require k8s.io/kubernetes v1.40.0-rc.1\n", want: "v1.40.0-rc.1"},
		"missing":              {goMod: "tool k8s.io/kubernetes/cmd/kubelet\n", wantError: "does not require k8s.io/kubernetes"},
		"not a version":        {goMod: "require k8s.io/kubernetes v1\n", wantError: "is no release"},
	}
	for sentence, c := range cases {
		t.Run(sentence, func(t *testing.T) {
			got, err := newModule([]byte(c.goMod), nil)
			if c.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantError) {
					t.Fatalf("error is %v, want one with %q", err, c.wantError)
				}
				return
			}
			if err != nil || got.version != c.want {
				t.Fatalf("version is %q (error %v), want %q", got.version, err, c.want)
			}
		})
	}
}

func TestBothPlacesThatReportTheVersionAreStamped(t *testing.T) {
	flags := strings.Join(mustModule(t, someGoMod, "").buildFlags(), " ")
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		for _, stamp := range []string{"gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36", "gitTreeState=clean"} {
			if want := "-X " + pkg + "." + stamp; !strings.Contains(flags, want) {
				t.Errorf("build flags %q lack %q", flags, want)
			}
		}
	}
}

func TestTheFolderChangesWithWhatChangesABinary(t *testing.T) {
	folders := []string{}
	for _, m := range []module{
		mustModule(t, someGoMod, ""),
		mustModule(t, someGoMod+"// another comment\n", ""),
		mustModule(t, someGoMod, "a sum\n"),
		mustModule(t, strings.ReplaceAll(someGoMod, "v1.36.3", "v1.36.4"), ""),
	} {
		folder, err := m.folder("/cache")
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := m.folder("/cache"); again != folder {
			t.Errorf("one module has two folders, %s and %s", folder, again)
		}
		if filepath.Dir(folder) != "/cache" || !strings.HasPrefix(filepath.Base(folder), m.version+"-") {
			t.Errorf("folder is %s, want /cache/%s-...", folder, m.version)
		}
		if slices.Contains(folders, folder) {
			t.Errorf("two modules share the folder %s", folder)
		}
		folders = append(folders, folder)
	}
}

func TestTheModulesOfAllVersionsAreUnderstood(t *testing.T) {
	modules, err := readModules(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, m := range modules {
		if seen[m.minor()] {
			t.Errorf("Kubernetes %s has two modules", m.minor())
		}
		seen[m.minor()] = true
		if want := "v" + m.minor() + ".mod"; m.path != pinnedFile && filepath.Base(m.path) != want {
			t.Errorf("%s builds %s, want the name %s", m.path, m.version, want)
		}
		_, lacking := m.available(components[:2])
		if len(lacking) > 0 {
			t.Errorf("%s lacks %s", m.path, names(lacking, true))
		}
	}
	if _, lacking := modules[0].available(components); len(lacking) > 0 {
		t.Errorf("the pinned version lacks %d components", len(lacking))
	}
	if _, err := readModules(t.TempDir()); err == nil || !strings.Contains(err.Error(), "go -C hack/kubernetes run") {
		t.Errorf("elsewhere the error is %v, want one that says how to start the program", err)
	}
}

func TestTheChoiceOfAVersion(t *testing.T) {
	pinned := mustModule(t, someGoMod, "")
	older := mustModule(t, strings.ReplaceAll(someGoMod, "v1.36.3", "v1.33.13"), "")
	for sentence, c := range map[string]struct{ asked, want, wantError string }{
		"no version: the pinned one":   {"", "v1.36.3", ""},
		"the pinned one by its number": {"1.36", "v1.36.3", ""},
		"another one":                  {"1.33", "v1.33.13", ""},
		"with a v":                     {"v1.33", "v1.33.13", ""},
		"with its patch":               {"1.33.13", "v1.33.13", ""},
		"with another patch":           {"1.33.12", "", "choose from 1.36, 1.33"},
		"a part of a number":           {"1.3", "", "choose from 1.36, 1.33"},
	} {
		t.Run(sentence, func(t *testing.T) {
			got, err := find([]module{pinned, older}, c.asked)
			if c.wantError != "" {
				if err == nil || !strings.Contains(err.Error(), c.wantError) {
					t.Fatalf("error is %v, want one with %q", err, c.wantError)
				}
				return
			}
			if err != nil || got.version != c.want {
				t.Fatalf("chose %q (error %v), want %q", got.version, err, c.want)
			}
		})
	}
}

func TestVersionsAreListedByNumber(t *testing.T) {
	var modules []module
	for _, version := range []string{"v1.9.0", "v1.31.14", "v1.100.1"} {
		modules = append(modules, mustModule(t, strings.ReplaceAll(someGoMod, "v1.36.3", version), ""))
	}
	if got := newestFirst(modules); !slices.Equal(got, []string{"1.100", "1.31", "1.9"}) {
		t.Errorf("listed as %q", got)
	}
}

func TestAComponentThatIsNoToolOfTheModuleIsLeftOutOrAnError(t *testing.T) {
	m := mustModule(t, someGoMod, "") // its only tool is kubelet
	built, lacking := m.available(components)
	if names(built, false) != "kubelet" || names(built, true) != "" || len(lacking) != len(components)-1 {
		t.Errorf("built are %q and %q, and %d are lacking", names(built, true), names(built, false), len(lacking))
	}
	proxy := components[slices.IndexFunc(components, func(c component) bool { return c.name == "kube-proxy" })]
	_, err := m.build(t.Context(), []component{proxy}, t.TempDir(), newProgress(io.Discard))
	if err == nil || !strings.Contains(err.Error(), "kube-proxy of Kubernetes 1.36") {
		t.Errorf("error is %v, want one that names the component", err)
	}
}

func mustModule(t *testing.T, goMod, goSum string) module {
	t.Helper()
	m, err := newModule([]byte(goMod), []byte(goSum))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

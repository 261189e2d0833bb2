package main

import (
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
		"not there":            {goMod: "tool k8s.io/kubernetes/cmd/kubelet\n", wantError: "does not require k8s.io/kubernetes"},
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

func TestTheGoModBesideThisProgramIsUnderstood(t *testing.T) {
	if _, err := readModule("."); err != nil {
		t.Error(err)
	}
	if _, err := readModule(t.TempDir()); err == nil || !strings.Contains(err.Error(), "go -C hack/kubernetes run") {
		t.Errorf("elsewhere the error is %v, want one that says how to start the program", err)
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

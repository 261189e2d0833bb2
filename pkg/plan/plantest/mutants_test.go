package plantest_test

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var mutantsWanted = flag.Bool("plan.mutants", false, "take each rule out of package plan in turn and see that the random histories fail")

// mutant is package plan without one of its rules: in that file, the text that
// keeps the rule is replaced by another.
type mutant struct {
	file    string
	text    string
	without string
}

var mutants = map[string]mutant{
	"rule 1: a ready endpoint's address does not change in place": {
		"decide.go",
		"case e.Addresses[0] != w.Address || home.copies > 1:",
		"case home.copies > 1:",
	},
	"rule 2: ports change in two steps": {
		"standing.go",
		"s.ports = portsWait",
		"s.ports = portsSwitch",
	},
	"rule 2: ports change slice by slice": {
		"order.go",
		"if chosen == none || p.switching() {",
		"if chosen == none {",
	},
	"rule 3: a workload that moves is withdrawn first": {
		"order.go",
		"range byName[name] {",
		"range byName[name][:0] {",
	},
	"rule 4: an address that is taken over is withdrawn first": {
		"order.go",
		"range byAddress[address] {",
		"range byAddress[address][:0] {",
	},
	"rule 4: the withdrawal has a phase of its own": {
		"order.go",
		"p.slices[at].early = true",
		"p.slices[at].early = false",
	},
	"rule 4: the withdrawal has a write of its own": {
		"order.go",
		"len(pub.waitsFor) > 0 && int(pub.slice)",
		"false && int(pub.slice)",
	},
	"rule 5: a slice is emptied before it is deleted": {
		"write.go",
		"len(s.added) == 0 && len(s.endpoints()) == 0:",
		"len(s.added) == 0:",
	},
	"rule 6: a slice's copy waits until the old one is empty": {
		"order.go",
		"if !applies(publication, s, i) {",
		"if !s.usable || !applies(publication, s, i) {",
	},
	"rule 7: an identity that changed is announced": {
		"decide.go",
		"stale := !s.recordsIdentity(",
		"stale := false && s.recordsIdentity(",
	},
	"rule 7: an announcement changes the hints": {
		"write.go",
		"c.endpoints[len(c.endpoints)-1].endpoint.Hints = nil",
		"_ = c.endpoints[len(c.endpoints)-1].endpoint.Hints",
	},
	"rule 7: an identity that changes on an adopted slice is announced": {
		"identity.go",
		"return e.TargetRef.UID == w.UID && w.Identity == w.FirstIdentity",
		"return e.TargetRef.UID == w.UID",
	},
	"rule 9: an endpoint has one address": {
		"standing.go",
		"|| len(e.Addresses) != 1 {",
		"{",
	},
	"rule 9: ready is explicit": {
		"compare.go",
		"c.Ready != nil && *c.Ready == ready",
		"ptr.Deref(c.Ready, true) == ready",
	},
	"more is said when a slice is emptied": {
		"write.go",
		"if len(c.endpoints) == 0 {\n\t\tp.more = true",
		"if len(c.endpoints) == 0 {\n\t\tp.more = p.more || false",
	},
}

// TestMutants builds package plan without one rule at a time and plays the
// random histories through it. Each must fail. Rule 8 is about time, which
// these histories do not have.
func TestMutants(t *testing.T) {
	if !*mutantsWanted {
		t.Skip("builds and runs this package once for each rule, about a minute; run with -plan.mutants")
	}
	for name, mutant := range mutants {
		t.Run(name, func(t *testing.T) {
			command := exec.Command("go", "test", "-count=1", "-overlay", mutant.overlay(t),
				"-run", "^TestRandomHistories$", ".", "-plan.seed=1", "-plan.steps=900000")
			output, err := command.CombinedOutput()
			if err == nil {
				t.Fatal("the histories do not miss the rule")
			}
			_, violation, found := strings.Cut(string(output), "violation: ")
			if !found {
				t.Fatalf("the histories did not come to a violation: %v\n%s", err, output)
			}
			violation, _, _ = strings.Cut(violation, "\n")
			t.Logf("without it: %s", violation)
		})
	}
}

// overlay writes the file for the flag of the go command that puts the mutated
// source in the place of the real one, and returns its path.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	original, err := filepath.Abs(filepath.Join("..", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.text); n != 1 {
		t.Fatalf("%s has the text that keeps this rule %d times; write the mutant anew:\n%s", m.file, n, m.text)
	}
	directory := t.TempDir()
	mutated, overlay := filepath.Join(directory, m.file), filepath.Join(directory, "overlay.json")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: mutated}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{
		mutated: strings.Replace(string(source), m.text, m.without, 1),
		overlay: string(replace),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}

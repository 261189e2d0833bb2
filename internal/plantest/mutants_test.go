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

var mutantsWanted = flag.Bool("plan.mutants", false, "remove each rule from package plan in turn and check that the random histories fail")

// mutant is package plan or desired without one of its rules: the text in that file that
// implements the rule is replaced.
type mutant struct {
	file    string
	text    string
	without string
}

// ofTime are the mutants without a rule about time. Only histories with lagging consumers
// can detect them. A million steps do not detect the absence of three more rules: that
// workloads which were new at an interruption are held, which
// TestWhatWasNewAtTheInterruptionIsHeld of package plan tests, and that a changed address
// and a changed identity are published after the recovery, which the hold of unsettled
// workloads covers too.
var ofTime = map[string]mutant{
	"rule 8: a new workload is held": {
		"../desired/workload.go",
		"if known.Sub(created) < newAge {",
		"if s.Recovery.Ongoing(s.At) && known.Sub(created) < newAge {",
	},
	"rule 8: a changed identity is held": {
		"../desired/workload.go",
		"if w.Identity != before.Identity {",
		"if false {",
	},
	"rule 8: the endpoints of a new Service are held": {
		"../desired/compute.go",
		"if options.ServiceSettledAt.After(settledAt) {",
		"if false {",
	},
	"rule 8: an endpoint that is added is published after the recovery": {
		"veto_recovery.go",
		"case Publish:",
		"case Publish:\n\t\tif e.actual == nil {\n\t\t\treturn false\n\t\t}",
	},
	"rule 8: ports that changed are published after the recovery": {
		"ports.go",
		"if d.options.Recovering {",
		"if false {",
	},
	"rule 8: ports that come are added after the recovery": {
		"ports.go",
		"if d.options.Recovering && gains(groups[s.group], ports) {",
		"if false && gains(groups[s.group], ports) {",
	},
	"rule 8: an announcement ends after the recovery": {
		"veto_recovery.go",
		"e.target.ReadyNow() && zoneHintOf(e.actual) != zone",
		"e.target.ReadyNow() && zoneHintOf(e.actual) != zone && false",
	},
	"rule 8: an emptied slice is deleted after the recovery": {
		"veto_recovery.go",
		"s.unrecovered = s.unrecovered || s.deletes()",
		"_ = s.deletes()",
	},
}

var mutants = map[string]mutant{
	"rule 1: a ready endpoint's address does not change in place": {
		"decide.go",
		"case e.actual.Addresses[0] != t.Address:",
		"case false:",
	},
	"rule 2: ports change in two steps": {
		"ports.go",
		"default:\n\t\ts.ports = portsWait",
		"default:\n\t\ts.ports = portsSwitch",
	},
	"rule 2: ports change slice by slice": {
		"veto.go",
		"taken = taken || begins",
		"_ = begins",
	},
	"rule 2: ports change on no slice while another is without endpoints": {
		"veto.go",
		"taken := d.switchesPorts() || d.recoversPorts()",
		"taken := d.recoversPorts()",
	},
	"rule 3: a workload that moves is withdrawn first": {
		"veto_publication.go",
		"range byName[name] {",
		"range byName[name][:0] {",
	},
	"rule 4: an address that is taken over is withdrawn first": {
		"veto_publication.go",
		"range byAddress[address] {",
		"range byAddress[address][:0] {",
	},
	"rule 4: the publication waits for the withdrawal": {
		"veto_publication.go",
		"s.waitsFor = append(s.waitsFor, other)",
		"s.waitsFor = append(s.waitsFor[:0:0], s.waitsFor...)",
	},
	"rule 4: the withdrawal has a write of its own": {
		"veto_publication.go",
		"if urgent {",
		"if false && urgent {",
	},
	"rule 5: a slice is emptied before it is deleted": {
		"writes.go",
		"len(s.endpoints) == 0 && len(s.added) == 0\n",
		"s.kept == 0 && len(s.added) == 0\n",
	},
	"rule 6: a slice's copy waits until the old one is empty": {
		"veto_publication.go",
		"if d.replacesCopy(&all[at], s, e) {",
		"if s.usable && d.replacesCopy(&all[at], s, e) {",
	},
	"rule 7: an identity that changed is announced": {
		"decide.go",
		"changed := !s.recordsIdentity(",
		"changed := false && s.recordsIdentity(",
	},
	"rule 7: an announcement changes the hints": {
		"content.go",
		"next.Hints.ForZones = nil",
		"_ = next.Hints.ForZones",
	},
	"rule 7: an identity that changes on an adopted slice is announced": {
		"identity.go",
		"return e.TargetRef.UID == w.UID && w.Identity == w.FirstIdentity",
		"return e.TargetRef.UID == w.UID",
	},
	"rule 9: an endpoint has one address": {
		"slice.go",
		"|| len(e.Addresses) != 1 {",
		"{",
	},
	"rule 9: ready is explicit": {
		"compare.go",
		"c.Ready != nil && *c.Ready == ready",
		"ptr.Deref(c.Ready, true) == ready",
	},
	"a refused address is not carried over": {
		"slice.go",
		"address != t.Address && refusedAddress(",
		"false && refusedAddress(",
	},
	"a refused property is not carried over": {
		"refused.go",
		"next := *e\n",
		"next := *e\n\tif len(next.Addresses) > 0 {\n\t\treturn next\n\t}\n",
	},
	"refused ports are not carried over": {
		"content.go",
		"case (s.group == none || s.ports.pending()) && refusedPorts(next.Ports):",
		"case false:",
	},
	"an endpoint that clients lose with another is published again": {
		"plan.go",
		"apply(d.vetoLoss())",
		"_ = d.vetoLoss",
	},
	"more is said when a slice is emptied": {
		"writes.go",
		"case s.empties() && s.actual.DeletionTimestamp == nil:",
		"case false:",
	},
}

// TestMutants removes one rule at a time from packages plan and desired and plays the
// random histories. Each mutant must fail.
func TestMutants(t *testing.T) {
	if !*mutantsWanted {
		t.Skip("builds and runs this package once for each rule, about a minute; run with -plan.mutants")
	}
	for name, mutant := range mutants {
		t.Run(name, func(t *testing.T) { mutant.mustFail(t, "^TestRandomHistories$", "900000") })
	}
	for name, mutant := range ofTime {
		lagging := "^TestRandomHistories$/^" + strings.ReplaceAll(laggingConsumers, " ", "_") + "$"
		t.Run(name, func(t *testing.T) { mutant.mustFail(t, lagging, "5000000") })
	}
}

// mustFail runs tests with the mutant.
func (m mutant) mustFail(t *testing.T, tests, steps string) {
	t.Helper()
	command := exec.Command("go", "test", "-count=1", "-overlay", m.overlay(t),
		"-run", tests, ".", "-plan.seed=1", "-plan.steps="+steps)
	output, err := command.CombinedOutput()
	if err == nil {
		t.Fatal("the histories pass without the rule")
	}
	_, violation, found := strings.Cut(string(output), "violation: ")
	if !found {
		t.Fatalf("the histories failed without a violation: %v\n%s", err, output)
	}
	violation, _, _ = strings.Cut(violation, "\n")
	t.Logf("without the rule: %s", violation)
}

// overlay writes the file for the go command's -overlay flag, which replaces the real
// source with the mutated one, and returns its path.
func (m mutant) overlay(t *testing.T) string {
	t.Helper()
	original, err := filepath.Abs(filepath.Join("..", "..", "pkg", "plan", m.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), m.text); n != 1 {
		t.Fatalf("%s has the text of this rule %d times, want once; rewrite the mutant:\n%s", m.file, n, m.text)
	}
	directory := t.TempDir()
	mutated, overlay := filepath.Join(directory, filepath.Base(m.file)), filepath.Join(directory, "overlay.json")
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

package explain_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// TestEveryReasonOfTheControllerIsTheCause reads the reasons of conditions from the
// controller's source: a new one needs an entry here, and an answer that names it.
func TestEveryReasonOfTheControllerIsTheCause(t *testing.T) {
	notReady := func(reason string) []*v1beta1.ExternalWorkload { return one(probed(ready("False", reason, ""))...) }
	unproven := func(reason string) []*v1beta1.ExternalWorkload { return one(probed(ready("True", reason, ""))...) }
	notAccepted := func(reason string, options ...build.WorkloadOption) []*v1beta1.ExternalWorkload {
		c := v1beta1.WorkloadCondition{Type: v1beta1.WorkloadAccepted, Status: v1beta1.ConditionFalse, Reason: reason}
		return withCondition(one(probed(append(options, build.Conditions())...)...), c)
	}
	cases := map[string]struct {
		workloads []*v1beta1.ExternalWorkload
		// want is the cause, if it is not the reason itself.
		want string
	}{
		"ReasonProbeSucceeded":      {workloads: unproven("ProbeSucceeded"), want: "AddressNotProven"},
		"ReasonProbeHeld":           {workloads: unproven("ProbeHeld"), want: "AddressNotProven"},
		"ReasonProbeFailed":         {workloads: notReady("ProbeFailed")},
		"ReasonAddressChanged":      {workloads: notReady("AddressChanged")},
		"ReasonProbePending":        {workloads: notReady("ProbePending")},
		"ReasonDeclared":            {workloads: one(ready("False", "Declared", ""))},
		"ReasonNoAddress":           {workloads: one(build.IPs(), ready("False", "NoAddress", ""))},
		"ReasonInvalidProbe":        {workloads: notAccepted("InvalidProbe")},
		"ReasonProbeAddressRefused": {workloads: notAccepted("ProbeAddressRefused")},
		"ReasonHostNotAllowed":      {workloads: notAccepted("HostNotAllowed")},
		"ReasonInvalidReady":        {workloads: notAccepted("InvalidReady")},
		"ReasonInvalidAddress":      {workloads: notAccepted("InvalidAddress", build.IPs("127.0.0.1"))},
		"ReasonDrainRequested":      {workloads: one(build.Drained()), want: "Draining"},
		"ReasonDeleting":            {workloads: []*v1beta1.ExternalWorkload{deleting()}},
		// An invalid annotation for expiry does not bear on readiness.
		"reasonInvalidExpiry": {workloads: notAccepted("InvalidExpiry"), want: "NoReadyCondition"},
	}
	for _, name := range controllerReasons(t) {
		test, found := cases[name]
		if !found {
			t.Errorf("%s has no case", name)
			continue
		}
		want := test.want
		if want == "" {
			want = name[len("Reason"):]
		}
		got, err := (&given{services: web(), workloads: test.workloads}).namespace().Workload("a", "web")
		if err != nil {
			t.Fatal(err)
		}
		if reason := got.Answers[0].Reason(); reason != want {
			t.Errorf("%s: the reason is %q, want %q", name, reason, want)
		}
	}
}

// controllerReasons are the names of the constants for reasons of conditions.
func controllerReasons(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../../controller/readiness/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if constants, is := declaration.(*ast.GenDecl); is && constants.Tok == token.CONST {
				names = append(names, reasonsOf(constants)...)
			}
		}
	}
	if len(names) < 10 {
		t.Fatalf("only %d reasons were found: %v", len(names), names)
	}
	return names
}

func reasonsOf(constants *ast.GenDecl) []string {
	var names []string
	for _, spec := range constants.Specs {
		for _, name := range spec.(*ast.ValueSpec).Names {
			if strings.HasPrefix(name.Name, "Reason") || strings.HasPrefix(name.Name, "reason") {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

package declaration

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	ownsManifest = `{"f:metadata":{"f:annotations":{".":{},"f:kubectl.kubernetes.io/last-applied-configuration":{}}},"f:spec":{}}`
	ownsReady    = `{"f:status":{"f:conditions":{".":{},"k:{\"type\":\"Ready\"}":{".":{},"f:status":{},"f:type":{}}}}}`
	ownsReason   = `{"f:status":{"f:conditions":{"k:{\"type\":\"Ready\"}":{"f:reason":{}}}}}`
	ownsOther    = `{"f:status":{"f:conditions":{"k:{\"type\":\"Patched\"}":{"f:status":{}}}}}`
	ownsAll      = `{"f:status":{".":{},"f:conditions":{}}}`
)

type option func(*v1beta1.ExternalWorkload)

func workload(options ...option) *v1beta1.ExternalWorkload {
	w := &v1beta1.ExternalWorkload{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "vm", Annotations: map[string]string{}}}
	for _, change := range options {
		change(w)
	}
	return w
}

// applied adds the annotation of a manifest with these conditions to the workload.
func applied(conditions string) option {
	return manifestOf(`{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload","metadata":{"name":"vm","namespace":"shop"},"status":{"conditions":` + conditions + `}}`)
}

func manifestOf(text string) option {
	return func(w *v1beta1.ExternalWorkload) { w.Annotations[LastApplied] = text }
}

func inline(status string) option {
	return func(w *v1beta1.ExternalWorkload) { w.Annotations[v1beta1.InlineReadyAnnotation] = status }
}

func ready(status, reason string) option {
	return func(w *v1beta1.ExternalWorkload) {
		w.Status.Conditions = append(w.Status.Conditions, v1beta1.WorkloadCondition{
			Type: v1beta1.WorkloadReady, Status: v1beta1.ConditionStatus(status), Reason: reason,
		})
	}
}

// by adds the fields that a manager has owned since that many seconds after noon.
func by(manager, subresource, owned string, second int) option {
	return func(w *v1beta1.ExternalWorkload) {
		at := metav1.NewTime(noon.Add(time.Duration(second) * time.Second))
		w.ManagedFields = append(w.ManagedFields, metav1.ManagedFieldsEntry{
			Manager: manager, Subresource: subresource, Time: &at, FieldsV1: metav1.NewFieldsV1(owned),
		})
	}
}

func kubectlAt(second int) option { return by("kubectl-client-side-apply", "", ownsManifest, second) }

func agentAt(second int) option { return by("agent", "status", ownsReady, second) }

const isReady = `[{"type":"Ready","status":"True"}]`

func TestWhatAManifestDeclares(t *testing.T) {
	for sentence, test := range map[string]struct {
		workload *v1beta1.ExternalWorkload
		want     string
	}{
		"a workload without manifest":       {workload(), ""},
		"a manifest without status":         {workload(manifestOf(`{"apiVersion":"workload.linkerd.io/v1beta1","kind":"ExternalWorkload","metadata":{"name":"vm"}}`)), ""},
		"no condition":                      {workload(applied(`[]`)), ""},
		"another condition":                 {workload(applied(`[{"type":"Patched","status":"True"}]`)), ""},
		"Ready":                             {workload(applied(isReady)), "True"},
		"not Ready":                         {workload(applied(`[{"type":"Ready","status":"False"}]`)), "False"},
		"a boolean":                         {workload(applied(`[{"type":"Ready","status":true}]`)), "True"},
		"a boolean that withdraws":          {workload(applied(`[{"type":"Ready","status":false}]`)), "False"},
		"another spelling is kept as it is": {workload(applied(`[{"type":"Ready","status":"no"}]`)), "no"},
		"a number is kept, so that it is refused later":        {workload(applied(`[{"type":"Ready","status":1}]`)), "1"},
		"a long value is truncated":                            {workload(applied(`[{"type":"Ready","status":"` + strings.Repeat("x", 1000) + `"}]`)), strings.Repeat("x", 16) + "..."},
		"null":                                                 {workload(applied(`[{"type":"Ready","status":null}]`)), ""},
		"the same condition twice":                             {workload(applied(`[{"type":"Ready","status":"True"},{"type":"Ready","status":"True"}]`)), "True"},
		"a contradiction":                                      {workload(applied(`[{"type":"Ready","status":"True"},{"type":"Ready","status":"False"}]`)), ""},
		"one field twice":                                      {workload(applied(`[{"type":"Ready","status":"True","status":"False"}]`)), ""},
		"capitals in a field's name":                           {workload(applied(`[{"type":"Ready","Status":"True"}]`)), ""},
		"no JSON":                                              {workload(manifestOf(`{"conditions"`)), ""},
		"another shape":                                        {workload(applied(`{"Ready":"True"}`)), ""},
		"the manifest of another workload":                     {workload(manifestOf(strings.Replace(workload(applied(isReady)).Annotations[LastApplied], `"vm"`, `"other"`, 1))), ""},
		"the manifest of another namespace":                    {workload(manifestOf(strings.Replace(workload(applied(isReady)).Annotations[LastApplied], `"shop"`, `"other"`, 1))), ""},
		"the manifest of another kind":                         {workload(manifestOf(strings.Replace(workload(applied(isReady)).Annotations[LastApplied], `"ExternalWorkload"`, `"Pod"`, 1))), ""},
		"a manifest that is too large":                         {workload(applied(isReady), manifestOf(workload(applied(isReady)).Annotations[LastApplied]+strings.Repeat(" ", maxManifest))), ""},
		"the policy's annotation":                              {workload(inline("False")), "False"},
		"the policy's annotation is newer than the last apply": {workload(inline("False"), applied(isReady)), "False"},
		"a restored object without a declaring manifest":       {workload(applied(`[]`), ready("True", "")), ""},
	} {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(Declaration{Status: test.want}, Of(test.workload)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestWhoWroteReadyLast: the manifest declares True.
func TestWhoWroteReadyLast(t *testing.T) {
	mine := by(FieldManager, "status", ownsReady, 5)
	for sentence, test := range map[string]struct {
		options []option
		want    string
	}{
		"nobody has":       {[]option{kubectlAt(0)}, ""},
		"this project has": {[]option{kubectlAt(0), ready("True", "Declared"), mine}, ""},
		"this project has, before the manifest changed":        {[]option{kubectlAt(9), ready("False", "Declared"), mine}, ""},
		"a probe had, which was removed":                       {[]option{kubectlAt(0), ready("False", "ProbeFailed"), mine}, ""},
		"an agent has":                                         {[]option{kubectlAt(0), ready("False", "AgentSays"), agentAt(5)}, "agent"},
		"an agent has, of this project's condition":            {[]option{kubectlAt(0), ready("False", "Declared"), by(FieldManager, "status", ownsReason, 3), agentAt(5)}, "agent"},
		"an agent has, before the manifest was applied":        {[]option{kubectlAt(9), ready("False", "AgentSays"), agentAt(5)}, ""},
		"an agent has, in the second of the manifest":          {[]option{kubectlAt(5), ready("False", "AgentSays"), agentAt(5)}, "agent"},
		"an agent has, of another condition":                   {[]option{kubectlAt(0), ready("True", "Declared"), mine, by("agent", "status", ownsOther, 9)}, ""},
		"Argo CD applied later":                                {[]option{by("argocd-controller", "", ownsManifest, 9), ready("False", ""), agentAt(5)}, ""},
		"a restored backup was labelled later":                 {[]option{by("restore", "", ownsManifest, 9), ready("False", ""), agentAt(5)}, "agent"},
		"kubectl labelled later":                               {[]option{kubectlAt(0), by("kubectl-label", "", `{"f:metadata":{"f:labels":{}}}`, 9), ready("False", ""), agentAt(5)}, "agent"},
		"an agent has, with atomic conditions":                 {[]option{kubectlAt(0), ready("False", "AgentSays"), by("agent", "status", ownsAll, 5)}, "agent"},
		"an agent has, of another one, with atomic conditions": {[]option{kubectlAt(0), ready("True", "Declared"), by("agent", "status", ownsAll, 5)}, ""},
		"the latest of two agents":                             {[]option{kubectlAt(0), ready("False", ""), agentAt(5), by("second", "status", ownsReady, 7)}, "second"},
		"somebody unknown":                                     {[]option{kubectlAt(0), ready("False", "AgentSays")}, "an unknown manager"},
		"somebody unknown, before the manifest or not":         {[]option{kubectlAt(9), ready("False", "AgentSays"), by("agent", "status", `broken`, 5)}, "an unknown manager"},
		"this project, without managedFields":                  {[]option{ready("False", "Declared")}, ""},
		"an agent has, and the policy's time is unknown":       {[]option{inline("True"), kubectlAt(9), ready("False", ""), agentAt(5)}, "agent"},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := workload(append([]option{applied(isReady)}, test.options...)...)
			if diff := cmp.Diff(Declaration{Status: "True", OverruledBy: test.want}, Of(w)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestADigestKeepsOnlyWhatCounts(t *testing.T) {
	const overruled = "the manifest declares Ready True, but agent has written the condition since"
	for sentence, test := range map[string]struct {
		workload *v1beta1.ExternalWorkload
		want     map[string]string
	}{
		"a manifest that declares":      {workload(applied(isReady), kubectlAt(0)), map[string]string{v1beta1.InlineReadyAnnotation: "True"}},
		"a manifest that is overruled":  {workload(applied(isReady), kubectlAt(0), ready("False", ""), agentAt(5)), map[string]string{v1beta1.OverruledAnnotation: overruled}},
		"a policy is overruled":         {workload(inline("True"), ready("False", ""), agentAt(5)), map[string]string{v1beta1.OverruledAnnotation: overruled}},
		"a manifest without conditions": {workload(applied(`[]`), kubectlAt(0)), map[string]string{}},
		"annotations that a tenant forged": {
			workload(func(w *v1beta1.ExternalWorkload) { w.Annotations[v1beta1.OverruledAnnotation] = "forged" }, kubectlAt(0)), map[string]string{},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			w := test.workload
			for range 2 {
				Digest(w)
				got := map[string]string{}
				for _, name := range []string{v1beta1.InlineReadyAnnotation, v1beta1.OverruledAnnotation} {
					if value, given := w.Annotations[name]; given {
						got[name] = value
					}
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("-want +got\n%s", diff)
				}
				// The cache drops these annotations, and may digest an object again.
				w.ManagedFields = nil
				delete(w.Annotations, LastApplied)
			}
		})
	}
}

// TestAManifestOfATenantTakesLittleMemory has manifests that are as large, deep
// or wide as a tenant can write them.
func TestAManifestOfATenantTakesLittleMemory(t *testing.T) {
	for sentence, conditions := range map[string]string{
		"deep":          strings.Repeat("[", maxManifest/3) + strings.Repeat("]", maxManifest/3),
		"wide":          "[" + strings.Repeat("{},", maxManifest/3-200) + "{}]",
		"a long status": `[{"type":"Ready","status":"` + strings.Repeat("x", maxManifest-300) + `"}]`,
	} {
		t.Run(sentence, func(t *testing.T) {
			w := workload(applied(conditions))
			if size := len(w.Annotations[LastApplied]); size > maxManifest {
				t.Fatalf("the manifest of %d bytes is not read at all", size)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			Of(w)
			runtime.ReadMemStats(&after)
			if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 4<<20 {
				t.Errorf("it took %d bytes", allocated)
			}
		})
	}
}

func FuzzDeclaration(f *testing.F) {
	f.Add(workload(applied(isReady)).Annotations[LastApplied], ownsReady)
	f.Add(`{"status":{"conditions":[{"type":"Ready","status":{"a":1}}]}}`, ownsAll)
	f.Fuzz(func(t *testing.T, manifest, owned string) {
		w := workload(manifestOf(manifest), ready("False", "AgentSays"), by("agent", "status", owned, 5))
		declared := Of(w)
		if len(declared.Status) > maxStatus+len("...") {
			t.Errorf("a status of %d bytes is kept", len(declared.Status))
		}
		if again := Of(w); again != declared {
			t.Errorf("the same object gives %+v and %+v", declared, again)
		}
	})
}

func BenchmarkDeclaration(b *testing.B) {
	w := workload(applied(isReady), kubectlAt(0), ready("True", "Declared"), by(FieldManager, "status", ownsReady, 5))
	b.ReportAllocs()
	for range b.N {
		if got := Of(w); got.Status != "True" {
			b.Fatal(fmt.Sprint(got))
		}
	}
}

package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/explain"
)

// appliedManifest begins a manifest of shop/a, which tests complete.
const appliedManifest = `apiVersion: workload.linkerd.io/v1beta1
kind: ExternalWorkload
metadata: {name: a, namespace: shop, labels: {app: web}%s}
`

const appliedSpec = "spec: {meshTLS: {identity: a, serverName: a}, workloadIPs: [{ip: 192.0.2.1}], ports: [{name: http, port: 8080, protocol: TCP}]}\n"

var appliedOptions = desired.Options{Now: build.Epoch.Add(time.Hour)}

// manifestOf returns a manifest of shop/a with annotations and further fields.
func manifestOf(annotations map[string]string, rest string) string {
	text := ""
	for key, value := range annotations {
		text += ", annotations: {" + key + ": '" + value + "'}"
	}
	return strings.Replace(appliedManifest, "%s", text, 1) + rest
}

func parsed(t *testing.T, manifests string) *manifestObjects {
	t.Helper()
	m := &manifestObjects{}
	if err := m.addFile("x", []byte(manifests), "shop"); err != nil {
		t.Fatal(err)
	}
	return m
}

// appliedOver returns a live workload after a manifest was applied.
func appliedOver(t *testing.T, manifest string, live *v1beta1.ExternalWorkload) *v1beta1.ExternalWorkload {
	t.Helper()
	all, err := parsed(t, manifest).over(explain.Objects{Workloads: []*v1beta1.ExternalWorkload{live}}, appliedOptions)
	if err != nil {
		t.Fatal(err)
	}
	return all.Workloads[0]
}

// reasonAfter returns why Service shop/web serves shop/a or not after a manifest was applied
// beside a live workload.
func reasonAfter(t *testing.T, manifest string, live *v1beta1.ExternalWorkload) string {
	t.Helper()
	objects, err := parsed(t, manifest).over(explain.Objects{
		Services:  []*corev1.Service{build.Service("shop/web")},
		Workloads: []*v1beta1.ExternalWorkload{live},
	}, appliedOptions)
	if err != nil {
		t.Fatal(err)
	}
	got, err := explain.New("shop", objects, explain.Options{Options: appliedOptions, MaxEndpoints: 100}).Workload("a", "")
	if err != nil {
		t.Fatal(err)
	}
	return got.Answers[0].Reason()
}

// lastAppliedWas is the annotation that kubectl apply of a manifest leaves.
func lastAppliedWas(json string) build.ObjectOption {
	return build.Annotation(corev1.LastAppliedConfigAnnotation, json)
}

func TestAnApplyKeepsWhatOthersHaveSet(t *testing.T) {
	finalizer := func(w *v1beta1.ExternalWorkload) *v1beta1.ExternalWorkload {
		w.Finalizers = []string{"example.org/x"}
		return w
	}
	noAddress := "spec: {meshTLS: {identity: a, serverName: a}, ports: [{name: http, port: 8080, protocol: TCP}]}\n"
	status := "status: {conditions: [{type: Ready, status: \"True\"}]}\n"
	for sentence, test := range map[string]struct {
		manifest string
		live     *v1beta1.ExternalWorkload
	}{
		"a drain":              {manifestOf(nil, appliedSpec), build.Workload("shop/a", build.Drained())},
		"a deletion":           {manifestOf(nil, appliedSpec), finalizer(build.Workload("shop/a", build.Deleting()))},
		"a registered address": {manifestOf(nil, noAddress), build.Workload("shop/a", build.IPs("192.0.2.9"))},
		"the live status": {manifestOf(map[string]string{v1beta1.ProbeAnnotation: `{"tcpSocket":{"port":8080}}`}, appliedSpec+status),
			build.Workload("shop/a", build.Probed(), build.Passed("192.0.2.1"))},
		"a label of another program": {manifestOf(nil, ""), build.Workload("shop/a", build.Label("tier", "front"), lastAppliedWas(`{"metadata":{"name":"a","labels":{"app":"web"}}}`))},
		"a declaration of the same meaning": {manifestOf(map[string]string{v1beta1.ReadyAnnotation: "yes"}, ""),
			build.Workload("shop/a", build.Annotation(v1beta1.ReadyAnnotation, "yes"), build.Conditions(since("True", "Declared")))},
		"Ready, if the declaration cannot be followed": {manifestOf(map[string]string{v1beta1.ProbeAnnotation: "{}"}, status), build.Workload("shop/a", build.Annotation(v1beta1.ProbeAnnotation, "{}"), build.NotReady())},
		"Ready of an agent, if the manifest is the same": {manifestOf(nil, status), build.Workload("shop/a", build.Conditions(since("False", "Agent")),
			lastAppliedWas(`{"metadata":{"name":"a","namespace":"shop","annotations":{},"labels":{"app":"web"}},"status":{"conditions":[{"type":"Ready","status":"True"}]}}`))},
		"Ready of an agent, if the policy has the condition": {manifestOf(nil, status), build.Workload("shop/a", build.Conditions(since("False", "Agent")),
			build.Annotation(v1beta1.InlineReadyAnnotation, "True"))},
	} {
		t.Run(sentence, func(t *testing.T) {
			before := test.live.DeepCopy()
			got := appliedOver(t, test.manifest, test.live)
			// These are not what the test is about: the manifest sets them.
			got.Spec.MeshTLS, got.ManagedFields = before.Spec.MeshTLS, nil
			if diff := cmp.Diff(before, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("-before +after\n%s", diff)
			}
			if diff := cmp.Diff(before, test.live); diff != "" {
				t.Errorf("the live object has changed: -before +after\n%s", diff)
			}
		})
	}
}

// since returns a condition Ready that is an hour old.
func since(status v1beta1.ConditionStatus, reason string) v1beta1.WorkloadCondition {
	c := build.Condition(v1beta1.WorkloadReady, status)
	c.Reason, c.LastTransitionTime = reason, metav1.NewTime(build.Epoch)
	return c
}

func TestAnApplyTakesWhatTheManifestNoLongerHas(t *testing.T) {
	live := build.Workload("shop/a", build.Drained(), build.Label("tier", "front"),
		lastAppliedWas(`{"metadata":{"name":"a","labels":{"app":"web","tier":"front"},"annotations":{"external-workload.io/drain":"true"}},"spec":{"ports":[]}}`))
	got := appliedOver(t, manifestOf(nil, "spec: {workloadIPs: null}\n"), live)
	if got.Drained() || got.Labels["tier"] != "" || len(got.Spec.Ports) > 0 || len(got.Spec.WorkloadIPs) > 0 {
		t.Errorf("the manifest removes all of these: %v, %v, %v", got.Annotations, got.Labels, got.Spec)
	}
	copied := live.DeepCopy()
	copied.Name = "b"
	got = appliedOver(t, strings.Replace(manifestOf(nil, ""), "name: a", "name: b", 1), copied)
	if got.Labels["tier"] == "" {
		t.Error("the manifest of another object has removed a label")
	}
}

func TestAnApplyOfAServiceKeepsWhatOthersHaveSet(t *testing.T) {
	live := build.Service("shop/web", build.Families(corev1.IPv4Protocol), build.PublishNotReady())
	manifest := "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: other}, ports: [{port: 81}]}\n"
	all, err := parsed(t, manifest).over(explain.Objects{Services: []*corev1.Service{live}}, appliedOptions)
	if err != nil {
		t.Fatal(err)
	}
	want := live.DeepCopy()
	want.Spec.Selector, want.Spec.Ports = map[string]string{"app": "other"}, []corev1.ServicePort{{Port: 81}}
	got := all.Services[0]
	got.ManagedFields = nil
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestAManifestDeclaresAsTheControllerReadsIt(t *testing.T) {
	annotation := func(value string) string {
		return manifestOf(map[string]string{v1beta1.ReadyAnnotation: value}, appliedSpec)
	}
	inline := manifestOf(nil, appliedSpec+"status: {conditions: [{type: Ready, status: \"true\"}]}\n")
	both := manifestOf(map[string]string{v1beta1.ReadyAnnotation: "off"}, appliedSpec+"status: {conditions: [{type: Ready, status: \"True\"}]}\n")
	service := "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec: {selector: {app: web}, ports: [{port: 80, targetPort: http}]}\n---\n"
	for sentence, test := range map[string]struct {
		manifest string
		options  desired.Options
		reason   string
	}{
		"True":                              {annotation("True"), desired.Options{}, "Served"},
		"true":                              {annotation("true"), desired.Options{}, "Served"},
		"yes":                               {annotation("yes"), desired.Options{}, "Served"},
		"no":                                {annotation("no"), desired.Options{}, "Declared"},
		"no word of a declaration":          {annotation("yes!"), desired.Options{}, "InvalidReady"},
		"a word that withdraws":             {annotation("down"), desired.Options{}, "InvalidReady"},
		"an inline condition":               {inline, desired.Options{}, "Served"},
		"the annotation over the condition": {both, desired.Options{}, "Declared"},
		"nothing":                           {manifestOf(nil, appliedSpec), desired.Options{}, "NoReadyCondition"},
		"a controller that ignores it":      {annotation("True"), desired.Options{IgnoreProbes: true}, "NoReadyCondition"},
	} {
		options := explain.Options{Options: test.options, OnlyManifests: true}
		options.Now = appliedOptions.Now
		got, err := explain.New("shop", parsed(t, service+test.manifest).objects(options.Options), options).Workload("a", "web")
		if err != nil {
			t.Fatal(err)
		}
		if reason := got.Answers[0].Reason(); reason != test.reason {
			t.Errorf("%s: the reason is %q, want %q", sentence, reason, test.reason)
		}
	}
}

func TestADeclarationInAManifestChangesALiveMachine(t *testing.T) {
	annotation := func(value string) string {
		return manifestOf(map[string]string{v1beta1.ReadyAnnotation: value}, "")
	}
	inline := manifestOf(nil, "status: {conditions: [{type: Ready, status: \"True\"}]}\n")
	for sentence, test := range map[string]struct {
		manifest string
		live     v1beta1.WorkloadCondition
		want     v1beta1.ConditionStatus
		// accepted is the reason of the condition Accepted, if there is one.
		accepted string
	}{
		"ready":                       {annotation("yes"), since("False", "Agent"), "True", ""},
		"not ready":                   {annotation("No"), since("True", "Agent"), "False", ""},
		"a value that cannot be read": {annotation("yes!"), since("True", "Agent"), "True", "InvalidReady"},
		"a value that withdraws":      {annotation("stopped"), since("True", "Agent"), "False", "InvalidReady"},
		"a new inline condition":      {inline, since("False", "Agent"), "True", ""},
		"an inline condition that was not applied": {inline, since("False", "Declared"), "True", ""},
	} {
		got := appliedOver(t, test.manifest, build.Workload("shop/a", build.Conditions(test.live)))
		status, accepted := v1beta1.ConditionStatus(""), ""
		for _, c := range got.Status.Conditions {
			if c.Type == v1beta1.WorkloadReady {
				status += c.Status
			} else {
				accepted += c.Reason
			}
		}
		if status != test.want || accepted != test.accepted {
			t.Errorf("%s: Ready is %q, Accepted has %q; want %q and %q", sentence, status, accepted, test.want, test.accepted)
		}
	}
}

func TestARepairedDeclarationIsAcceptedAgain(t *testing.T) {
	invalid := v1beta1.WorkloadCondition{Type: v1beta1.WorkloadAccepted, Status: v1beta1.ConditionFalse, Reason: "InvalidReady"}
	live := build.Workload("shop/a", build.Conditions(since("False", "Agent"), invalid))
	got := appliedOver(t, manifestOf(map[string]string{v1beta1.ReadyAnnotation: "True"}, ""), live)
	want := []v1beta1.WorkloadCondition{{Type: v1beta1.WorkloadReady, Status: "True", Reason: "Declared", LastTransitionTime: metav1.NewTime(appliedOptions.Now)}}
	if diff := cmp.Diff(want, got.Status.Conditions); diff != "" {
		t.Errorf("conditions (-want +got):\n%s", diff)
	}
}

// TestAChangeInAManifestIsNotOverdue has slices that the controller has not changed for an
// hour, as it does not know the manifest.
func TestAChangeInAManifestIsNotOverdue(t *testing.T) {
	for sentence, test := range map[string]struct {
		manifest, want string
	}{
		"a change":  {manifestOf(nil, "spec: {workloadIPs: [{ip: 192.0.2.9}]}\n"), "NotYetPublished"},
		"no change": {manifestOf(nil, ""), "NotWritten"},
	} {
		if reason := reasonAfter(t, test.manifest, build.Workload("shop/a")); reason != test.want {
			t.Errorf("%s: the reason is %q, want %q", sentence, reason, test.want)
		}
	}
}

func TestANewManifestIsTheYoungest(t *testing.T) {
	manifest := manifestOf(map[string]string{v1beta1.ReadyAnnotation: "True"}, appliedSpec)
	if reason := reasonAfter(t, manifest, build.Workload("shop/b")); reason != "DuplicateAddress" {
		t.Errorf("the reason is %q, want DuplicateAddress", reason)
	}
}

// TestAStoredObjectKeepsItsStatusWithoutACluster has the output of kubectl get -o yaml.
func TestAStoredObjectKeepsItsStatusWithoutACluster(t *testing.T) {
	stored := strings.Replace(manifestOf(nil, appliedSpec), "name: a,", "name: a, uid: a-uid, creationTimestamp: \"2026-01-01T00:00:00Z\",", 1) +
		"status: {conditions: [{type: Ready, status: \"True\", reason: Agent}]}\n"
	got := parsed(t, stored).objects(appliedOptions).Workloads[0]
	if len(got.Status.Conditions) != 1 || got.Status.Conditions[0].Reason != "Agent" || !got.CreationTimestamp.Time.Equal(build.Epoch) {
		t.Errorf("status %v, created %s", got.Status, got.CreationTimestamp)
	}
}

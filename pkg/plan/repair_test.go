package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/plan"
)

// Foreign writes to our slices are repaired, also in safe steps.
func TestRepair(t *testing.T) {
	tampered := func(change func(*discoveryv1.EndpointSlice)) func(*cluster) {
		return func(c *cluster) { c.edit("s1", change) }
	}
	repaired := []string{"1 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2"}
	again := []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.1 w02@192.0.2.2", "2 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2"}
	moved := []string{"1 update s1 [http:8080/TCP] -w01@192.0.2.77 w02@192.0.2.2", again[1]}
	rows := map[string]change{}
	for sentence, row := range map[string]struct {
		edit func(*discoveryv1.EndpointSlice)
		want []string
	}{
		"a label is added": {func(s *discoveryv1.EndpointSlice) {
			s.Labels = map[string]string{"x": "y", discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: build.ManagedBy}
		}, repaired},
		"the owner is taken away":        {func(s *discoveryv1.EndpointSlice) { s.OwnerReferences = nil }, repaired},
		"the owner does not block":       {func(s *discoveryv1.EndpointSlice) { s.OwnerReferences[0].BlockOwnerDeletion = nil }, repaired},
		"an annotation is added":         {func(s *discoveryv1.EndpointSlice) { s.Annotations["x"] = "y" }, nil},
		"the trigger time is changed":    {func(s *discoveryv1.EndpointSlice) { s.Annotations[corev1.EndpointsLastChangeTriggerTime] = "" }, nil},
		"endpoints are reordered":        {func(s *discoveryv1.EndpointSlice) { slices.Reverse(s.Endpoints) }, nil},
		"an endpoint is taken out":       {func(s *discoveryv1.EndpointSlice) { s.Endpoints = s.Endpoints[1:] }, repaired},
		"an endpoint is made not ready":  {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Ready = new(false) }, repaired},
		"an endpoint's ready is removed": {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Ready = nil }, repaired},
		"its serving is changed":         {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Serving = new(false) }, repaired},
		"its serving is removed":         {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Serving = nil }, nil},
		"its terminating is removed":     {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Conditions.Terminating = nil }, nil},
		"its zone is changed":            {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Zone = new("x") }, repaired},
		"its hints are changed": {func(s *discoveryv1.EndpointSlice) {
			s.Endpoints[0].Hints = &discoveryv1.EndpointHints{ForNodes: []discoveryv1.ForNode{{Name: "x"}}}
		}, repaired},
		"its hostname is changed":     {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Hostname = new("x") }, repaired},
		"its node is set":             {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].NodeName = new("x") }, repaired},
		"its target's UID is changed": {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].TargetRef.UID = "x" }, repaired},
		"its target's version is set": {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].TargetRef.APIVersion = "x" }, repaired},
		"its address is changed":      {func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].Addresses[0] = "192.0.2.77" }, moved},
		"the record of identities is changed": {
			func(s *discoveryv1.EndpointSlice) {
				s.Annotations["external-workload.io/identities"] = "AAAAAAAA" + s.Annotations["external-workload.io/identities"][8:]
			}, again,
		},
		"its target is taken away": {
			func(s *discoveryv1.EndpointSlice) { s.Endpoints[0].TargetRef = nil },
			[]string{"1 update s1 [http:8080/TCP] w02@192.0.2.2", "2 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2"},
		},
		"an endpoint is added": {
			func(s *discoveryv1.EndpointSlice) {
				build.Slice("shop/x", build.Endpoint("x", "192.0.2.77")).Endpoints[0].DeepCopyInto(&s.Endpoints[0])
			},
			[]string{"1 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2"},
		},
		"the port's number is taken away": {
			func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = nil },
			[]string{"1 update s1 [] -w01@192.0.2.1 -w02@192.0.2.2", "2 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2"},
		},
	} {
		rows[sentence] = change{workloads: numbered(1, 2), happens: tampered(row.edit), want: row.want}
	}
	rows["the Service goes while a port has no number"] = change{
		workloads: numbered(1, 1),
		happens: func(c *cluster) {
			c.edit("s1", func(s *discoveryv1.EndpointSlice) { s.Ports[0].Port = nil })
			c.service = nil
		},
		want: []string{"1 update s1 []", "2 delete s1 []"},
	}
	rows["a slice is deleted"] = change{
		workloads: numbered(1, 1),
		happens: func(c *cluster) {
			if err := c.api.Delete(c.api.List()[0].Name, metav1.Preconditions{}); err != nil {
				c.t.Fatal(err)
			}
		},
		want: []string{"1 create s1 [http:8080/TCP] w01@192.0.2.1"},
	}
	check(t, rows)
}

// TestRequestedRefreshIsOneWithdrawalAndOnePublication: the requesting client writes only
// the request; the planner makes the safe steps.
func TestRequestedRefreshIsOneWithdrawalAndOnePublication(t *testing.T) {
	for sentence, unrecorded := range map[string]bool{"identities are recorded": false, "another controller wrote the slice": true} {
		t.Run(sentence, func(t *testing.T) {
			c := newCluster(t, build.Service("shop/web"), numbered(1, 3)...)
			c.converge()
			c.edit("s1", func(s *discoveryv1.EndpointSlice) {
				if unrecorded {
					s.Annotations = map[string]string{}
				}
				value := plan.RequestRefresh(s, 1, func(name string) string { return c.workloads[name].Identity })
				s.Annotations = map[string]string{plan.IdentitiesAnnotation: value}
				if !plan.RefreshRequested(s) {
					t.Error("the request has no effect")
				}
			})
			want := []string{
				"1 update s1 [http:8080/TCP] w01@192.0.2.1 -w02@192.0.2.2 w03@192.0.2.3",
				"2 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2 w03@192.0.2.3",
			}
			if diff := cmp.Diff(want, c.converge()); diff != "" {
				t.Errorf("writes differ (-want +got):\n%s", diff)
			}
		})
	}
}

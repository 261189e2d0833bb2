package plan_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/plan"
)

// only returns the only write of a plan.
func only(t *testing.T, p plan.Plan) plan.Write {
	t.Helper()
	if len(p.Writes) != 1 {
		t.Fatalf("the plan does not have exactly one write:\n%s", &p)
	}
	return p.Writes[0]
}

func TestCreatedSlice(t *testing.T) {
	service := build.Service("shop/web", build.Headless(), build.Label("team", "red"), build.Traffic("PreferClose"), build.Ports(
		build.Port("", 80, build.ToName("http"), build.AppProtocol("h2c"))))
	c := newCluster(t, service,
		build.Workload("shop/b.site", build.IPs("192.0.2.2"), build.NotReady(), build.Deleting()),
		build.Workload("shop/a", build.Zone("z1")),
	)
	got := only(t, c.next())
	want := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", GenerateName: "linkerd-external-web-", Name: got.Slice.Name,
			Labels: map[string]string{
				"team": "red", discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: build.ManagedBy, corev1.IsHeadlessService: "",
			},
			Annotations: map[string]string{
				corev1.EndpointsLastChangeTriggerTime: longAfter.Format(time.RFC3339Nano),
				// b.site drains, so clients have not received its identity from this slice.
				plan.IdentitiesAnnotation: c.workloads["a"].Identity + "--------",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Service", Name: "web", UID: "web-uid", Controller: new(true), BlockOwnerDeletion: new(true),
			}},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new(""), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP), AppProtocol: new("h2c")}},
		Endpoints: []discoveryv1.Endpoint{
			{
				Addresses:  []string{"192.0.2.1"},
				Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
				Hostname:   new("a"), Zone: new("z1"),
				Hints:     &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "z1"}}},
				TargetRef: &corev1.ObjectReference{Kind: "ExternalWorkload", Namespace: "shop", Name: "a", UID: "a-uid"},
			},
			{
				Addresses:  []string{"192.0.2.2"},
				Conditions: discoveryv1.EndpointConditions{Ready: new(false), Serving: new(false), Terminating: new(true)},
				TargetRef:  &corev1.ObjectReference{Kind: "ExternalWorkload", Namespace: "shop", Name: "b.site", UID: "b.site-uid"},
			},
		},
	}
	if diff := cmp.Diff(want, got.Slice); diff != "" {
		t.Errorf("slice differs (-want +got):\n%s", diff)
	}
}

func TestUpdatedSliceKeepsWhatIsNotOurs(t *testing.T) {
	other := metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "x", UID: "x"}
	c := newCluster(t, build.Service("shop/web"), numbered(1, 1)...)
	actual := build.Slice("shop/s", build.Annotation("note", "kept"), build.Owners(other), build.Label("stranger", "gone"))
	c.createSlices(actual)
	write := only(t, c.next())
	got, stored := write.Slice, c.api.List()[0]
	if got.UID != stored.UID || got.ResourceVersion != stored.ResourceVersion || got.Annotations["note"] != "kept" {
		t.Errorf("UID %q, resourceVersion %q, note %q; want those of the actual slice", got.UID, got.ResourceVersion, got.Annotations["note"])
	}
	if diff := cmp.Diff([]metav1.OwnerReference{other, build.Owner("web", "web-uid")}, got.OwnerReferences); diff != "" {
		t.Errorf("owners differ (-want +got):\n%s", diff)
	}
	if _, there := got.Labels["stranger"]; there {
		t.Error("a foreign label is kept")
	}
}

func TestTriggerTime(t *testing.T) {
	at := func(seconds int) time.Time { return longAfter.Add(time.Duration(seconds)*time.Second + 5) }
	for sentence, row := range map[string]struct {
		changes func(*cluster)
		options plan.Options
		want    time.Time
	}{
		"of one change": {
			changes: func(c *cluster) { c.now = at(7); c.put(numbered(1, 1, build.NotReady())...) }, want: at(7),
		},
		"of two changes the older": {
			changes: func(c *cluster) {
				c.now = at(7)
				c.put(numbered(2, 2, build.NotReady())...)
				c.now = at(8)
				c.put(numbered(1, 1, build.NotReady())...)
			}, want: at(7),
		},
		"of the Service, if that is older": {
			changes: func(c *cluster) { c.now = at(7); c.put(numbered(1, 1, build.NotReady())...) },
			options: plan.Options{Trigger: at(3)}, want: at(3),
		},
		"of the workload, if that is older": {
			changes: func(c *cluster) { c.now = at(7); c.put(numbered(1, 1, build.NotReady())...) },
			options: plan.Options{Trigger: at(9)}, want: at(7),
		},
		"of a deleted workload": {
			changes: func(c *cluster) { c.remove("w01") }, options: plan.Options{Trigger: at(3)}, want: at(3),
		},
		"not of a change that is already published": {
			changes: func(c *cluster) { c.edit("s1", func(s *discoveryv1.EndpointSlice) { s.Endpoints = nil }) },
			options: plan.Options{Since: at(1)},
		},
		"unknown": {changes: func(c *cluster) { c.remove("w01") }},
	} {
		t.Run(sentence, func(t *testing.T) {
			c := newCluster(t, build.Service("shop/web"), numbered(1, 2)...)
			c.converge()
			row.changes(c)
			row.options.MaxEndpoints = 100
			c.options = row.options
			write := only(t, c.next())
			if !write.Trigger.Equal(row.want) {
				t.Errorf("trigger %v, want %v", write.Trigger, row.want)
			}
			text, there := write.Slice.Annotations[corev1.EndpointsLastChangeTriggerTime]
			if !row.want.IsZero() {
				if parsed, err := time.Parse(time.RFC3339Nano, text); err != nil || !parsed.Equal(row.want) {
					t.Errorf("annotation %q (%v), want %v", text, err, row.want)
				}
			} else if there {
				t.Errorf("the annotation %q stays although the time is unknown", text)
			}
		})
	}
}

func TestTriggerTimeAloneIsNoReasonToWrite(t *testing.T) {
	c := newCluster(t, build.Service("shop/web"), numbered(1, 2)...)
	c.converge()
	c.options.Trigger = longAfter
	if p := c.next(); !p.Empty() || p.More() {
		t.Errorf("there is something to do:\n%s", &p)
	}
}

// The slices of Linkerd's controller stay as they are, unless an identity changes while
// this controller runs.
func TestAdoption(t *testing.T) {
	actual := func() *discoveryv1.EndpointSlice {
		return build.Slice("shop/linkerd", build.Endpoint("w01", "192.0.2.1"), build.Endpoint("w02", "192.0.2.2"))
	}
	for sentence, row := range map[string]struct {
		happens func(*cluster)
		want    []string
	}{
		"nothing happens": {func(*cluster) {}, nil},
		"an endpoint changes": {
			func(c *cluster) { c.put(numbered(2, 2, build.NotReady())...) },
			[]string{"1 update linkerd [http:8080/TCP] w01@192.0.2.1 -w02@192.0.2.2"},
		},
		"an identity changes": {
			func(c *cluster) { c.put(numbered(2, 2, build.MeshTLS("new", "new"))...) },
			[]string{
				"1 update linkerd [http:8080/TCP] w01@192.0.2.1 -w02@192.0.2.2",
				"2 update linkerd [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2",
			},
		},
		"a workload was recreated while no controller ran": {
			func(c *cluster) { c.put(numbered(2, 2, build.UID("new"))...) },
			[]string{
				"1 update linkerd [http:8080/TCP] w01@192.0.2.1 -w02@192.0.2.2",
				"2 update linkerd [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2{uid=new}",
			},
		},
		"an identity changes and changes back before it is written": {
			func(c *cluster) {
				c.put(numbered(2, 2, build.MeshTLS("new", "new"))...)
				c.put(numbered(2, 2)...)
			}, nil,
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			c := newCluster(t, build.Service("shop/web"), numbered(1, 2)...)
			c.createSlices(actual())
			row.happens(c)
			if diff := cmp.Diff(row.want, c.converge()); diff != "" {
				t.Errorf("writes differ (-want +got):\n%s", diff)
			}
		})
	}
}

// The record in the slice shows an identity that changed while no controller ran.
func TestIdentityThatChangedWhileDown(t *testing.T) {
	c := newCluster(t, build.Service("shop/web"), numbered(1, 2)...)
	c.converge()
	clear(c.workloads)
	c.put(numbered(1, 1)...)
	c.put(numbered(2, 2, build.MeshTLS("new", "new"))...)
	want := []string{
		"1 update s1 [http:8080/TCP] w01@192.0.2.1 -w02@192.0.2.2",
		"2 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2",
	}
	if diff := cmp.Diff(want, c.converge()); diff != "" {
		t.Errorf("writes differ (-want +got):\n%s", diff)
	}
}

func TestHeldEndpoint(t *testing.T) {
	c := newCluster(t, build.Service("shop/web"), numbered(1, 1)...)
	c.converge()
	c.put(build.Workload("shop/new", build.IPs("192.0.2.9"), build.Created(c.now)))
	if p := c.next(); !p.Empty() || p.More() {
		t.Errorf("a held endpoint is published:\n%s", &p)
	}
	c.now = c.now.Add(100 * time.Millisecond)
	if diff := cmp.Diff([]string{"1 update s1 [http:8080/TCP] new@192.0.2.9 w01@192.0.2.1"}, c.run()); diff != "" {
		t.Errorf("writes differ (-want +got):\n%s", diff)
	}
}

// The hold delays new readiness, also for an endpoint that is already published as not
// ready.
func TestHeldEndpointThatIsPublishedNotReady(t *testing.T) {
	c := newCluster(t, build.Service("shop/web"))
	c.put(build.Workload("shop/new", build.NotReady(), build.Created(c.now)))
	c.run()
	c.put(build.Workload("shop/new", build.Created(c.now)))
	if state := c.state(); state.RetryAt.IsZero() || !state.Families[0].Endpoints[0].Held {
		t.Fatal("the endpoint is not held")
	}
	for _, line := range c.run() {
		if line != "1 update s1 [http:8080/TCP] -new@192.0.2.1" {
			t.Errorf("%s, want it not ready", line)
		}
	}
	c.now = c.now.Add(100 * time.Millisecond)
	if diff := cmp.Diff([]string{"1 update s1 [http:8080/TCP] new@192.0.2.1"}, c.run()); diff != "" {
		t.Errorf("writes differ (-want +got):\n%s", diff)
	}
}

func TestWithdrawnEndpointHasNoRecordedIdentity(t *testing.T) {
	c := newCluster(t, build.Service("shop/web"), numbered(1, 2)...)
	c.converge()
	c.put(numbered(1, 1, build.IPs("192.0.2.9"))...)
	got := only(t, c.next()).Slice.Annotations[plan.IdentitiesAnnotation]
	if want := "--------" + c.workloads["w02"].Identity; got != want {
		t.Errorf("recorded %q, want %q", got, want)
	}
}

// A slice that waits for a finalizer is emptied and gets no more endpoints.
func TestSliceThatIsBeingDeleted(t *testing.T) {
	c := newCluster(t, build.Service("shop/web"), numbered(1, 2)...)
	c.createSlices(build.Slice("shop/s", build.Endpoint("w01", "192.0.2.1"), build.Deleting()))
	want := []string{
		"1 update s [http:8080/TCP]",
		"1 create s1 [http:8080/TCP] w02@192.0.2.2",
		"2 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2",
	}
	if diff := cmp.Diff(want, c.converge()); diff != "" {
		t.Errorf("writes differ (-want +got):\n%s", diff)
	}
}

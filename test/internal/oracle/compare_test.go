package oracle

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/utils/ptr"
)

type slice = discoveryv1.EndpointSlice

// TestCompareFinds has a case for each way in which a slice can be wrong.
func TestCompareFinds(t *testing.T) {
	endpoint := func(change func(*discoveryv1.Endpoint)) func(*slice) {
		return func(s *slice) { change(&s.Endpoints[0]) }
	}
	for _, test := range []struct {
		sentence string
		change   func(*slice)
		want     string
	}{
		{"a label that somebody adds", func(s *slice) { s.Labels["x"] = "y" }, "labels: want"},
		{"a slice that lost its managed-by label", func(s *slice) { delete(s.Labels, discoveryv1.LabelManagedBy) }, "has lost its managed-by label"},
		{"a slice of a Service that is gone", func(s *slice) { s.Labels[discoveryv1.LabelServiceName] = "gone" }, "exists although its Service is gone"},
		{"a name without the prefix", func(s *slice) { s.Name = "web-1" }, "name does not begin with"},
		{"no owner", func(s *slice) { s.OwnerReferences = nil }, "none is its controller"},
		{"the owner's former UID", func(s *slice) { s.OwnerReferences[0].UID = "former" }, "the Service has service-uid"},
		{"an owner that is no Service", func(s *slice) { s.OwnerReferences[0].Kind = "Pod" }, "is not the Service"},
		{"an owner that does not block", func(s *slice) { s.OwnerReferences[0].BlockOwnerDeletion = nil }, "blockOwnerDeletion"},
		{"an empty slice", func(s *slice) { s.Endpoints = nil }, "is empty"},
		{"too many endpoints", func(s *slice) { s.Endpoints = make([]discoveryv1.Endpoint, 101) }, "the limit is 100"},
		{"an endpoint twice", func(s *slice) { s.Endpoints = append(s.Endpoints, s.Endpoints[0]) }, "published twice"},
		{"another family", func(s *slice) { s.AddressType = discoveryv1.AddressTypeIPv6 }, "no endpoint of the Service has family"},
		{"another port number", func(s *slice) { s.Ports[0].Port = ptr.To[int32](1) }, "no endpoint of the Service has family"},
		{"a nil port number", func(s *slice) { s.Ports[0].Port = nil }, `"http"=nil/TCP`},
		{"a nil port name", func(s *slice) { s.Ports[0].Name = nil }, `nil=8080/TCP`},
		{"another app protocol", func(s *slice) { s.Ports[0].AppProtocol = ptr.To("h2") }, "no endpoint of the Service has family"},
		{"another address", endpoint(func(e *discoveryv1.Endpoint) { e.Addresses[0] = "192.0.2.7" }), "endpoint a\n"},
		{"two addresses", endpoint(func(e *discoveryv1.Endpoint) { e.Addresses = append(e.Addresses, "192.0.2.7") }), "has 2 addresses"},
		{"ready not set", endpoint(func(e *discoveryv1.Endpoint) { e.Conditions.Ready = nil }), "ready is not set"},
		{"serving wrong", endpoint(func(e *discoveryv1.Endpoint) { *e.Conditions.Serving = false }), "endpoint a\n"},
		{"terminating wrong", endpoint(func(e *discoveryv1.Endpoint) { *e.Conditions.Terminating = true }), "endpoint a\n"},
		{"a zone", endpoint(func(e *discoveryv1.Endpoint) { e.Zone = ptr.To("east") }), "endpoint a\n"},
		{"a hint", endpoint(func(e *discoveryv1.Endpoint) {
			e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: "east"}}}
		}), "endpoint a\n"},
		{"a hostname", endpoint(func(e *discoveryv1.Endpoint) { e.Hostname = ptr.To("a") }), "endpoint a\n"},
		{"a node name", endpoint(func(e *discoveryv1.Endpoint) { e.NodeName = ptr.To("n") }), "node name"},
		{"another workload", endpoint(func(e *discoveryv1.Endpoint) { e.TargetRef.Name = "z" }), "endpoint a is missing"},
		{"another uid in the targetRef", endpoint(func(e *discoveryv1.Endpoint) { e.TargetRef.UID = "z" }), "endpoint a\n"},
		{"an apiVersion in the targetRef", endpoint(func(e *discoveryv1.Endpoint) { e.TargetRef.APIVersion = "v1" }), "endpoint a\n"},
		{"no targetRef", endpoint(func(e *discoveryv1.Endpoint) { e.TargetRef = nil }), "endpoint a is missing"},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			want := Compute(Rules{}, []corev1.Service{makeService()}, workloads{makeWorkload("a", "192.0.2.1")})
			text := Text(Compare(Rules{}, want, slicesFor(test.change)))
			if !strings.Contains(text, test.want) {
				t.Errorf("differences do not contain %q:\n%s", test.want, text)
			}
		})
	}
}

func TestCompareAccepts(t *testing.T) {
	want := Compute(Rules{}, []corev1.Service{makeService()}, workloads{makeWorkload("a", "192.0.2.1")})
	for _, test := range []struct {
		sentence string
		slices   []discoveryv1.EndpointSlice
	}{
		{"exactly what is wanted", slicesFor()},
		{"annotations of any kind", slicesFor(func(s *slice) { s.Annotations = map[string]string{"a": "b"} })},
		{"slices of another manager", append(slicesFor(), slicesFor(func(s *slice) {
			s.Labels[discoveryv1.LabelManagedBy] = "somebody"
			s.Name, s.GenerateName, s.OwnerReferences = "other", "", nil
		})...)},
	} {
		t.Run(test.sentence, func(t *testing.T) {
			if text := Text(Compare(Rules{}, want, test.slices)); text != "" {
				t.Errorf("differences:\n%s", text)
			}
		})
	}
}

func TestCompareFindsWhatIsMissing(t *testing.T) {
	want := Compute(Rules{}, []corev1.Service{makeService()}, workloads{makeWorkload("a", "192.0.2.1"), makeWorkload("b", "192.0.2.2")})
	got := Text(Compare(Rules{}, want, slicesFor()))
	const expected = `Service shop/web: IPv4 ["http"=8080/TCP]: endpoint b is missing`
	if got != expected {
		t.Errorf("differences %q, want %q", got, expected)
	}
}

func TestCompareNamesTheReasonOfASkip(t *testing.T) {
	service := makeService()
	want := Compute(Rules{}, []corev1.Service{service}, workloads{makeWorkload("a", "127.0.0.1")})
	if text := Text(Compare(Rules{}, want, slicesFor())); !strings.Contains(text, string(BadAddress)) {
		t.Errorf("the difference does not have the reason:\n%s", text)
	}
}

func TestRulesChangeTheManagerAndTheLimit(t *testing.T) {
	rules := Rules{ManagedBy: "me", MaxEndpoints: 1}
	want := Compute(rules, []corev1.Service{makeService()}, workloads{makeWorkload("a", "192.0.2.1")})
	have := slicesFor(func(s *slice) {
		s.Labels[discoveryv1.LabelManagedBy] = "me"
		s.Endpoints = append(s.Endpoints, s.Endpoints[0])
	})
	if text := Text(Compare(rules, want, have)); !strings.Contains(text, "has 2 endpoints, the limit is 1") {
		t.Errorf("differences:\n%s", text)
	}
}

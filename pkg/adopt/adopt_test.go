package adopt

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

func TestPrint(t *testing.T) {
	web := build.Service("shop/web")
	for name, test := range map[string]struct {
		services  []corev1.Service
		workloads []v1beta1.ExternalWorkload
		slices    []*discoveryv1.EndpointSlice
		want      string
	}{
		"a correct slice is not written": {
			services:  []corev1.Service{*web},
			workloads: []v1beta1.ExternalWorkload{*build.Workload("shop/a", build.IPs("192.0.2.1"))},
			slices:    []*discoveryv1.EndpointSlice{build.Slice("shop/linkerd-external-web-1", build.Of(web), build.Endpoint("a", "192.0.2.1"))},
			want: `
Compared: Services 1, EndpointSlices 1, endpoints 1 (unchanged 1), workloads left out 0
Would write: nothing
`},
		"an address takes two steps, and its neighbour none": {
			services: []corev1.Service{*web},
			workloads: []v1beta1.ExternalWorkload{
				*build.Workload("shop/a", build.IPs("192.0.2.9")), *build.Workload("shop/b", build.IPs("192.0.2.2")),
			},
			slices: []*discoveryv1.EndpointSlice{build.Slice("shop/linkerd-external-web-1", build.Of(web), build.Endpoint("a", "192.0.2.1"), build.Endpoint("b", "192.0.2.2"))},
			want: `
Service shop/web
  step 1: update EndpointSlice linkerd-external-web-1 (IPv4)
    ~ a: ready true -> false, serving true -> false (address changed)
  step 2: update EndpointSlice linkerd-external-web-1 (IPv4)
    ~ a: address 192.0.2.1 -> 192.0.2.9, ready false -> true, serving false -> true (ready now)

Compared: Services 1, EndpointSlices 1, endpoints 2 (unchanged 1), workloads left out 0
Would write: create 0, update 2, delete 0, for Services 1
`},
		"a Service without slices gets one": {
			services:  []corev1.Service{*web},
			workloads: []v1beta1.ExternalWorkload{*build.Workload("shop/a", build.IPs("192.0.2.1"), build.Zone("east"))},
			want: `
Service shop/web
  step 1: create EndpointSlice NAME (IPv4)
    owner: none -> Service web (web-uid)
    ports: none -> "http" 8080/TCP
    + a: address 192.0.2.1, ready true, serving true, zone east (newly desired)

Compared: Services 1, EndpointSlices 0, endpoints 0 (unchanged 0), workloads left out 0
Would write: create 1, update 0, delete 0, for Services 1
`},
		"the slices of a deleted Service are emptied and deleted": {
			slices: []*discoveryv1.EndpointSlice{build.Slice("shop/linkerd-external-web-1", build.Of(web), build.Endpoint("a", "192.0.2.1"))},
			want: `
Service shop/web
  step 1: update EndpointSlice linkerd-external-web-1 (IPv4)
    - a: address 192.0.2.1, ready true, serving true (not desired any more)
  step 2: delete EndpointSlice linkerd-external-web-1 (IPv4)

Compared: Services 1, EndpointSlices 1, endpoints 1 (unchanged 0), workloads left out 0
Would write: create 0, update 1, delete 1, for Services 1
`},
		"a skipped workload is reported, and one that no Service selects is not": {
			services: []corev1.Service{*web, *build.Service("shop/idle", build.NoSelector())},
			workloads: []v1beta1.ExternalWorkload{
				*build.Workload("shop/a", build.IPs("127.0.0.1")), *build.Workload("shop/lonely", build.NoLabels()), *build.Workload("other/a"),
			},
			want: `
Service shop/web
  left out: workload a: not published as IPv4: 127.0.0.1 is a loopback address, which no other machine can reach; correct spec.workloadIPs

Compared: Services 1, EndpointSlices 0, endpoints 0 (unchanged 0), workloads left out 1
Would write: nothing
`},
		"a foreign label is removed": {
			services:  []corev1.Service{*web},
			workloads: []v1beta1.ExternalWorkload{*build.Workload("shop/a", build.IPs("192.0.2.1"))},
			slices:    []*discoveryv1.EndpointSlice{build.Slice("shop/linkerd-external-web-1", build.Of(web), build.Endpoint("a", "192.0.2.1"), build.Label("extra", "x"))},
			want: `
Service shop/web
  step 1: update EndpointSlice linkerd-external-web-1 (IPv4)
    label - extra=x

Compared: Services 1, EndpointSlices 1, endpoints 1 (unchanged 1), workloads left out 0
Would write: create 0, update 1, delete 0, for Services 1
`},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(strings.TrimPrefix(test.want, "\n"), preview(t, test.services, test.workloads, test.slices)); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}

// preview prints the planned writes. The generated part of a new slice's name is NAME.
func preview(t *testing.T, services []corev1.Service, workloads []v1beta1.ExternalWorkload, slices []*discoveryv1.EndpointSlice) string {
	t.Helper()
	owned := map[types.NamespacedName][]*discoveryv1.EndpointSlice{}
	for _, slice := range slices {
		name := types.NamespacedName{Namespace: slice.Namespace, Name: slice.Labels[discoveryv1.LabelServiceName]}
		owned[name] = append(owned[name], slice.DeepCopy())
	}
	var previews []Preview
	now := time.Now()
	for _, subject := range Group(services, workloads, owned, now) {
		previews = append(previews, Compute(&subject, Options{
			Options:      desired.Options{ManagedBy: "linkerd-external-workloads-controller", Now: now.Add(time.Minute)},
			MaxEndpoints: 100,
		}))
	}
	var out strings.Builder
	if err := Print(&out, previews); err != nil {
		t.Fatal(err)
	}
	for name, found := range owned {
		for i, slice := range found {
			if before := slices[indexOf(slices, slice)]; !cmp.Equal(before, slice) {
				t.Errorf("slice %d of %s was changed", i, name)
			}
		}
	}
	return renamed(out.String(), previews)
}

func indexOf(slices []*discoveryv1.EndpointSlice, wanted *discoveryv1.EndpointSlice) int {
	for i, slice := range slices {
		if slice.Name == wanted.Name {
			return i
		}
	}
	return -1
}

func renamed(text string, previews []Preview) string {
	for _, preview := range previews {
		for _, step := range preview.Steps {
			for _, change := range step {
				if change.Before == nil {
					text = strings.ReplaceAll(text, change.After.Name, "NAME")
				}
			}
		}
	}
	return text
}

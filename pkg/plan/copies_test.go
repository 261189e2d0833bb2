package plan_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/internal/plantest/sliceapi"
)

// Linkerd's clients keep one entry for all copies of an endpoint and lose it when any copy
// is removed. So the remaining copy must be published again.
func TestDuplicatedEndpoint(t *testing.T) {
	copied := build.Endpoint("w01", "192.0.2.1")
	for sentence, row := range map[string]struct {
		copies []*discoveryv1.EndpointSlice
		edit   func(*discoveryv1.EndpointSlice)
		want   []string
	}{
		"in another slice": {
			copies: []*discoveryv1.EndpointSlice{build.Slice("shop/copy", copied)},
			want: []string{
				"1 update copy [http:8080/TCP] -w01@192.0.2.1",
				"2 update s1 [http:8080/TCP] w02@192.0.2.2",
				"2 update copy [http:8080/TCP] w01@192.0.2.1 after s1",
			},
		},
		"in two other slices": {
			copies: []*discoveryv1.EndpointSlice{build.Slice("shop/copy-1", copied), build.Slice("shop/copy-2", copied)},
			want: []string{
				"1 update copy-1 [http:8080/TCP] -w01@192.0.2.1",
				"2 update copy-2 [http:8080/TCP]",
				"2 update s1 [http:8080/TCP] w02@192.0.2.2",
				"2 update copy-1 [http:8080/TCP] w01@192.0.2.1 after copy-2 after s1",
				"3 delete copy-2 [http:8080/TCP]",
			},
		},
		"in a slice of another owner": {
			copies: []*discoveryv1.EndpointSlice{build.Slice("shop/copy", copied, build.Owners(build.Owner("web", "old")))},
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1 w02@192.0.2.2",
				"2 update copy [http:8080/TCP]",
				"2 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2 after copy",
				"3 delete copy [http:8080/TCP]",
			},
		},
		"twice in its slice": {
			edit: func(s *discoveryv1.EndpointSlice) { s.Endpoints = append(s.Endpoints, s.Endpoints[0]) },
			want: []string{
				"1 update s1 [http:8080/TCP] -w01@192.0.2.1 w01@192.0.2.1 w02@192.0.2.2",
				"2 update s1 [http:8080/TCP] -w01@192.0.2.1 w02@192.0.2.2",
				"3 update s1 [http:8080/TCP] w01@192.0.2.1 w02@192.0.2.2",
			},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			destination := consumers.NewDestination(func(_, name string) (consumers.Identity, bool) {
				return consumers.Identity{Name: name}, true
			}, "http")
			client := destination.Subscribe("http", "")
			c := newCluster(t, build.Service("shop/web"), numbered(1, 2)...)
			c.api.Observe = func(w sliceapi.Write) { destination.Observe(w.Previous, w.Current) }
			c.converge()
			c.createSlices(row.copies...)
			if row.edit != nil {
				c.edit("s1", row.edit)
			}
			writes := c.converge()
			if diff := cmp.Diff(row.want, writes); diff != "" {
				t.Errorf("writes differ (-want +got):\n%s", diff)
			}
			want := map[consumers.Socket]consumers.Identity{
				{Address: "192.0.2.1", Port: 8080}: {Name: "w01"},
				{Address: "192.0.2.2", Port: 8080}: {Name: "w02"},
			}
			if diff := cmp.Diff(want, client.Has()); diff != "" {
				t.Errorf("a client has (-want +got):\n%s", diff)
			}
		})
	}
}

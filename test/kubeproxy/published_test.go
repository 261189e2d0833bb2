package kubeproxy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/internal/plantest"
	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/internal/plantest/planned"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// machine returns a ready machine, with or without a zone.
type machine struct{ address, zone string }

// published returns the controller's slices for machines.
func published(t testing.TB, distribution string, machines []machine) []*discoveryv1.EndpointSlice {
	t.Helper()
	service := build.Service(plantest.Namespace + "/" + plantest.ServiceName)
	if distribution != "" {
		service.Spec.TrafficDistribution = &distribution
	}
	var workloads []*v1beta1.ExternalWorkload
	for i, m := range machines {
		options := []build.WorkloadOption{build.IPs(m.address)}
		if m.zone != "" {
			options = append(options, build.Zone(m.zone))
		}
		workloads = append(workloads, build.Workload(fmt.Sprintf("%s/w%d", plantest.Namespace, i), options...))
	}
	view := plantest.View{Now: time.Now(), Service: service, Workloads: workloads}
	controller := planned.New(false)
	controller.See(view)
	next := controller.Step(view)
	if next.More || !next.RetryAt.IsZero() || len(next.Writes) == 0 {
		t.Fatalf("%d writes, more: %t, later: %s", len(next.Writes), next.More, next.RetryAt)
	}
	var all []*discoveryv1.EndpointSlice
	for _, write := range next.Writes {
		write.Slice.Name = "machines-" + fmt.Sprint(len(all))
		all = append(all, write.Slice)
	}
	return all
}

// checkAddresses compares the addresses to which a node routes port "http".
func checkAddresses(t testing.TB, n *node, want []string) {
	t.Helper()
	var got []string
	n.Serves("http", func(socket consumers.Socket, _ bool) { got = append(got, socket.Address) })
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
}

package integration

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/internal/plantest/consumers"
	"github.com/external-workload/controller/test/faults"
)

// observers are the models of the consumers of one Service with the port http. They receive
// every write that a watch sees.
type observers struct {
	*site
	history  *faults.History
	observed int
	linkerd  *consumers.Destination
	client   *consumers.Client
	proxy    *consumers.KubeProxy
	existing map[string]consumers.Identity
}

// listen returns observers that read the site's slices from now on.
func listen(s *site) *observers {
	s.t.Helper()
	o := &observers{site: s, proxy: consumers.NewKubeProxy(discoveryv1.AddressTypeIPv4, "")}
	o.linkerd = consumers.NewDestination(o.lookup, "http")
	o.client = o.linkerd.Subscribe("http", "")
	var err error
	if o.history, err = faults.Record(s.t.Context(), s.plane.AdminConfig(), s.namespace); err != nil {
		s.t.Fatal(err)
	}
	return o
}

// lookup finds a workload in its state after the whole change.
func (o *observers) lookup(_, name string) (consumers.Identity, bool) {
	identity, exists := o.existing[name]
	return identity, exists
}

// hear notifies the models of all writes since the last call, and calls check after each
// write. It returns the number of writes.
func (o *observers) hear(t *testing.T, check func(write string)) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := o.history.CatchUp(ctx, o.core.DiscoveryV1(), o.namespace); err != nil {
		t.Fatal(err)
	}
	o.existing = o.identities()
	writes := o.history.Since(o.observed)
	o.observed += len(writes)
	for number, write := range writes {
		o.linkerd.Observe(write.Before, write.After)
		o.proxy.Observe(write.Before, write.After)
		check(fmt.Sprintf("write %d of %d (%s)", number+1, len(writes), describe(write)))
	}
	return len(writes)
}

// identities returns the expected identity of each existing workload.
func (o *observers) identities() map[string]consumers.Identity {
	o.t.Helper()
	list, err := o.workloads.WorkloadV1beta1().ExternalWorkloads(o.namespace).List(o.t.Context(), metav1.ListOptions{})
	if err != nil {
		o.t.Fatal(err)
	}
	identities := map[string]consumers.Identity{}
	for i := range list.Items {
		mesh := list.Items[i].Spec.MeshTLS
		identities[list.Items[i].Name] = consumers.Identity{Name: mesh.Identity, ServerName: mesh.ServerName}
	}
	return identities
}

// expects returns the sockets of Linkerd's clients, each with the identity that they expect.
func (o *observers) expects() map[string][]string {
	all := map[string][]string{}
	add := func(who string, socket consumers.Socket, identity consumers.Identity) {
		all[who] = append(all[who], fmt.Sprintf("%s is %s (%s)", socket, identity.Name, identity.ServerName))
	}
	for socket, identity := range o.client.Has() {
		add("a connected client of Linkerd", socket, identity)
	}
	o.linkerd.Fresh("http", func(socket consumers.Socket, identity consumers.Identity) {
		add("a new client of Linkerd", socket, identity)
	})
	for _, sockets := range all {
		slices.Sort(sockets)
	}
	return all
}

// served returns the sockets to which each kind of client connects.
func (o *observers) served() map[string][]string {
	all := map[string][]string{}
	add := func(who string, socket consumers.Socket) { all[who] = append(all[who], socket.String()) }
	for socket := range o.client.Has() {
		add("a connected client of Linkerd", socket)
	}
	o.linkerd.Fresh("http", func(socket consumers.Socket, _ consumers.Identity) { add("a new client of Linkerd", socket) })
	o.proxy.Serves("http", func(socket consumers.Socket, _ bool) { add("kube-proxy", socket) })
	for _, who := range observerNames {
		slices.Sort(all[who])
		all[who] = slices.Compact(all[who])
	}
	return all
}

var observerNames = []string{"a connected client of Linkerd", "a new client of Linkerd", "kube-proxy"}

func describe(write faults.SliceChange) string {
	switch {
	case write.Before == nil:
		return "create " + lineOf(write.After)
	case write.After == nil:
		return "delete " + lineOf(write.Before)
	default:
		return "update " + lineOf(write.Before) + " -> " + lineOf(write.After)
	}
}

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

// observers is the models of the consumers of one Service, with one port named
// http, fed with every write that a watch saw.
type observers struct {
	*site
	history  *faults.History
	observed int
	linkerd  *consumers.Destination
	client   *consumers.Client
	proxy    *consumers.KubeProxy
	existing map[string]consumers.Identity
}

// listen lets an observers read the site's slices from now on.
func listen(s *site) *observers {
	s.t.Helper()
	a := &observers{site: s, proxy: consumers.NewKubeProxy(discoveryv1.AddressTypeIPv4, "")}
	a.linkerd = consumers.NewDestination(a.lookup, "http")
	a.client = a.linkerd.Subscribe("http", "")
	var err error
	if a.history, err = faults.Record(s.t.Context(), s.plane.AdminConfig(), s.namespace); err != nil {
		s.t.Fatal(err)
	}
	return a
}

// lookup finds a workload as it is after a whole change.
func (a *observers) lookup(_, name string) (consumers.Identity, bool) {
	identity, exists := a.existing[name]
	return identity, exists
}

// hear notifies the models of all writes since the last call, and calls check
// after each of them. It returns how many there were.
func (a *observers) hear(t *testing.T, check func(write string)) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := a.history.CatchUp(ctx, a.core.DiscoveryV1(), a.namespace); err != nil {
		t.Fatal(err)
	}
	a.existing = a.identities()
	writes := a.history.Since(a.observed)
	a.observed += len(writes)
	for number, write := range writes {
		a.linkerd.Observe(write.Before, write.After)
		a.proxy.Observe(write.Before, write.After)
		check(fmt.Sprintf("write %d of %d (%s)", number+1, len(writes), describe(write)))
	}
	return len(writes)
}

// identities returns what a client expects of each workload that there is.
func (a *observers) identities() map[string]consumers.Identity {
	a.t.Helper()
	list, err := a.workloads.WorkloadV1beta1().ExternalWorkloads(a.namespace).List(a.t.Context(), metav1.ListOptions{})
	if err != nil {
		a.t.Fatal(err)
	}
	identities := map[string]consumers.Identity{}
	for i := range list.Items {
		mesh := list.Items[i].Spec.MeshTLS
		identities[list.Items[i].Name] = consumers.Identity{Name: mesh.Identity, ServerName: mesh.ServerName}
	}
	return identities
}

// expects returns the sockets that Linkerd's clients have, each with the identity
// that they expect there.
func (a *observers) expects() map[string][]string {
	all := map[string][]string{}
	add := func(who string, socket consumers.Socket, identity consumers.Identity) {
		all[who] = append(all[who], fmt.Sprintf("%s is %s (%s)", socket, identity.Name, identity.ServerName))
	}
	for socket, identity := range a.client.Has() {
		add("a connected client of Linkerd", socket, identity)
	}
	a.linkerd.Fresh("http", func(socket consumers.Socket, identity consumers.Identity) {
		add("a new client of Linkerd", socket, identity)
	})
	for _, sockets := range all {
		slices.Sort(sockets)
	}
	return all
}

// served returns the addresses and ports to which each kind of client connects.
func (a *observers) served() map[string][]string {
	all := map[string][]string{}
	add := func(who string, socket consumers.Socket) { all[who] = append(all[who], socket.String()) }
	for socket := range a.client.Has() {
		add("a connected client of Linkerd", socket)
	}
	a.linkerd.Fresh("http", func(socket consumers.Socket, _ consumers.Identity) { add("a new client of Linkerd", socket) })
	a.proxy.Serves("http", func(socket consumers.Socket, _ bool) { add("kube-proxy", socket) })
	for _, who := range audienceNames {
		slices.Sort(all[who])
		all[who] = slices.Compact(all[who])
	}
	return all
}

var audienceNames = []string{"a connected client of Linkerd", "a new client of Linkerd", "kube-proxy"}

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

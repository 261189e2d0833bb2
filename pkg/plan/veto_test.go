package plan

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// decided is an endpoint of a slice and the decision for it alone.
type decided struct {
	slice, workload, address string
	ready                    bool
	action                   Action
	reason                   Reason
	// added is true for an endpoint that is not in the slice yet.
	added bool
	// port is the slice's port; 8080 if it is zero.
	port int32
	// family is 0 for the Service's first address family and 1 for its second.
	family int
	ports  portChange
}

// decidedDraft is a draft with these endpoints, in which nothing else happens.
// Endpoints of one workload are the same target.
func decidedDraft(all ...decided) *draft {
	d := &draft{desired: &desired.State{
		Service:   &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}},
		OneFamily: true,
		Families:  make([]desired.Family, 2),
	}}
	targets := map[string]*target{}
	for _, e := range all {
		s := d.sliceNamed(e)
		if t := targets[e.workload]; t == nil {
			targets[e.workload] = &target{Endpoint: &desired.Endpoint{
				Workload: &desired.Workload{Namespace: "shop", Name: e.workload}, Address: e.address, Group: s.group, Ready: e.action != Set,
			}}
		}
		made := endpoint{target: targets[e.workload], ready: e.ready, action: e.action, reason: e.reason}
		if e.added {
			s.added = append(s.added, made)
			continue
		}
		made.actual = &discoveryv1.Endpoint{
			Addresses: []string{e.address},
			TargetRef: &corev1.ObjectReference{Kind: workloadKind, Namespace: "shop", Name: e.workload},
		}
		s.endpoints = append(s.endpoints, made)
	}
	d.endpoints = make([]endpoint, len(all))
	return d
}

// sliceNamed is the slice of an endpoint, and the ports of its group.
func (d *draft) sliceNamed(e decided) *slice {
	for i := range d.slices {
		if d.slices[i].actual.Name == e.slice {
			return &d.slices[i]
		}
	}
	ports := desired.Ports{{Port: new(max(e.port, 8080)), Protocol: new(corev1.ProtocolTCP)}}
	family := &d.desired.Families[e.family]
	family.Groups = append(family.Groups, ports)
	object := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: e.slice}, Ports: ports}
	d.slices = append(d.slices, slice{actual: object, family: e.family, group: int32(len(family.Groups) - 1), ports: e.ports})
	return &d.slices[len(d.slices)-1]
}

// lines formats vetoes like the changes of a plan.
func lines(vetoes []veto) []string {
	var texts []string
	for _, v := range vetoes {
		texts = append(texts, fmt.Sprintf("%s %s: %s", v.action, v.endpoint.target.Workload.Name, v.reason))
	}
	return texts
}

// vetoCase is the decision for each endpoint alone, and the vetoes.
type vetoCase struct {
	decided []decided
	want    []string
}

func checkVetoes(t *testing.T, cases map[string]vetoCase, vetoes func(*draft) []veto) {
	t.Helper()
	for sentence, row := range cases {
		t.Run(sentence, func(t *testing.T) {
			if diff := cmp.Diff(row.want, lines(vetoes(decidedDraft(row.decided...)))); diff != "" {
				t.Errorf("vetoes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVetoPublications(t *testing.T) {
	publish := decided{slice: "s1", workload: "a", address: "192.0.2.1", action: Publish, reason: New, added: true}
	checkVetoes(t, map[string]vetoCase{
		"an endpoint that replaces none is published at once": {decided: []decided{
			publish, {slice: "s2", workload: "b", address: "192.0.2.2", ready: true, action: Keep},
		}},
		"an endpoint whose copy is removed by another write waits for that write": {
			decided: []decided{publish, {slice: "s2", workload: "a", address: "192.0.2.1", ready: true, action: Remove, reason: BelongsElsewhere}},
			want:    []string{"publish a: takes the place of an endpoint of another slice"},
		},
		"an endpoint whose copy stays waits for a later step": {
			decided: []decided{publish, {slice: "s2", workload: "a", address: "192.0.2.1", ready: true, action: Keep}},
			want:    []string{"keep a: waits for the withdrawal of the endpoint that it replaces"},
		},
		"an endpoint whose copy was withdrawn before is published at once": {decided: []decided{
			publish, {slice: "s2", workload: "a", address: "192.0.2.1", action: Remove, reason: BelongsElsewhere},
		}},
		"an endpoint at the address and port of another workload that is withdrawn waits for that write": {
			decided: []decided{publish, {slice: "s2", workload: "b", address: "192.0.2.1", ready: true, action: Withdraw, reason: AddressChanged}},
			want:    []string{"publish a: takes the place of an endpoint of another slice"},
		},
		"an endpoint at the address and port of another workload that stays waits for a later step": {
			decided: []decided{publish, {slice: "s2", workload: "b", address: "192.0.2.1", ready: true, action: Keep}},
			want:    []string{"keep a: waits for the withdrawal of the endpoint that it replaces"},
		},
		"an endpoint at the address of another workload but with another port is published at once": {decided: []decided{
			publish, {slice: "s2", workload: "b", address: "192.0.2.1", ready: true, action: Keep, port: 9090},
		}},
		"the other family of the same workload may stay": {decided: []decided{
			publish, {slice: "s2", workload: "a", address: "2001:db8::1", ready: true, action: Keep, family: 1},
		}},
		"a replacement in a slice whose ports may change is left to a later step": {
			decided: []decided{publish, {slice: "s2", workload: "b", address: "192.0.2.1", ready: true, action: Withdraw, reason: PortsChanged, ports: portsWait}},
			want:    []string{"keep a: waits for the withdrawal of the endpoint that it replaces"},
		},
	}, func(d *draft) []veto {
		vetoes, _ := d.vetoPublications()
		return vetoes
	})
}

func TestVetoMixedWrites(t *testing.T) {
	replacement := []decided{
		{slice: "s1", workload: "a", address: "192.0.2.1", action: Publish, reason: New, added: true},
		{slice: "s2", workload: "a", address: "192.0.2.1", ready: true, action: Remove, reason: BelongsElsewhere},
	}
	beside := func(e decided) []decided { return append(replacement[:2:2], e) }
	checkVetoes(t, map[string]vetoCase{
		"a publication that waits for another write may be alone in its own": {decided: replacement},
		"together with a withdrawal it is left to a later step": {
			decided: beside(decided{slice: "s1", workload: "b", address: "192.0.2.2", ready: true, action: Withdraw, reason: AddressChanged}),
			want:    []string{"keep a: waits for the other changes of its slice"},
		},
		"together with a publication that does not wait it is left to a later step": {
			decided: beside(decided{slice: "s1", workload: "b", address: "192.0.2.2", action: Publish, reason: BecameReady}),
			want:    []string{"keep a: waits for the other changes of its slice"},
		},
		"together with an endpoint without traffic it may stay": {
			decided: beside(decided{slice: "s1", workload: "b", address: "192.0.2.2", action: Set, reason: PropertiesChanged}),
		},
		"another slice's withdrawal is no reason to wait": {
			decided: beside(decided{slice: "s3", workload: "b", address: "192.0.2.2", ready: true, action: Withdraw, reason: AddressChanged}),
		},
	}, func(d *draft) []veto {
		vetoes, waiting := d.vetoPublications()
		apply(vetoes)
		return d.vetoMixedWrites(waiting)
	})
}

func TestVetoPortChanges(t *testing.T) {
	begins := func(slice, workload, address string) decided {
		return decided{slice: slice, workload: workload, address: address, ready: true, action: Withdraw, reason: PortsChanged, ports: portsWait}
	}
	checkVetoes(t, map[string]vetoCase{
		"one slice may begin": {decided: []decided{begins("s1", "a", "192.0.2.1")}},
		"of two slices only the first may begin": {
			decided: []decided{begins("s1", "a", "192.0.2.1"), begins("s2", "b", "192.0.2.2"), begins("s2", "c", "192.0.2.3")},
			want:    []string{"keep b: waits for the ports of its slice", "keep c: waits for the ports of its slice"},
		},
		"none may begin while another publishes with its new ports": {
			decided: []decided{
				{slice: "s0", workload: "z", address: "192.0.2.9", action: Publish, reason: BecameReady, ports: portsSwitch},
				begins("s1", "a", "192.0.2.1"),
			},
			want: []string{"keep a: waits for the ports of its slice"},
		},
		"a slice that switches without publishing blocks no other": {decided: []decided{
			{slice: "s0", workload: "z", address: "192.0.2.9", action: Set, reason: PropertiesChanged, ports: portsSwitch},
			begins("s1", "a", "192.0.2.1"),
		}},
		"an endpoint withdrawn for another reason stays withdrawn": {decided: []decided{
			begins("s1", "a", "192.0.2.1"),
			{slice: "s2", workload: "b", address: "192.0.2.2", ready: true, action: Withdraw, reason: BecameUnready, ports: portsWait},
		}},
	}, (*draft).vetoPortChanges)
}

func TestVetoLoss(t *testing.T) {
	departs := decided{slice: "s1", workload: "a", address: "192.0.2.1", ready: true, action: Remove, reason: NotDesired}
	stays := func(slice, workload, address string) decided {
		return decided{slice: slice, workload: workload, address: address, ready: true, action: Keep}
	}
	otherPort, otherFamily := stays("s2", "b", "192.0.2.1"), stays("s2", "a", "2001:db8::1")
	otherPort.port, otherFamily.family = 9090, 1
	checkVetoes(t, map[string]vetoCase{
		"an endpoint at another address stays": {decided: []decided{departs, stays("s2", "b", "192.0.2.2")}},
		"another workload at the address and port that departs is withdrawn": {
			decided: []decided{departs, stays("s2", "b", "192.0.2.1")},
			want:    []string{"withdraw b: clients lose it together with another endpoint"},
		},
		"another workload at the address but with another port stays": {decided: []decided{departs, otherPort}},
		"the other family is withdrawn where one family is ready": {
			decided: []decided{departs, otherFamily},
			want:    []string{"withdraw a: clients lose it together with another endpoint"},
		},
		"a lost endpoint causes the loss of others": {
			decided: []decided{departs, otherFamily, func() decided {
				e := stays("s2", "c", "2001:db8::1")
				e.family = 1
				return e
			}()},
			want: []string{
				"withdraw a: clients lose it together with another endpoint",
				"withdraw c: clients lose it together with another endpoint",
			},
		},
		"without a departure nothing is lost": {decided: []decided{stays("s1", "a", "192.0.2.1"), stays("s2", "b", "192.0.2.1")}},
	}, (*draft).vetoLoss)
}

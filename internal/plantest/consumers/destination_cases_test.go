package consumers_test

import discoveryv1 "k8s.io/api/discovery/v1"

type observation struct {
	sent   string // to an open client, by the change
	client string // the state of that client afterwards
	fresh  string // what a client receives that subscribes afterwards
}

type destinationCase struct {
	given  func(*observed)
	change func(*observed)
	want   observation
}

// readyA is the start of most cases: workload "one" at A in slice "s1".
func readyA(o *observed) { o.write(newSlice("s1", newEndpoint("one", addressA))) }

func nothing(*observed) {}

// writes returns a step that makes these writes in order.
func writes(written ...*discoveryv1.EndpointSlice) func(*observed) {
	return func(o *observed) {
		for _, slice := range written {
			o.write(slice)
		}
	}
}

var destinationCases = map[string]destinationCase{
	"address A to B in place": {
		given:  readyA,
		change: writes(newSlice("s1", newEndpoint("one", addressB))),
		want:   observation{"", socketA + " id-1", socketB + " id-1"},
	},
	"address A to B in place, then the endpoint is taken out": {
		given:  writes(newSlice("s1", newEndpoint("one", addressA)), newSlice("s1", newEndpoint("one", addressB))),
		change: writes(newSlice("s1")),
		want:   observation{"REMOVE " + socketB, socketA + " id-1", ""},
	},
	"port 8080 to 9090 in place": {
		given:  readyA,
		change: writes(newSlice("s1", []discoveryv1.EndpointPort{newPort("http", 9090)}, newEndpoint("one", addressA))),
		want:   observation{"", socketA + " id-1", "192.0.2.1:9090 id-1"},
	},
	"identity changed, slice not written": {
		given:  readyA,
		change: func(o *observed) { o.identities["one"] = "id-new" },
		want:   observation{"", socketA + " id-1", socketA + " id-1"},
	},
	"identity changed, slice only annotated": {
		given: readyA,
		change: func(o *observed) {
			o.identities["one"] = "id-new"
			annotated := newSlice("s1", newEndpoint("one", addressA))
			annotated.Annotations = map[string]string{"touched": "yes"}
			o.write(annotated)
		},
		want: observation{"", socketA + " id-1", socketA + " id-new"},
	},
	"identity changed, hints changed in the same write": {
		given: readyA,
		change: func(o *observed) {
			o.identities["one"] = "id-new"
			o.write(newSlice("s1", newEndpoint("one", addressA, hint("west"))))
		},
		want: observation{"ADD " + socketA, socketA + " id-new", socketA + " id-new"},
	},
	"address changed, hints changed in the same write": {
		given:  readyA,
		change: writes(newSlice("s1", newEndpoint("one", addressB, hint("west")))),
		want:   observation{"ADD " + socketB, socketA + " id-1, " + socketB + " id-1", socketB + " id-1"},
	},
	"targetRef.uid changed, address changed, in place": {
		given:  readyA,
		change: writes(newSlice("s1", newEndpoint("one", addressB, otherUID))),
		want:   observation{"", socketA + " id-1", socketB + " id-1"},
	},
	"targetRef.name and address changed, in one write": {
		given:  readyA,
		change: writes(newSlice("s1", newEndpoint("two", addressB))),
		want:   observation{"ADD " + socketB + ", REMOVE " + socketA, socketB + " id-2", socketB + " id-2"},
	},
	"endpoint taken out, then B ready, two writes of one slice": {
		given:  readyA,
		change: writes(newSlice("s1"), newSlice("s1", newEndpoint("one", addressB))),
		want:   observation{"REMOVE " + socketA + ", ADD " + socketB, socketB + " id-1", socketB + " id-1"},
	},
	"endpoint ready false, then B ready, two writes of one slice": {
		given:  readyA,
		change: writes(newSlice("s1", newEndpoint("one", addressA, notReady)), newSlice("s1", newEndpoint("one", addressB))),
		want:   observation{"REMOVE " + socketA + ", ADD " + socketB, socketB + " id-1", socketB + " id-1"},
	},
	"new slice with B created, then the old slice deleted": {
		given: readyA,
		change: func(o *observed) {
			o.write(newSlice("s2", newEndpoint("one", addressB)))
			o.delete("s1")
		},
		want: observation{"REMOVE " + socketB, socketA + " id-1", ""},
	},
	"old slice deleted, then new slice with B created": {
		given: readyA,
		change: func(o *observed) {
			o.delete("s1")
			o.write(newSlice("s2", newEndpoint("one", addressB)))
		},
		want: observation{"REMOVE " + socketA + ", ADD " + socketB, socketB + " id-1", socketB + " id-1"},
	},
	"endpoint added to slice 2, then removed from slice 1": {
		given:  readyA,
		change: writes(newSlice("s2", newEndpoint("one", addressA)), newSlice("s1")),
		want:   observation{"REMOVE " + socketA, "", ""},
	},
	"endpoint added to slice 2, then removed from slice 1, then slice 2 touched": {
		given:  writes(newSlice("s1", newEndpoint("one", addressA)), newSlice("s2", newEndpoint("one", addressA)), newSlice("s1")),
		change: writes(newSlice("s2", newEndpoint("one", addressA))),
		want:   observation{"ADD " + socketA, socketA + " id-1", socketA + " id-1"},
	},
	"removed from slice 1, then added to slice 2": {
		given:  readyA,
		change: writes(newSlice("s1"), newSlice("s2", newEndpoint("one", addressA))),
		want:   observation{"REMOVE " + socketA + ", ADD " + socketA, socketA + " id-1", socketA + " id-1"},
	},
	"ExternalWorkload deleted, then its slice deleted": {
		given: readyA,
		change: func(o *observed) {
			delete(o.identities, "one")
			o.delete("s1")
		},
		want: observation{"", socketA + " id-1", socketA + " id-1"},
	},
	"ExternalWorkload deleted, then its slice emptied by update, then deleted": {
		given: readyA,
		change: func(o *observed) {
			delete(o.identities, "one")
			o.write(newSlice("s1"))
			o.delete("s1")
		},
		want: observation{"REMOVE " + socketA, "", ""},
	},
	"two workloads with one address; one is removed": {
		given:  writes(newSlice("s1", newEndpoint("one", addressA), newEndpoint("two", addressA))),
		change: writes(newSlice("s1", newEndpoint("two", addressA))),
		want:   observation{"REMOVE " + socketA, "", socketA + " id-2"},
	},
	"one address goes from workload 1 to workload 2 in one write": {
		given:  readyA,
		change: writes(newSlice("s1", newEndpoint("two", addressA))),
		want:   observation{"ADD " + socketA + ", REMOVE " + socketA, "", socketA + " id-2"},
	},
	"one address goes from workload 1 to workload 2 in two writes, none between": {
		given:  readyA,
		change: writes(newSlice("s1"), newSlice("s1", newEndpoint("two", addressA))),
		want:   observation{"REMOVE " + socketA + ", ADD " + socketA, socketA + " id-2", socketA + " id-2"},
	},
	"dual stack: IPv4 slice, then IPv6 slice": {
		given:  readyA,
		change: writes(newSlice("s6", discoveryv1.AddressTypeIPv6, newEndpoint("one", address6))),
		want:   observation{"", socketA + " id-1", socket6 + " id-1"},
	},
	"dual stack: then the IPv6 endpoint is taken out": {
		given: writes(
			newSlice("s1", newEndpoint("one", addressA)),
			newSlice("s6", discoveryv1.AddressTypeIPv6, newEndpoint("one", address6))),
		change: writes(newSlice("s6", discoveryv1.AddressTypeIPv6)),
		want:   observation{"REMOVE " + socket6, socketA + " id-1", ""},
	},
	"dual stack: then the IPv4 slice is touched": {
		given: writes(
			newSlice("s1", newEndpoint("one", addressA)),
			newSlice("s6", discoveryv1.AddressTypeIPv6, newEndpoint("one", address6)),
			newSlice("s6", discoveryv1.AddressTypeIPv6)),
		change: writes(newSlice("s1", newEndpoint("one", addressA))),
		want:   observation{"ADD " + socketA, socketA + " id-1", socketA + " id-1"},
	},
	"ready nil is ready, serving and terminating are not read": {
		given:  nothing,
		change: writes(newSlice("s1", newEndpoint("one", addressA, conditions(true, false, true), unsetReady))),
		want:   observation{"ADD " + socketA, socketA + " id-1", socketA + " id-1"},
	},
	"ports [] removes": {
		given:  readyA,
		change: writes(newSlice("s1", []discoveryv1.EndpointPort{}, newEndpoint("one", addressA))),
		want:   observation{"REMOVE " + socketA, "", ""},
	},
	"two addresses in an endpoint: the last counts": {
		given: nothing,
		change: writes(newSlice("s1", newEndpoint("one", addressA, func(endpoint *discoveryv1.Endpoint) {
			endpoint.Addresses = append(endpoint.Addresses, addressB)
		}))),
		want: observation{"ADD " + socketB, socketB + " id-1", socketB + " id-1"},
	},
	"no targetRef: served without TLS identity": {
		given:  nothing,
		change: writes(newSlice("s1", newEndpoint("one", addressA, withoutTarget))),
		want:   observation{"ADD " + socketA, socketA + " ", socketA + " "},
	},
	"no targetRef.namespace: never removed again": {
		given:  writes(newSlice("s1", newEndpoint("one", addressA, withoutTargetNamespace))),
		change: writes(newSlice("s1")),
		want:   observation{"", socketA + " id-1", socketA + " id-1"},
	},
	"ExternalWorkload not yet in its cache: dropped": {
		given:  nothing,
		change: writes(newSlice("s1", newEndpoint("three", addressA))),
		want:   observation{"", "", ""},
	},
	"ExternalWorkload not yet in its cache: healed by any later write": {
		given: writes(newSlice("s1", newEndpoint("three", addressA))),
		change: func(o *observed) {
			o.identities["three"] = "id-3"
			o.write(newSlice("s1", newEndpoint("three", addressA)))
		},
		want: observation{"ADD " + socketA, socketA + " id-3", socketA + " id-3"},
	},
}

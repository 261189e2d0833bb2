package main

import (
	"testing"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
)

func TestHoldRegardsAnObjectThatExists(t *testing.T) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: "mesh-vms", Name: "lease", UID: "uid-of-lease"}}
	for name, test := range map[string]struct {
		election bool
		stored   []runtime.Object
		pod      string
		kind     any
		uid      string
	}{
		"the Lease":                       {election: true, stored: []runtime.Object{lease}, pod: "pod", kind: &coordinationv1.Lease{}, uid: "uid-of-lease"},
		"the Lease by name, if not found": {election: true, kind: &coordinationv1.Lease{}},
		"the Pod without leader election": {pod: "pod", kind: &corev1.Pod{}, uid: "uid-of-pod"},
		"nothing outside of a cluster":    {},
		"the Lease rather than the Pod":   {election: true, pod: "pod", kind: &coordinationv1.Lease{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(podNameVariable, test.pod)
			t.Setenv(podNamespaceVariable, "mesh-vms")
			t.Setenv(podUIDVariable, "uid-of-pod")
			o := &options{election: electionOptions{enabled: test.election, name: "lease", namespace: "mesh-vms"}}
			got := holdRegarding(o, &clients{ungated: fake.NewSimpleClientset(test.stored...)})(t.Context())
			switch of := got.(type) {
			case nil:
				if test.kind != nil {
					t.Errorf("nothing, want %T", test.kind)
				}
			case *coordinationv1.Lease:
				if _, wanted := test.kind.(*coordinationv1.Lease); !wanted || string(of.UID) != test.uid || of.Name != "lease" || of.Namespace != "mesh-vms" {
					t.Errorf("a Lease %+v, want %T of UID %q", of.ObjectMeta, test.kind, test.uid)
				}
			case *corev1.Pod:
				if _, wanted := test.kind.(*corev1.Pod); !wanted || string(of.UID) != test.uid || of.Name != test.pod {
					t.Errorf("a Pod %+v, want %T of UID %q", of.ObjectMeta, test.kind, test.uid)
				}
			}
		})
	}
}

func TestHoldMaximumIsADurationOrUnlimited(t *testing.T) {
	for text, want := range map[string]string{"10m": "10m0s", "0": "0s", "0s": "0s", "unlimited": "unlimited", "for ever": "", "10": ""} {
		var maximum holdMaximum
		err := maximum.Set(text)
		if (err == nil) != (want != "") || err == nil && maximum.String() != want {
			t.Errorf("%q is %s (error %v), want %q", text, maximum.String(), err, want)
		}
	}
}

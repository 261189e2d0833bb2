package selftest

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/utils/ptr"

	workloadfake "github.com/external-workload/controller/pkg/generated/clientset/versioned/fake"
)

const address = "192.0.2.1"

// endpoint returns a slice with one endpoint.
func endpoint(address string, ready *bool) discoveryv1.EndpointSlice {
	return discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{
		Addresses: []string{address}, Conditions: discoveryv1.EndpointConditions{Ready: ready},
	}}}
}

// placeholder is the slice that Kubernetes creates for each Service with a selector that
// selects no Pod. Its addressType is that of the Service's first family.
func placeholder() discoveryv1.EndpointSlice {
	return discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Labels: map[string]string{discoveryv1.LabelManagedBy: "endpointslice-controller.k8s.io"}},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
}

// cluster publishes the slices for the requested Service, from a time after the first
// request on.
func cluster(slices []discoveryv1.EndpointSlice, after time.Duration) *fake.Clientset {
	core := fake.NewClientset()
	var first time.Time
	core.PrependReactor("list", "endpointslices", func(action clienttesting.Action) (bool, runtime.Object, error) {
		if first.IsZero() {
			first = time.Now()
		}
		list := &discoveryv1.EndpointSliceList{}
		if time.Since(first) >= after {
			selector := action.(clienttesting.ListAction).GetListRestrictions().Labels
			service, _ := selector.RequiresExactMatch(discoveryv1.LabelServiceName)
			for _, slice := range slices {
				slice.Labels = labels.Merge(slice.Labels, labels.Set{discoveryv1.LabelServiceName: service})
				list.Items = append(list.Items, slice)
			}
		}
		return true, list, nil
	})
	return core
}

func TestRun(t *testing.T) {
	for name, tc := range map[string]struct {
		slices []discoveryv1.EndpointSlice
		ready  bool
		want   string // in the error; empty for none
	}{
		"a ready endpoint passes":                     {[]discoveryv1.EndpointSlice{endpoint(address, ptr.To(true))}, true, ""},
		"an unready endpoint passes if that suffices": {[]discoveryv1.EndpointSlice{endpoint(address, ptr.To(false))}, false, ""},
		"an unready endpoint fails if it must be ready": {
			[]discoveryv1.EndpointSlice{endpoint(address, ptr.To(false))}, true, "not ready",
		},
		"no slice fails": {nil, false, "no EndpointSlice"},
		"Kubernetes' own placeholder is no slice of the controller": {
			[]discoveryv1.EndpointSlice{placeholder()}, false, "no EndpointSlice",
		},
		"Kubernetes' own placeholder beside a ready endpoint passes": {
			[]discoveryv1.EndpointSlice{placeholder(), endpoint(address, ptr.To(true))}, true, "",
		},
		"a slice with another endpoint fails": {
			[]discoveryv1.EndpointSlice{endpoint("192.0.2.2", ptr.To(true))}, false, "lack the workload",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				core, workloads := cluster(tc.slices, 3*time.Second), workloadfake.NewSimpleClientset()
				var out bytes.Buffer
				err := Run(t.Context(), core, workloads, Options{"test", address, time.Minute, tc.ready}, &out)
				switch {
				case tc.want == "" && (err != nil || !strings.Contains(out.String(), "after 3000 ms")):
					t.Errorf("error %v, output %q", err, out.String())
				case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
					t.Errorf("error %v, want one with %q", err, tc.want)
				}
				nothingIsLeft(t, core, workloads)
			})
		})
	}
}

func TestRunCleansUpWhenItIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		core, workloads := cluster(nil, 0), workloadfake.NewSimpleClientset()
		if err := Run(ctx, core, workloads, Options{"test", address, time.Minute, true}, io.Discard); err == nil {
			t.Error("passed although it was cancelled")
		}
		nothingIsLeft(t, core, workloads)
	})
}

func nothingIsLeft(t *testing.T, core *fake.Clientset, workloads *workloadfake.Clientset) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context())
	services, err := core.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil || len(services.Items) > 0 {
		t.Errorf("Services left: %d, %v", len(services.Items), err)
	}
	left, err := workloads.WorkloadV1beta1().ExternalWorkloads(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil || len(left.Items) > 0 {
		t.Errorf("ExternalWorkloads left: %d, %v", len(left.Items), err)
	}
}

func TestTheWorkloadIsSelectedAndDeclaredReady(t *testing.T) {
	service := newService()
	workload := newWorkload(service.Name, Options{Address: address, Ready: true})
	for label, want := range service.Spec.Selector {
		if workload.Labels[label] != want {
			t.Errorf("the workload's label %s is %q, the Service selects %q", label, workload.Labels[label], want)
		}
	}
	if got := workload.Annotations["external-workload.io/ready"]; got != "True" {
		t.Errorf("declared ready as %q", got)
	}
}

func TestArguments(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string // in the error; empty for none
	}{
		"the chart's arguments": {[]string{"--namespace=shop", "--address=192.0.2.1", "--timeout=60s", "--ready=true"}, ""},
		"an IPv6 address":       {[]string{"--address=2001:db8::1"}, ""},
		"no namespace":          {[]string{"--namespace="}, "--namespace"},
		"an invalid address":    {[]string{"--address=here"}, "--address"},
		"a timeout of 0":        {[]string{"--timeout=0s"}, "--timeout"},
		"an unknown flag":       {[]string{"--nope"}, "unknown flag"},
		"no arguments":          {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := parse(tc.args, io.Discard)
			if (tc.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

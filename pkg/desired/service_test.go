package desired_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/desired"
)

func TestServiceThatPublishesNothing(t *testing.T) {
	workloads := with(build.Workload("shop/a"))
	for sentence, service := range map[string]*corev1.Service{
		"a Service that does not exist":         nil,
		"a Service of type ExternalName":        build.Service("shop/web", build.Type(corev1.ServiceTypeExternalName)),
		"a Service without selector":            build.Service("shop/web", build.NoSelector()),
		"a Service whose selector has no terms": build.Service("shop/web", build.Selector()),
	} {
		t.Run(sentence, func(t *testing.T) {
			got := compute(service, workloads)
			if got.Service != nil || got.Labels != nil || len(got.Families) != 0 || len(got.Skipped) != 0 {
				t.Errorf("got %v with labels %v, want nothing", lines(got), got.Labels)
			}
		})
	}
}

func TestServiceThatPublishes(t *testing.T) {
	want := []string{"IPv4 a 192.0.2.1 http:8080/TCP ready serving"}
	workloads := with(build.Workload("shop/a"))
	check(t, map[string]row{
		"type ClusterIP":                  {build.Service("shop/web"), workloads, want},
		"no type, which is ClusterIP":     {build.Service("shop/web", build.Type("")), workloads, want},
		"type NodePort":                   {build.Service("shop/web", build.Type(corev1.ServiceTypeNodePort)), workloads, want},
		"type LoadBalancer":               {build.Service("shop/web", build.Type(corev1.ServiceTypeLoadBalancer)), workloads, want},
		"a Service without workloads":     {build.Service("shop/web"), nil, nil},
		"a Service that is being deleted": {build.Service("shop/web", build.Deleting()), workloads, want},
	})
}

func TestFamilies(t *testing.T) {
	both := with(build.Workload("shop/a", build.IPs("192.0.2.1", "2001:db8::1")))
	const four, six = "IPv4 a 192.0.2.1 http:8080/TCP ready serving", "IPv6 a 2001:db8::1 http:8080/TCP ready serving"
	check(t, map[string]row{
		"an IPv4 Service takes the IPv4 address":    {build.Service("shop/web"), both, []string{four}},
		"an IPv6 Service takes the IPv6 address":    {build.Service("shop/web", build.Families(corev1.IPv6Protocol)), both, []string{six}},
		"a dual-stack Service takes both, in order": {build.Service("shop/web", build.Families(corev1.IPv6Protocol, corev1.IPv4Protocol)), both, []string{six, four}},
		"a Service that names no family takes both": {build.Service("shop/web", build.Families()), both, []string{four, six}},
		"a workload of the other family only is skipped": {
			build.Service("shop/web", build.Families(corev1.IPv6Protocol)), with(build.Workload("shop/a")), []string{"skip a NoAddress"},
		},
		"a workload with one of two families is published in it and not skipped": {
			build.Service("shop/web", build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol)), with(build.Workload("shop/a")), []string{four},
		},
	})
}

func TestFamiliesWithoutEndpoints(t *testing.T) {
	got := compute(build.Service("shop/web", build.Families(corev1.IPv6Protocol, corev1.IPv4Protocol)), nil)
	var types []discoveryv1.AddressType
	for _, f := range got.Families {
		types = append(types, f.AddressType)
	}
	want := []discoveryv1.AddressType{discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeIPv4}
	if diff := cmp.Diff(want, types); diff != "" {
		t.Errorf("families differ (-want +got):\n%s", diff)
	}
}

func TestSliceLabels(t *testing.T) {
	reserved := []build.ObjectOption{
		build.Label(discoveryv1.LabelServiceName, "else"),
		build.Label(discoveryv1.LabelManagedBy, "else"),
		build.Label(corev1.IsHeadlessService, "else"),
	}
	for sentence, row := range map[string]struct {
		options []build.ServiceOption
		want    map[string]string
	}{
		"a Service without labels gives two": {
			want: map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "us"},
		},
		"the Service's own are copied": {
			options: []build.ServiceOption{build.Label("team", "red"), build.Label("empty", "")},
			want:    map[string]string{"team": "red", "empty": "", discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "us"},
		},
		"a headless Service's slices are marked with an empty value": {
			options: []build.ServiceOption{build.Headless()},
			want:    map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "us", corev1.IsHeadlessService: ""},
		},
		"the reserved three are not copied": {
			options: []build.ServiceOption{reserved[0], reserved[1], reserved[2]},
			want:    map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "us"},
		},
		"the reserved three are not copied from a headless Service either": {
			options: []build.ServiceOption{build.Headless(), reserved[0], reserved[1], reserved[2]},
			want:    map[string]string{discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: "us", corev1.IsHeadlessService: ""},
		},
	} {
		t.Run(sentence, func(t *testing.T) {
			var state desired.State
			state.Compute(build.Service("shop/web", row.options...), nil, desired.Options{ManagedBy: "us"})
			if diff := cmp.Diff(row.want, state.Labels); diff != "" {
				t.Errorf("labels differ (-want +got):\n%s", diff)
			}
		})
	}
}

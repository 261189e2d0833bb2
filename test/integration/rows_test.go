package integration

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/external-workload/controller/internal/apifake/behaviour"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

func TestTheFakeBehavesLikeTheServer(t *testing.T) {
	s := newIdleSite(t, sharedPlane(t))
	behaviour.Test(t, s.core, s.namespace)
}

// row is a Service with its expected slices. Each Service selects app=NAME.
type row struct {
	name    string
	service []build.ServiceOption
	// change, if set, changes fields of the Service for which there is no option.
	change func(*corev1.Service)
	// workload changes the workload with the Service's name.
	workload []build.WorkloadOption
	want     []string
}

var rows = []row{
	{
		name: "plain",
		want: []string{"IPv4 http:8080/TCP | plain 192.0.2.1"},
	},
	{
		name:    "unnamed-port",
		service: []build.ServiceOption{build.Ports(build.Port("", 80, build.ToNumber(8080)))},
		want:    []string{"IPv4 :8080/TCP | unnamed-port 192.0.2.1"},
	},
	{
		name:    "defaulted-port",
		service: []build.ServiceOption{build.Ports(corev1.ServicePort{Port: 8080})},
		want:    []string{"IPv4 :8080/TCP | defaulted-port 192.0.2.1"},
	},
	{
		name:    "named-target",
		service: []build.ServiceOption{build.Ports(corev1.ServicePort{Port: 80, TargetPort: intstr.FromString("http"), AppProtocol: new("kubernetes.io/h2c")})},
		want:    []string{"IPv4 :8080/TCP(kubernetes.io/h2c) | named-target 192.0.2.1"},
	},
	{
		name:    "one-number-two-protocols",
		service: []build.ServiceOption{build.Ports(build.Port("dns", 53), build.Port("dns-udp", 53, build.Over(corev1.ProtocolUDP)))},
		workload: []build.WorkloadOption{build.WorkloadPorts(
			build.WorkloadPort("dns", 53, corev1.ProtocolTCP), build.WorkloadPort("dns-udp", 53, corev1.ProtocolUDP))},
		want: []string{"IPv4 dns:53/TCP dns-udp:53/UDP | one-number-two-protocols 192.0.2.1"},
	},
	{
		name:     "dual-stack",
		service:  []build.ServiceOption{build.Families(corev1.IPv4Protocol, corev1.IPv6Protocol)},
		workload: []build.WorkloadOption{build.IPs("192.0.2.1", "2001:db8::1")},
		want:     []string{"IPv4 http:8080/TCP | dual-stack 192.0.2.1", "IPv6 http:8080/TCP | dual-stack 2001:db8::1"},
	},
	{
		name:     "family-by-default",
		service:  []build.ServiceOption{build.Families()},
		workload: []build.WorkloadOption{build.IPs("192.0.2.1", "2001:db8::1")},
		want:     []string{"IPv4 http:8080/TCP | family-by-default 192.0.2.1"},
	},
	{
		name:     "ipv6-only",
		service:  []build.ServiceOption{build.Families(corev1.IPv6Protocol)},
		workload: []build.WorkloadOption{build.IPs("2001:db8::1")},
		want:     []string{"IPv6 http:8080/TCP | ipv6-only 2001:db8::1"},
	},
	{
		name:    "headless",
		service: []build.ServiceOption{build.Headless()},
		want:    []string{"IPv4 http:8080/TCP | headless 192.0.2.1 as headless"},
	},
	{
		name:    "headless-without-ports",
		service: []build.ServiceOption{build.Headless(), build.Ports()},
		want:    []string{"IPv4 | headless-without-ports 192.0.2.1 as headless-without-ports"},
	},
	{
		name:    "external-name",
		service: []build.ServiceOption{build.Type(corev1.ServiceTypeExternalName), build.Families()},
		change:  func(service *corev1.Service) { service.Spec.ExternalName = "example.org" },
	},
	{
		name:    "without-selector",
		service: []build.ServiceOption{build.NoSelector()},
	},
	{
		name:     "not-ready",
		workload: []build.WorkloadOption{build.NotReady()},
		want:     []string{"IPv4 http:8080/TCP | not-ready 192.0.2.1 not ready"},
	},
	{
		name:     "publishes-not-ready",
		service:  []build.ServiceOption{build.PublishNotReady()},
		workload: []build.WorkloadOption{build.NotReady()},
		want:     []string{"IPv4 http:8080/TCP | publishes-not-ready 192.0.2.1 serving=false"},
	},
	{
		name:     "zone",
		workload: []build.WorkloadOption{build.Zone("z1")},
		want:     []string{"IPv4 http:8080/TCP | zone 192.0.2.1 in z1"},
	},
	{
		name:     "prefer-close",
		service:  []build.ServiceOption{build.Traffic(corev1.ServiceTrafficDistributionPreferClose)},
		workload: []build.WorkloadOption{build.Zone("z1")},
		want:     []string{"IPv4 http:8080/TCP | prefer-close 192.0.2.1 in z1 for [{z1}]"},
	},
	{
		name:     "prefer-same-node",
		service:  []build.ServiceOption{build.Traffic(corev1.ServiceTrafficDistributionPreferSameNode)},
		workload: []build.WorkloadOption{build.Zone("z1")},
		want:     []string{"IPv4 http:8080/TCP | prefer-same-node 192.0.2.1 in z1 for [{z1}]"},
	},
	{
		name:     "port-not-declared",
		workload: []build.WorkloadOption{build.WorkloadPorts()},
	},
}

// TestRows checks that the API server stores the slices of each kind of Service, and that a
// restarted controller writes nothing.
func TestRows(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	var created []row
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			s := s.within(t)
			options := []build.ServiceOption{build.Selector("app", row.name)}
			service := s.newService(row.name, append(options, row.service...)...)
			if row.change != nil {
				row.change(service)
			}
			if d := service.Spec.TrafficDistribution; d != nil {
				s.needTraffic(*d)
			}
			s.create(service)
			created = append(created, row)
			s.workload(row.name, append([]build.WorkloadOption{build.Label("app", row.name)}, row.workload...)...)
			s.waitFor(row.name, row.want...)
		})
	}
	t.Run("a restart writes nothing", func(t *testing.T) { s.within(t).testRestart(created) })
}

func (s *site) testRestart(rows []row) {
	s.stop()
	before := s.requests()
	s.start()
	defer s.stop()
	for _, row := range rows {
		s.eventually(row.name+" is synced", func() (bool, string) { return s.hasSynced(row.name), "" })
	}
	if got := s.sliceWrites(before); got != 0 {
		s.t.Errorf("a restart made %d writes", got)
	}
}

// TestDocumentedSlice compares a complete slice with the documentation.
func TestDocumentedSlice(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	service := s.service("web", build.Headless(), build.Label("team", "shop"))
	workload := s.workload("a", build.Zone("z1"))
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1 as a in z1")
	got := s.slicesOf("web")[0]
	want := discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			GenerateName: "linkerd-external-web-",
			Namespace:    s.namespace,
			Generation:   got.Generation,
			Labels: map[string]string{
				"team": "shop", discoveryv1.LabelServiceName: "web", discoveryv1.LabelManagedBy: build.ManagedBy, corev1.IsHeadlessService: "",
			},
			OwnerReferences: []metav1.OwnerReference{build.Owner("web", service.UID)},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{build.EndpointPort("http", 8080)},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses:  []string{"192.0.2.1"},
			Conditions: discoveryv1.EndpointConditions{Ready: new(true), Serving: new(true), Terminating: new(false)},
			Hostname:   new("a"),
			Zone:       new("z1"),
			TargetRef:  &corev1.ObjectReference{Kind: "ExternalWorkload", Namespace: s.namespace, Name: "a", UID: workload.UID},
		}},
	}
	ofTheServer := cmpopts.IgnoreFields(metav1.ObjectMeta{}, "Name", "UID", "ResourceVersion", "CreationTimestamp", "ManagedFields", "Annotations")
	if diff := cmp.Diff(want, got, ofTheServer); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got.Annotations[corev1.EndpointsLastChangeTriggerTime] == "" {
		t.Errorf("annotations are %v", got.Annotations)
	}
}

func TestWorkloadThatIsBeingDeleted(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	s.service("web")
	created := s.workload("a")
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
	client := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace)
	created.Finalizers = []string{"example.org/drain"}
	created, err := client.Update(t.Context(), created, metav1.UpdateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Delete(t.Context(), "a", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1 not ready serving=true terminating")
	if created, err = client.Get(t.Context(), created.Name, metav1.GetOptions{}); err != nil {
		t.Fatal(err)
	}
	created.Finalizers = nil
	if _, err := client.Update(t.Context(), created, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	s.waitFor("web")
}

func TestWorkloadThatIsDrainedByItsAnnotation(t *testing.T) {
	s := newSite(t, sharedPlane(t))
	s.service("web")
	s.workload("a")
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
	annotate := func(value string) {
		t.Helper()
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%s}}}`, v1beta1.DrainAnnotation, value)
		if _, err := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace).Patch(t.Context(), "a", types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	annotate(`"2026-11-25T12:00:00Z"`)
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1 not ready serving=true terminating")
	annotate(`null`)
	s.waitFor("web", "IPv4 http:8080/TCP | a 192.0.2.1")
}

// TestManyWorkloads fills slices and changes one of many endpoints.
func TestManyWorkloads(t *testing.T) {
	s := newIdleSite(t, sharedPlane(t))
	s.service("web")
	for i := range 250 {
		s.workload(fmt.Sprintf("vm-%03d", i), build.IPs(fmt.Sprintf("192.0.2.%d", i)))
	}
	created := time.Now()
	s.eventually("the workloads are so old that none is held", func() (bool, string) { return time.Since(created) > 2*time.Second, "" })
	before := s.requests()
	s.start()
	t.Cleanup(s.stop)
	s.eventually("250 endpoints are ready", func() (bool, string) {
		ready := 0
		for _, slice := range s.slices() {
			for _, e := range slice.Endpoints {
				if *e.Conditions.Ready {
					ready++
				}
			}
		}
		return ready == 250, fmt.Sprint(ready, " are")
	})
	s.mustHaveWritten(before, 3, "250 endpoints")

	before = s.requests()
	s.patchStatus("vm-007", `[{"type":"Ready","status":"True","lastProbeTime":"2026-01-01T00:00:00Z"}]`)
	s.setReady("vm-100", false)
	s.eventually("vm-100 is not ready", func() (bool, string) {
		for _, slice := range s.slices() {
			for _, e := range slice.Endpoints {
				if e.TargetRef.Name == "vm-100" {
					return !*e.Conditions.Ready, ""
				}
			}
		}
		return false, "it is nowhere"
	})
	s.mustHaveWritten(before, 1, "a heartbeat and one flip of 250")
}

package oracle

import (
	"fmt"
	"sort"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// makeService returns a Service web that selects app=web, IPv4 only, with port
// http, 80 to the target port 8080.
func makeService(change ...func(*corev1.Service)) corev1.Service {
	service := corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "service-uid"},
		Spec: corev1.ServiceSpec{
			Type:       corev1.ServiceTypeClusterIP,
			ClusterIP:  "10.96.0.10",
			Selector:   map[string]string{"app": "web"},
			IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
			Ports:      []corev1.ServicePort{{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromInt32(8080)}},
		},
	}
	for _, apply := range change {
		apply(&service)
	}
	return service
}

// makeWorkload returns a ready workload with the address and port 8080 named http.
func makeWorkload(name, ip string, change ...func(*v1beta1.ExternalWorkload)) v1beta1.ExternalWorkload {
	workload := v1beta1.ExternalWorkload{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: types.UID(name + "-uid"),
			Labels:            map[string]string{"app": "web"},
			CreationTimestamp: metav1.NewTime(epoch),
		},
		Spec: v1beta1.ExternalWorkloadSpec{
			WorkloadIPs: []v1beta1.WorkloadIP{{IP: ip}},
			Ports:       []v1beta1.PortSpec{{Name: "http", Port: 8080, Protocol: corev1.ProtocolTCP}},
		},
		Status: v1beta1.ExternalWorkloadStatus{Conditions: []v1beta1.WorkloadCondition{{Type: "Ready", Status: "True"}}},
	}
	for _, apply := range change {
		apply(&workload)
	}
	return workload
}

func headless(service *corev1.Service) { service.Spec.ClusterIP = corev1.ClusterIPNone }

func notReady(workload *v1beta1.ExternalWorkload) { workload.Status.Conditions[0].Status = "False" }

func probed(workload *v1beta1.ExternalWorkload) {
	workload.Annotations = map[string]string{"external-workload.io/probe": "{}"}
}

func passed(family, message string) func(*v1beta1.ExternalWorkload) {
	return func(workload *v1beta1.ExternalWorkload) {
		workload.Status.Conditions = append(workload.Status.Conditions,
			v1beta1.WorkloadCondition{Type: v1beta1.WorkloadConditionType("Ready" + family), Status: "True", Message: message})
	}
}

func deleting(workload *v1beta1.ExternalWorkload) {
	workload.DeletionTimestamp = ptr.To(metav1.NewTime(epoch))
}

func inZone(zone string) func(*v1beta1.ExternalWorkload) {
	return func(workload *v1beta1.ExternalWorkload) { workload.Labels[corev1.LabelTopologyZone] = zone }
}

func withIPs(ips ...string) func(*v1beta1.ExternalWorkload) {
	return func(workload *v1beta1.ExternalWorkload) {
		workload.Spec.WorkloadIPs = nil
		for _, ip := range ips {
			workload.Spec.WorkloadIPs = append(workload.Spec.WorkloadIPs, v1beta1.WorkloadIP{IP: ip})
		}
	}
}

func withPorts(ports ...v1beta1.PortSpec) func(*v1beta1.ExternalWorkload) {
	return func(workload *v1beta1.ExternalWorkload) { workload.Spec.Ports = ports }
}

func servicePorts(ports ...corev1.ServicePort) func(*corev1.Service) {
	return func(service *corev1.Service) { service.Spec.Ports = ports }
}

func families(families ...corev1.IPFamily) func(*corev1.Service) {
	return func(service *corev1.Service) { service.Spec.IPFamilies = families }
}

func traffic(distribution string) func(*corev1.Service) {
	return func(service *corev1.Service) { service.Spec.TrafficDistribution = &distribution }
}

// lines returns a line for each endpoint and each skipped workload of a publication.
func lines(publication Publication) []string {
	var all []string
	for _, service := range publication {
		for group, endpoints := range service.Groups {
			for _, e := range endpoints {
				text := fmt.Sprintf("%s %s %s", e.Workload, e.Address, group.Ports)
				for _, flag := range []struct {
					set  bool
					name string
				}{{e.Ready, "ready"}, {e.Serving, "serving"}, {e.Terminating, "terminating"}} {
					if flag.set {
						text += " " + flag.name
					}
				}
				for _, field := range []struct{ name, value string }{{"zone", e.Zone}, {"hint", e.Hint}, {"hostname", e.Hostname}} {
					if field.value != "" {
						text += " " + field.name + "=" + field.value
					}
				}
				all = append(all, text)
			}
		}
		for _, skip := range service.Skipped {
			all = append(all, fmt.Sprintf("%s skipped in %s: %s", skip.Workload, skip.Family, skip.Reason))
		}
	}
	sort.Strings(all)
	return all
}

// slicesFor returns exactly the desired slices of the Service web with the workload a.
func slicesFor(change ...func(*discoveryv1.EndpointSlice)) []discoveryv1.EndpointSlice {
	slice := discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: "linkerd-external-web-abcde", GenerateName: "linkerd-external-web-",
			Labels: map[string]string{
				discoveryv1.LabelServiceName: "web",
				discoveryv1.LabelManagedBy:   DefaultManagedBy,
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "v1", Kind: "Service", Name: "web", UID: "service-uid",
				Controller: ptr.To(true), BlockOwnerDeletion: ptr.To(true),
			}},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports: []discoveryv1.EndpointPort{{
			Name: ptr.To("http"), Port: ptr.To[int32](8080), Protocol: ptr.To(corev1.ProtocolTCP),
		}},
		Endpoints: []discoveryv1.Endpoint{{
			Addresses:  []string{"192.0.2.1"},
			Conditions: discoveryv1.EndpointConditions{Ready: ptr.To(true), Serving: ptr.To(true), Terminating: ptr.To(false)},
			TargetRef:  &corev1.ObjectReference{Kind: "ExternalWorkload", Namespace: "shop", Name: "a", UID: "a-uid"},
		}},
	}
	for _, apply := range change {
		apply(&slice)
	}
	return []discoveryv1.EndpointSlice{slice}
}

func join(parts []string) string { return strings.Join(parts, "\n") }

func annotated(key, value string) func(*v1beta1.ExternalWorkload) {
	return func(w *v1beta1.ExternalWorkload) { w.Annotations = map[string]string{key: value} }
}

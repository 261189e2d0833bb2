package explain

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// serviceLimits returns what limits all workloads of a Service.
func serviceLimits(service *corev1.Service) []Limit {
	var limits []Limit
	add := func(name, format string, arguments ...any) {
		limits = append(limits, Limit{Name: name, Detail: fmt.Sprintf(format, arguments...)})
	}
	if unpublished(service) != "" {
		return nil
	}
	if service.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
		add("externalTrafficPolicy: Local", "traffic from outside the cluster goes only to endpoints on the node where it arrives, and a machine is on no node; MetalLB announces no node for it")
	}
	if policy := service.Spec.InternalTrafficPolicy; policy != nil && *policy == corev1.ServiceInternalTrafficPolicyLocal {
		add("internalTrafficPolicy: Local", "kube-proxy sends traffic from Pods only to endpoints on their own node, and a machine is on no node")
	}
	headless := service.Spec.ClusterIP == corev1.ClusterIPNone
	if headless {
		add("headless", "external-dns and others that look for Pods behind a headless Service do not see machines")
	}
	if service.Spec.Type == corev1.ServiceTypeLoadBalancer {
		add("type: LoadBalancer", "cloud load balancers that send traffic to Pods directly, such as AWS in ip mode, do not see machines")
	}
	return limits
}

// workloadLimits returns what limits one workload in a Service.
func (n *Namespace) workloadLimits(object *v1beta1.ExternalWorkload, v *view, families []Family) []Limit {
	var limits []Limit
	add := func(name, format string, arguments ...any) {
		limits = append(limits, Limit{Name: name, Detail: fmt.Sprintf(format, arguments...)})
	}
	service := v.service
	if service.Spec.ClusterIP == corev1.ClusterIPNone && len(validation.IsDNS1123Label(object.Name)) > 0 {
		add("host name", "the name %s is no DNS label, so the machine has no DNS name of its own; it is among the addresses of the Service", object.Name)
	}
	if hint := hintLimit(service, n.zoneOf(object, families)); hint != nil {
		limits = append(limits, *hint)
	}
	for i := range families {
		f := &families[i]
		if f.withheld && (families[0].Ready || f.Serving) {
			add("second family withheld", "%s %s is published not ready, since the controller runs with --second-family=withhold", f.Family, f.Address)
		}
	}
	return limits
}

// zoneOf returns the zone of a machine, by its label or by its address.
func (n *Namespace) zoneOf(object *v1beta1.ExternalWorkload, families []Family) string {
	zone := object.Labels[corev1.LabelTopologyZone]
	for i := 0; zone == "" && i < len(families); i++ {
		zone = n.options.Zones.Of(families[i].Address)
	}
	return zone
}

// hintLimit describes what the Service's wish for near endpoints does to a machine.
func hintLimit(service *corev1.Service, zone string) *Limit {
	if service.Spec.TrafficDistribution == nil {
		return nil
	}
	distribution := *service.Spec.TrafficDistribution
	name := "trafficDistribution: " + distribution
	switch distribution {
	case corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone:
		if zone == "" {
			return &Limit{name, "the machine has no label " + corev1.LabelTopologyZone + ", and while one ready endpoint has no zone, locality is off for the whole Service, its Pods included"}
		}
		return &Limit{name, "while zone " + zone + " has ready endpoints, only clients of that zone use this one"}
	case corev1.ServiceTrafficDistributionPreferSameNode:
		return &Limit{name, "a machine is on no node: clients whose node has a ready Pod do not use it"}
	default:
		return &Limit{name, "the value is unknown, so no hints are published"}
	}
}

package desired

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// rules are the properties of a Service that bear on every endpoint.
type rules struct {
	headless, publishNotReady, local bool
}

func rulesOf(service *corev1.Service) rules {
	return rules{
		headless:        headless(service),
		publishNotReady: service.Spec.PublishNotReadyAddresses,
		local:           prefersLocal(service),
	}
}

// prefersLocal tells whether clients should prefer endpoints of their own
// zone. Endpoints without hints would turn that off for the whole Service, its
// Pods included.
func prefersLocal(service *corev1.Service) bool {
	if service.Spec.TrafficDistribution == nil {
		return false
	}
	switch *service.Spec.TrafficDistribution {
	case corev1.ServiceTrafficDistributionPreferClose,
		corev1.ServiceTrafficDistributionPreferSameZone,
		corev1.ServiceTrafficDistributionPreferSameNode:
		return true
	}
	return false
}

// endpoint publishes a workload with one of its addresses.
func (r rules) endpoint(w *Workload, address string, group int32) Endpoint {
	e := Endpoint{
		Workload:    w,
		Address:     address,
		Group:       group,
		Ready:       w.Ready && !w.Terminating || r.publishNotReady,
		Serving:     w.Ready,
		Terminating: w.Terminating,
	}
	if r.local && e.Ready {
		e.Hint = w.Zone
	}
	if r.headless && w.hostname {
		e.Hostname = w.Name
	}
	return e
}

// sliceLabels are the Service's labels, except for the three that have a
// meaning of their own on a slice and are set here.
func sliceLabels(service *corev1.Service, managedBy string) map[string]string {
	labels := make(map[string]string, len(service.Labels)+3)
	maps.Copy(labels, service.Labels)
	delete(labels, corev1.IsHeadlessService)
	labels[discoveryv1.LabelServiceName] = service.Name
	labels[discoveryv1.LabelManagedBy] = managedBy
	if headless(service) {
		labels[corev1.IsHeadlessService] = ""
	}
	return labels
}

// targets lists the Service's target ports for a message.
func targets(service *corev1.Service) string {
	var texts []string
	for i := range service.Spec.Ports {
		p := &service.Spec.Ports[i]
		target := p.TargetPort.String()
		if target == "0" || target == "" {
			target = (&Ports{{Port: &p.Port}}).String()
		}
		texts = append(texts, target+"/"+protocolOf(string(p.Protocol)))
	}
	return strings.Join(texts, ", ")
}

// familyNames lists the Service's address families for a message.
func familyNames(service *corev1.Service) string {
	var texts []string
	for _, family := range familiesOf(service) {
		texts = append(texts, string(family))
	}
	return strings.Join(texts, ", ")
}

package desired

import (
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// NoNode is the node in the hints of endpoints in a PreferSameNode Service. A machine
// outside the cluster is on no node, but kube-proxy ignores the node hints of the
// Service's Pods too if one ready endpoint has none. The top-level domain invalid is
// reserved (RFC 2606), so no node can have this name.
const NoNode = "external-workload.invalid"

// rules are the properties of a Service that affect all endpoints.
type rules struct {
	headless, publishNotReady bool
	// zoneHints and nodeHints say which hints its trafficDistribution requires. If one
	// ready endpoint has no hint of a kind, consumers ignore that kind of hints for the
	// whole Service, including its Pods.
	zoneHints, nodeHints bool
	zones                Zones
}

func rulesOf(service *corev1.Service, zones Zones) rules {
	r := rules{zones: zones, headless: headless(service), publishNotReady: service.Spec.PublishNotReadyAddresses}
	if service.Spec.TrafficDistribution == nil {
		return r
	}
	switch *service.Spec.TrafficDistribution {
	case corev1.ServiceTrafficDistributionPreferClose, corev1.ServiceTrafficDistributionPreferSameZone:
		r.zoneHints = true
	case corev1.ServiceTrafficDistributionPreferSameNode:
		r.zoneHints, r.nodeHints = true, true
	}
	return r
}

// endpoint publishes a workload with one of its addresses, at which it is ready
// or not.
func (r rules) endpoint(w *Workload, address string, ready bool, group int32) Endpoint {
	e := Endpoint{
		Workload:    w,
		Address:     address,
		Group:       group,
		Ready:       ready && !w.Terminating || r.publishNotReady,
		Serving:     ready,
		Terminating: w.Terminating,
		Zone:        w.Zone,
	}
	if e.Zone == "" {
		e.Zone = r.zones.Of(address)
	}
	if r.zoneHints && e.Ready {
		// A machine without a known zone gets no zone hint.
		e.ZoneHint = e.Zone
	}
	if r.nodeHints && e.Ready {
		e.NodeHint = NoNode
	}
	if r.headless && w.hostname {
		e.Hostname = w.Name
	}
	return e
}

// sliceLabels returns the Service's labels, except for the three that are reserved on
// slices and set here.
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

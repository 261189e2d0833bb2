package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
)

// String returns the printed line: the time, the kind of change, the slice, its family, its
// addresses with their readiness, and its ports.
func (c change) String() string {
	head := fmt.Sprintf("%s %s %s/%s %s", c.at.Format("15:04:05.000"), c.kind,
		c.slice.Namespace, c.slice.Name, c.slice.AddressType)
	if c.kind == deleted {
		return head
	}
	return head + " " + endpointsText(c.slice.Endpoints) + " ports " + portsText(c.slice.Ports)
}

func endpointsText(endpoints []discoveryv1.Endpoint) string {
	if len(endpoints) == 0 {
		return "no endpoints"
	}
	texts := make([]string, 0, len(endpoints))
	for _, endpoint := range endpoints {
		state := "not ready"
		if isTrue(endpoint.Conditions.Ready) {
			state = "ready"
		}
		texts = append(texts, strings.Join(endpoint.Addresses, ",")+" ("+state+")")
	}
	return strings.Join(texts, ", ")
}

func portsText(ports []discoveryv1.EndpointPort) string {
	if len(ports) == 0 {
		return "none"
	}
	texts := make([]string, 0, len(ports))
	for _, port := range ports {
		text := "any"
		if port.Port != nil {
			text = strconv.Itoa(int(*port.Port))
		}
		if port.Protocol != nil {
			text += "/" + string(*port.Protocol)
		}
		if port.Name != nil && *port.Name != "" {
			text = *port.Name + "=" + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

// showsExample reports whether the slice belongs to the documented example.
func showsExample(slice *discoveryv1.EndpointSlice, ready bool) bool {
	if slice.Namespace != exampleNamespace || slice.Labels[discoveryv1.LabelServiceName] != exampleName {
		return false
	}
	address := slices.ContainsFunc(slice.Endpoints, func(endpoint discoveryv1.Endpoint) bool {
		return slices.Contains(endpoint.Addresses, "193.1.4.11") && (!ready || isTrue(endpoint.Conditions.Ready))
	})
	return address && hasPort(slice, "http", 80) && hasPort(slice, "admin", 9980)
}

func hasPort(slice *discoveryv1.EndpointSlice, name string, number int32) bool {
	return slices.ContainsFunc(slice.Ports, func(port discoveryv1.EndpointPort) bool {
		return port.Name != nil && *port.Name == name && port.Port != nil && *port.Port == number &&
			port.Protocol != nil && *port.Protocol == corev1.ProtocolTCP
	})
}

func isTrue(value *bool) bool { return value != nil && *value }

// howTo describes what the user can do now.
func howTo(place *cluster, running *controller) string {
	example := " externalworkload " + exampleName + " --namespace=" + exampleNamespace
	lines := []string{
		"",
		"From another terminal:",
		"  export KUBECONFIG=" + place.kubeconfig,
	}
	if place.own {
		lines = append(lines,
			"  alias kubectl="+place.kubectl,
			"  kubectl get externalworkloads,services,endpointslices --all-namespaces",
			"The example declares that it is ready. To change what it declares:",
			"  kubectl annotate"+example+" --overwrite "+readyAnnotation+"=False",
			"To take the declaration away, and write the status by hand:",
			"  kubectl annotate"+example+" "+readyAnnotation+"-",
			"  kubectl patch"+example+" --subresource=status --type=merge \\",
			`    --patch='{"status":{"conditions":[{"type":"Ready","status":"False"}]}}'`,
		)
	} else {
		lines = append(lines,
			"To publish the documented example there:",
			"  kubectl create namespace "+exampleNamespace,
			"  kubectl apply --filename=docs/examples/documented.yaml",
		)
	}
	lines = append(lines,
		"Metrics: http://"+running.metrics+"/metrics",
		"Health:  http://"+running.health+"/readyz",
		"Logs:    "+place.directory,
		"Ctrl-C ends what was started here.",
		"", "")
	return strings.Join(lines, "\n")
}

package desired

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// resolver computes the ports with which workloads are published for a Service. It
// resolves each distinct list of ports once: most workloads of a Service have the same.
type resolver struct {
	service *corev1.Service
	// resolved are the distinct lists of published ports, in order of first use.
	resolved []Ports
	// byText are the indexes in resolved of the published ports, by their text,
	// and byPorts the same by the text of the workload's ports.
	byText, byPorts map[string]int32

	last      []v1beta1.PortSpec
	lastGroup int32
}

func (r *resolver) reset(service *corev1.Service) {
	*r = resolver{
		service: service, resolved: r.resolved[:0],
		byText: emptied(r.byText, 0), byPorts: emptied(r.byPorts, 0), lastGroup: noPorts,
	}
}

// groupOf returns the index in resolved for a workload's ports, or noPorts if it
// has none of the Service's.
func (r *resolver) groupOf(ports []v1beta1.PortSpec) int32 {
	if len(r.byPorts) > 0 && slices.Equal(ports, r.last) {
		return r.lastGroup
	}
	text := specText(ports)
	group, known := r.byPorts[text]
	if !known {
		group = r.resolve(ports)
		r.byPorts[text] = group
	}
	r.last, r.lastGroup = ports, group
	return group
}

func (r *resolver) resolve(workload []v1beta1.PortSpec) int32 {
	ports := Ports(resolve(r.service.Spec.Ports, workload))
	if len(ports) == 0 && len(r.service.Spec.Ports) > 0 {
		return noPorts
	}
	text := ports.text()
	group, known := r.byText[text]
	if !known {
		group = int32(len(r.resolved))
		r.byText[text] = group
		r.resolved = append(r.resolved, ports)
	}
	return group
}

// specText writes ports so that different lists have different texts.
func specText(ports []v1beta1.PortSpec) string {
	var b strings.Builder
	for i := range ports {
		p := &ports[i]
		b.WriteString(strconv.Quote(p.Name))
		b.WriteString(strconv.Quote(string(p.Protocol)))
		b.WriteString(strconv.Itoa(int(p.Port)))
	}
	return b.String()
}

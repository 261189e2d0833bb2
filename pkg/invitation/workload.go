package invitation

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// Workload is the ExternalWorkload of a manifest as an invitation creates it: with
// the ranges in an annotation. A manifest without ranges permits its own addresses
// alone. One that contradicts its ranges is refused.
func Workload(manifest *v1beta1.ExternalWorkload, cidrs []netip.Prefix) (*v1beta1.ExternalWorkload, error) {
	w, err := WithRanges(manifest, cidrs)
	if err != nil {
		return nil, err
	}
	if outside := Outside(w); len(outside) > 0 {
		return nil, fmt.Errorf("the address %q of the ExternalWorkload is outside of the permitted ranges %s", outside[0], w.Annotations[v1beta1.InvitedCIDRsAnnotation])
	}
	return w, nil
}

// WithRanges is a workload with the ranges in an annotation. Its addresses may be
// outside: those of an existing object are where the machine is, and the ranges
// where it may go.
func WithRanges(workload *v1beta1.ExternalWorkload, cidrs []netip.Prefix) (*v1beta1.ExternalWorkload, error) {
	w := workload.DeepCopy()
	w.Status = v1beta1.ExternalWorkloadStatus{}
	permitted, err := permittedRanges(w, cidrs)
	if err != nil {
		return nil, err
	}
	if w.Annotations == nil {
		w.Annotations = map[string]string{}
	}
	w.Annotations[v1beta1.InvitedCIDRsAnnotation] = formatCIDRs(permitted)
	return w, nil
}

// Outside are the addresses of a workload that its ranges do not permit.
func Outside(w *v1beta1.ExternalWorkload) []string {
	cidrs := CIDRsOf(w)
	var outside []string
	for _, address := range w.Spec.WorkloadIPs {
		if parsed, err := netip.ParseAddr(address.IP); err != nil || !contains(cidrs, parsed) {
			outside = append(outside, address.IP)
		}
	}
	return outside
}

// permittedRanges are those that were asked for, else those of the annotation,
// else the object's own addresses.
func permittedRanges(w *v1beta1.ExternalWorkload, asked []netip.Prefix) ([]netip.Prefix, error) {
	if len(asked) > 0 {
		return asked, nil
	}
	if annotated := w.Annotations[v1beta1.InvitedCIDRsAnnotation]; annotated != "" {
		return ParseCIDRs(splitCIDRs(annotated))
	}
	var own []netip.Prefix
	for _, address := range w.Spec.WorkloadIPs {
		parsed, err := netip.ParseAddr(address.IP)
		if err != nil {
			return nil, fmt.Errorf("spec.workloadIPs: %w", err)
		}
		own = append(own, netip.PrefixFrom(parsed, parsed.BitLen()))
	}
	if len(own) == 0 {
		return nil, fmt.Errorf("say which addresses the machine may claim: give --cidr, such as --cidr 10.20.0.0/16, or addresses in the manifest")
	}
	return own, nil
}

// Patch is the JSON merge patch that brings the ExternalWorkload of the cluster
// to what the invitation says, or nil if nothing differs. The addresses stay as
// they are: the machine may have registered them.
func Patch(live, desired *v1beta1.ExternalWorkload) []byte {
	metadata := map[string]any{}
	if changed := differing(live.Labels, desired.Labels); len(changed) > 0 {
		metadata["labels"] = changed
	}
	if changed := differing(live.Annotations, desired.Annotations); len(changed) > 0 {
		metadata["annotations"] = changed
	}
	spec := map[string]any{}
	if live.Spec.MeshTLS != desired.Spec.MeshTLS {
		spec["meshTLS"] = desired.Spec.MeshTLS
	}
	if !reflect.DeepEqual(withDefaults(live.Spec.Ports), withDefaults(desired.Spec.Ports)) {
		spec["ports"] = desired.Spec.Ports
	}
	if len(metadata)+len(spec) == 0 {
		return nil
	}
	// Maps and these types always encode.
	patch, _ := json.Marshal(map[string]any{"metadata": metadata, "spec": spec})
	return patch
}

// differing are the desired values that the live object does not have.
func differing(live, desired map[string]string) map[string]string {
	changed := map[string]string{}
	for key, value := range desired {
		if actual, found := live[key]; !found || actual != value {
			changed[key] = value
		}
	}
	return changed
}

// withDefaults are ports with what the API server fills in.
func withDefaults(ports []v1beta1.PortSpec) []v1beta1.PortSpec {
	filled := make([]v1beta1.PortSpec, len(ports))
	for i, port := range ports {
		if port.Protocol == "" {
			port.Protocol = "TCP"
		}
		filled[i] = port
	}
	return filled
}

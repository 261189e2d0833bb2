package oracle

import (
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// isReady reports whether a workload is ready at its address of the family. A probed workload
// must have passed its probe at exactly this address.
func isReady(rules Rules, workload *v1beta1.ExternalWorkload, family discoveryv1.AddressType) bool {
	ready := false
	for _, condition := range workload.Status.Conditions {
		if condition.Type == "Ready" && condition.Status == "True" {
			ready = true
		}
	}
	_, probed := workload.Annotations["external-workload.io/probe"]
	if !ready || !probed || rules.IgnoreProbes {
		return ready
	}
	address, _ := addressIn(workload, family)
	for _, condition := range workload.Status.Conditions {
		if string(condition.Type) == "Ready"+string(family) && condition.Status == "True" && names(condition.Message, address, string(workload.UID)) {
			return true
		}
	}
	return false
}

// names reports whether a message such as "[2001:db8::1]:80 uid=7c9d" names this
// address and this object.
func names(message, address, uid string) bool {
	if address == "" {
		return false
	}
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	words := strings.Fields(message)
	return len(words) >= 2 && strings.HasPrefix(words[0], address+":") && words[1] == "uid="+uid
}

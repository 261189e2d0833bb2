package explain

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// checkObject reports whether the object can be read at all.
func checkObject(object *v1beta1.ExternalWorkload) []Check {
	why, unreadable := object.Annotations[v1beta1.UnreadableAnnotation]
	if !unreadable {
		return nil
	}
	return []Check{{
		Name: CheckObject, Result: No, Reason: string(desired.ReasonUnreadable),
		Detail: "the object cannot be read: " + why,
		Fix:    fmt.Sprintf("kubectl edit externalworkload %s -n %s, and install the CustomResourceDefinition of this project, which refuses such objects", object.Name, object.Namespace),
	}}
}

// checkPorts describes which of the Service's ports the workload has.
func checkPorts(service *corev1.Service, object *v1beta1.ExternalWorkload, families []Family) Check {
	check := Check{Name: CheckPorts, Result: OK}
	if len(service.Spec.Ports) == 0 {
		check.Detail = "the Service has no ports: only addresses are published"
		return check
	}
	var matched, missing []string
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		if number, found := desired.TargetPort(port, object.Spec.Ports); found {
			matched = append(matched, fmt.Sprintf("%s is %d/%s", servicePortText(port), number, protocolText(port.Protocol)))
		} else {
			missing = append(missing, fmt.Sprintf("%s wants %s", servicePortText(port), targetText(port)))
		}
	}
	refused := false
	for i := range families {
		refused = refused || families[i].Skipped == string(desired.ReasonNoMatchingPort)
	}
	switch {
	case len(missing) == 0:
		check.Detail = strings.Join(matched, ", ")
	case !refused && len(matched) > 0:
		check.Result, check.Reason = Note, "SomePortsMissing"
		check.Detail = strings.Join(matched, ", ") + "; not published: " + strings.Join(missing, ", ") + "; the workload has " + workloadPorts(object)
	default:
		check.Result, check.Reason = No, string(desired.ReasonNoMatchingPort)
		check.Detail = strings.Join(missing, ", ") + "; the workload has " + workloadPorts(object)
		check.Fix = "add the port to the workload's spec.ports, or correct the targetPort of Service " + service.Name
	}
	return check
}

func servicePortText(port *corev1.ServicePort) string {
	if port.Name != "" {
		return fmt.Sprintf("port %s", port.Name)
	}
	return fmt.Sprintf("port %d", port.Port)
}

func targetText(port *corev1.ServicePort) string {
	target := port.TargetPort
	if target.Type == intstr.String {
		return fmt.Sprintf("a port named %q with protocol %s", target.StrVal, protocolText(port.Protocol))
	}
	number := target.IntVal
	if number == 0 {
		number = port.Port
	}
	return fmt.Sprintf("%d/%s", number, protocolText(port.Protocol))
}

func workloadPorts(object *v1beta1.ExternalWorkload) string {
	if len(object.Spec.Ports) == 0 {
		return "no ports"
	}
	var texts []string
	for _, port := range object.Spec.Ports {
		text := fmt.Sprintf("%d/%s", port.Port, protocolText(port.Protocol))
		if port.Name != "" {
			text = port.Name + "=" + text
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, ", ")
}

func protocolText(protocol corev1.Protocol) string {
	if protocol == "" {
		return string(corev1.ProtocolTCP)
	}
	return strings.ToUpper(string(protocol))
}

// checkAddresses describes which address is published in each family.
func checkAddresses(object *v1beta1.ExternalWorkload, families []Family) []Check {
	digest := desired.NewWorkload(object, nil, desired.Sighting{})
	var checks []Check
	anyAddress := false
	for i := range families {
		anyAddress = anyAddress || digest.AddressIn(families[i].Family) != ""
	}
	for i := range families {
		family := families[i].Family
		check := Check{Name: CheckAddress, Result: OK, Family: family, Detail: digest.AddressIn(family)}
		problem := digest.AddressProblemIn(family)
		switch {
		case check.Detail != "":
		case problem != "":
			check.Result, check.Reason, check.Detail = No, string(desired.ReasonInvalidAddress), problem
			check.Fix = "correct spec.workloadIPs of the workload"
		default:
			check.Result, check.Reason = No, string(desired.ReasonNoAddress)
			check.Detail, check.Fix = missingAddress(object, family)
		}
		if check.Result == No && anyAddress {
			check.Result, check.Fix = Note, ""
		}
		checks = append(checks, check)
	}
	return checks
}

// missingAddress describes a workload without an address of a family. An invited machine
// sets its addresses itself when it registers.
func missingAddress(object *v1beta1.ExternalWorkload, family discoveryv1.AddressType) (detail, fix string) {
	switch {
	case len(object.Spec.WorkloadIPs) > 0:
		return "spec.workloadIPs has no address of this family",
			fmt.Sprintf("add an %s address to spec.workloadIPs, or the workload's family to the Service's ipFamilies", family)
	case object.Annotations[v1beta1.InvitedCIDRsAnnotation] != "":
		return "spec.workloadIPs is empty: the invited machine has not registered, or its address was removed",
			"on the machine, run external-workload register with the kubeconfig of its invitation"
	}
	return "spec.workloadIPs is empty",
		fmt.Sprintf("add an address to spec.workloadIPs, or let the machine set it: kubectl external-workload invite %s -n %s --cidr RANGE", object.Name, object.Namespace)
}

// checkDuplicates reports whether another workload is published with the same address
// and port.
func checkDuplicates(name string, v *view, families []Family) []Check {
	var checks []Check
	for i := range v.state.Skipped {
		skip := &v.state.Skipped[i]
		if skip.Workload.Name != name || skip.Reason != desired.ReasonDuplicateAddress {
			continue
		}
		result := No
		// An endpoint that is withheld never gets the traffic instead.
		for f := range families {
			if families[f].Skipped == "" && !families[f].withheld {
				result = Note
			}
		}
		checks = append(checks, Check{
			Name: CheckDuplicate, Result: result, Family: skip.Family, Reason: string(skip.Reason),
			Detail: fmt.Sprintf("workload %s is published with the same address and port; ready ones come first, then the oldest", skip.Other.Name),
			Fix:    fmt.Sprintf("delete workload %s if it is the same machine, or correct the address of one of them", skip.Other.Name),
		})
	}
	if len(checks) == 0 {
		return []Check{{Name: CheckDuplicate, Result: OK, Detail: "no other workload has the address and port"}}
	}
	return checks
}

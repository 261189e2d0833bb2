package sliceapi

import (
	"net/netip"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The limits of the API server.
const (
	maxEndpoints = 1000
	maxAddresses = 100
	maxPorts     = 20000
	maxZones     = 8
)

// Validate returns the errors of the API server for a new slice.
func Validate(slice *discoveryv1.EndpointSlice) field.ErrorList {
	var errs field.ErrorList
	if slice.Name == "" {
		errs = append(errs, field.Required(field.NewPath("metadata", "name"), "name or generateName is required"))
	}
	for _, text := range validation.IsDNS1123Subdomain(slice.Name) {
		errs = append(errs, field.Invalid(field.NewPath("metadata", "name"), slice.Name, text))
	}
	switch slice.AddressType {
	case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6:
	default:
		errs = append(errs, field.NotSupported(field.NewPath("addressType"), slice.AddressType,
			[]discoveryv1.AddressType{discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6}))
	}
	errs = append(errs, validatePorts(slice.Ports, field.NewPath("ports"))...)
	return append(errs, validateEndpoints(slice)...)
}

func validateEndpoints(slice *discoveryv1.EndpointSlice) field.ErrorList {
	var errs field.ErrorList
	path := field.NewPath("endpoints")
	if len(slice.Endpoints) > maxEndpoints {
		errs = append(errs, field.TooMany(path, len(slice.Endpoints), maxEndpoints))
	}
	for i := range slice.Endpoints {
		// The path of a valid endpoint is never printed, and is most of the cost.
		if validEndpoint(&slice.Endpoints[i], slice.AddressType) {
			continue
		}
		errs = append(errs, field.Invalid(path.Index(i), slice.Endpoints[i].Addresses, "addresses, hostname or hints are not valid"))
	}
	return errs
}

// validateUpdate returns the errors of the API server for a changed slice. Endpoints that
// an older version accepted may stay as long as no endpoint changes.
func validateUpdate(slice, previous *discoveryv1.EndpointSlice) field.ErrorList {
	errs := Validate(slice)
	if len(errs) > 0 && reflect.DeepEqual(slice.Endpoints, previous.Endpoints) {
		unchanged := *slice
		unchanged.Endpoints = nil
		errs = Validate(&unchanged)
	}
	if slice.AddressType != previous.AddressType {
		errs = append(errs, field.Invalid(field.NewPath("addressType"), slice.AddressType, "field is immutable"))
	}
	return errs
}

func validatePorts(ports []discoveryv1.EndpointPort, path *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(ports) > maxPorts {
		errs = append(errs, field.TooMany(path, len(ports), maxPorts))
	}
	for i := range ports {
		name := portName(&ports[i])
		if name != "" && len(validation.IsDNS1123Label(name)) > 0 {
			errs = append(errs, field.Invalid(path.Index(i).Child("name"), name, "not a DNS label"))
		}
		for j := range i {
			if portName(&ports[j]) == name {
				errs = append(errs, field.Duplicate(path.Index(i).Child("name"), name))
			}
		}
		if number := ports[i].Port; number != nil && len(validation.IsValidPortNum(int(*number))) > 0 {
			errs = append(errs, field.Invalid(path.Index(i).Child("port"), *number, "not a port"))
		}
		if !validProtocol(ports[i].Protocol) {
			errs = append(errs, field.Required(path.Index(i).Child("protocol"), "TCP, UDP or SCTP"))
		}
		if app := ports[i].AppProtocol; app != nil && len(validation.IsQualifiedName(*app)) > 0 {
			errs = append(errs, field.Invalid(path.Index(i).Child("appProtocol"), *app, "not a qualified name"))
		}
	}
	return errs
}

func portName(port *discoveryv1.EndpointPort) string {
	if port.Name == nil {
		return ""
	}
	return *port.Name
}

// validProtocol accepts an unset protocol, which the API server defaults to TCP.
func validProtocol(protocol *corev1.Protocol) bool {
	if protocol == nil {
		return true
	}
	return *protocol == corev1.ProtocolTCP || *protocol == corev1.ProtocolUDP || *protocol == corev1.ProtocolSCTP
}

func validEndpoint(endpoint *discoveryv1.Endpoint, family discoveryv1.AddressType) bool {
	if len(endpoint.Addresses) == 0 || len(endpoint.Addresses) > maxAddresses {
		return false
	}
	for _, address := range endpoint.Addresses {
		if !validAddress(address, family) {
			return false
		}
	}
	if endpoint.Hostname != nil && len(validation.IsDNS1123Label(*endpoint.Hostname)) > 0 {
		return false
	}
	if endpoint.NodeName != nil && len(validation.IsDNS1123Subdomain(*endpoint.NodeName)) > 0 {
		return false
	}
	if endpoint.Hints == nil {
		return true
	}
	for _, node := range endpoint.Hints.ForNodes {
		if len(validation.IsDNS1123Subdomain(node.Name)) > 0 {
			return false
		}
	}
	zones := endpoint.Hints.ForZones
	for i := range zones {
		if zones[i].Name == "" || strings.ContainsAny(zones[i].Name, " /") {
			return false
		}
		for j := range i {
			if zones[j].Name == zones[i].Name {
				return false
			}
		}
	}
	return len(zones) <= maxZones
}

// validAddress reports whether the API server accepts the address in a slice of that
// family: it must be canonical and reachable from other machines.
func validAddress(address string, family discoveryv1.AddressType) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Zone() != "" || ip.String() != address {
		return false
	}
	if ip.Is4() != (family == discoveryv1.AddressTypeIPv4) || ip.Is4In6() {
		return false
	}
	return !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsLinkLocalUnicast() && !ip.IsLinkLocalMulticast()
}

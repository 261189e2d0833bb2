package probe

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// UserAgent is what HTTP and gRPC probes call themselves, unless the probe has
// a header field of that name.
const UserAgent = "external-workload-probe"

// resolve fills in whom the probe asks and what.
func resolve(spec *Spec, handler *corev1.ProbeHandler, workload *v1beta1.ExternalWorkload, options Options) error {
	if err := onlyOne(handler); err != nil {
		return err
	}
	var host string
	var port intstr.IntOrString
	switch {
	case handler.TCPSocket != nil:
		spec.Kind, host, port = TCP, handler.TCPSocket.Host, handler.TCPSocket.Port
	case handler.HTTPGet != nil:
		spec.Kind, host, port = HTTP, handler.HTTPGet.Host, handler.HTTPGet.Port
	default:
		spec.Kind, port = GRPC, intstr.FromInt32(handler.GRPC.Port)
		if handler.GRPC.Service != nil {
			spec.Service = *handler.GRPC.Service
		}
	}
	number, err := portOf(port, workload)
	if err != nil {
		return err
	}
	if host != "" {
		spec.Targets, err = targetOf(host, number, options)
	} else {
		spec.Targets, spec.Refused, err = targetsOf(workload, number, options.Addresses)
	}
	if err == nil && spec.Kind == HTTP {
		spec.Request, err = requestOf(handler.HTTPGet, workload)
	}
	return err
}

func onlyOne(handler *corev1.ProbeHandler) error {
	if handler.Exec != nil {
		return errors.New("exec cannot be run on a machine outside the cluster; use tcpSocket, httpGet or grpc")
	}
	given := 0
	for _, is := range []bool{handler.TCPSocket != nil, handler.HTTPGet != nil, handler.GRPC != nil} {
		if is {
			given++
		}
	}
	if given != 1 {
		return fmt.Errorf("the probe has %d of tcpSocket, httpGet and grpc; it must have exactly one", given)
	}
	return nil
}

// targetOf is the one target of a probe that names a host.
func targetOf(host string, port uint16, options Options) ([]Target, error) {
	if !options.AllowHost {
		return nil, &HostNotAllowedError{}
	}
	host, err := checkHost(host, options.Addresses)
	if err != nil {
		return nil, err
	}
	return []Target{{Host: host, Port: port}}, nil
}

// targetsOf are the workload's first address of each family that may be
// probed, and what is refused of the families of which none may.
func targetsOf(workload *v1beta1.ExternalWorkload, port uint16, fence Fence) (targets []Target, refused []*RefusedError, err error) {
	found, refusals := map[corev1.IPFamily]bool{}, map[corev1.IPFamily]*RefusedError{}
	err = errors.New("the workload has no address to probe")
	for _, workloadIP := range workload.Spec.WorkloadIPs {
		address, parseErr := netip.ParseAddr(workloadIP.IP)
		if parseErr != nil {
			err = fmt.Errorf("the workload's address %q is no IP address", workloadIP.IP)
			continue
		}
		family := familyOf(address)
		checked := fence.Check(address)
		if refusal, is := errors.AsType[*RefusedError](checked); is {
			err, refusals[family] = checked, refusal
		} else if !found[family] {
			found[family] = true
			targets = append(targets, Target{Family: family, Host: address.String(), Port: port})
		}
	}
	if len(targets) == 0 {
		return nil, nil, err
	}
	for _, family := range []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol} {
		if refusal := refusals[family]; refusal != nil && !found[family] {
			refused = append(refused, refusal)
		}
	}
	return targets, refused, nil
}

func familyOf(address netip.Addr) corev1.IPFamily {
	if address.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

func checkHost(host string, fence Fence) (string, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.String(), fence.Check(address)
	}
	if problems := validation.IsDNS1123Subdomain(strings.TrimSuffix(host, ".")); len(problems) > 0 {
		return "", fmt.Errorf("host %q is neither an IP address nor a DNS name", host)
	}
	return host, nil
}

// portOf is the port's number; a name is looked up among the workload's TCP ports.
func portOf(port intstr.IntOrString, workload *v1beta1.ExternalWorkload) (uint16, error) {
	number := port.IntVal
	if port.Type == intstr.String {
		number = 0
		for _, candidate := range workload.Spec.Ports {
			if candidate.Name == port.StrVal && isTCP(candidate.Protocol) {
				number = candidate.Port
				break
			}
		}
		if number == 0 || port.StrVal == "" {
			return 0, fmt.Errorf("the workload has no TCP port named %q", port.StrVal)
		}
	}
	if number < 1 || number > 65535 {
		return 0, fmt.Errorf("port is %d; it must be 1 to 65535", number)
	}
	return uint16(number), nil
}

func isTCP(protocol corev1.Protocol) bool {
	return protocol == "" || strings.EqualFold(string(protocol), string(corev1.ProtocolTCP))
}

func requestOf(get *corev1.HTTPGetAction, workload *v1beta1.ExternalWorkload) (*Request, error) {
	// A host in front keeps the path from being taken for one.
	path, err := url.Parse("http://host/" + strings.TrimPrefix(get.Path, "/"))
	if err != nil {
		return nil, fmt.Errorf("path %q is not the path of a URL", get.Path)
	}
	request := &Request{
		Path:       &url.URL{Path: path.Path, RawPath: path.RawPath, RawQuery: path.RawQuery},
		ServerName: workload.Spec.MeshTLS.ServerName,
	}
	switch get.Scheme {
	case "", corev1.URISchemeHTTP:
	case corev1.URISchemeHTTPS:
		request.Secure = true
	default:
		return nil, fmt.Errorf("scheme is %q; it must be HTTP or HTTPS", get.Scheme)
	}
	request.Header, request.Host, err = headerOf(get.HTTPHeaders)
	if err != nil {
		return nil, err
	}
	return request, nil
}

// headerOf follows kubelet: Host is set apart, User-Agent and Accept have
// defaults, and an empty Accept takes the field away.
func headerOf(fields []corev1.HTTPHeader) (header http.Header, host string, err error) {
	header = http.Header{}
	for _, field := range fields {
		if len(validation.IsHTTPHeaderName(field.Name)) > 0 {
			return nil, "", fmt.Errorf("%q is not the name of an HTTP header field", field.Name)
		}
		if strings.ContainsFunc(field.Value, isControl) {
			return nil, "", fmt.Errorf("the value of the HTTP header field %q has control characters", field.Name)
		}
		header.Add(field.Name, field.Value)
	}
	if header["User-Agent"] == nil {
		header.Set("User-Agent", UserAgent)
	}
	if header["Accept"] == nil {
		header.Set("Accept", "*/*")
	} else if header.Get("Accept") == "" {
		header.Del("Accept")
	}
	host = header.Get("Host")
	header.Del("Host")
	return header, host, nil
}

func isControl(r rune) bool {
	return r != '\t' && (r < ' ' || r == 0x7f)
}

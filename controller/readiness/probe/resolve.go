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

// UserAgent is the User-Agent of HTTP and gRPC probes, unless the probe sets that
// header field.
const UserAgent = "external-workload-probe"

// resolve sets the targets and the request of the probe.
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
		if err := setMode(spec, handler.GRPC.Mode); err != nil {
			return err
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
		err = setRequest(spec, handler.HTTPGet)
	}
	if err == nil {
		err = setServerName(spec, workload)
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

// targetOf returns the only target of a probe that sets a host.
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

// targetsOf returns the workload's first address of each family that may be probed, and
// the refusals of families without one. A workload without addresses has no targets.
func targetsOf(workload *v1beta1.ExternalWorkload, port uint16, policy AddressPolicy) (targets []Target, refused []*RefusedError, err error) {
	found, refusals := map[corev1.IPFamily]bool{}, map[corev1.IPFamily]*RefusedError{}
	for _, workloadIP := range workload.Spec.WorkloadIPs {
		address, parseErr := netip.ParseAddr(workloadIP.IP)
		if parseErr != nil {
			err = fmt.Errorf("the workload's address %q is no IP address", workloadIP.IP)
			continue
		}
		family := familyOf(address)
		checked := policy.Check(address)
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

// checkHost accepts an address, or a possible DNS name, including upper case and
// underscores, which resolvers accept.
func checkHost(host string, policy AddressPolicy) (string, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.String(), policy.Check(address)
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(host, "."), ".") {
		if len(label) == 0 || len(label) > 63 || len(host) > 253 || strings.ContainsFunc(label, isNotInName) {
			return "", fmt.Errorf("host %q is neither an IP address nor a DNS name", clip(host))
		}
	}
	return host, nil
}

func isNotInName(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', r == '-', r == '_':
		return false
	default:
		return true
	}
}

// portOf returns the port's number; a name is looked up among the workload's TCP ports.
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

// setMode accepts the modes that Kubernetes has.
func setMode(spec *Spec, mode *corev1.GRPCProbeMode) error {
	if mode == nil {
		return nil
	}
	switch *mode {
	case corev1.GRPCProbeModePlaintext:
	case corev1.GRPCProbeModeTLS:
		spec.Secure = true
	default:
		return fmt.Errorf("grpc.mode is %q; it must be %s or %s", clip(string(*mode)), corev1.GRPCProbeModePlaintext, corev1.GRPCProbeModeTLS)
	}
	return nil
}

// setRequest sets the request of an HTTP probe.
func setRequest(spec *Spec, get *corev1.HTTPGetAction) (err error) {
	spec.Request = &Request{}
	switch get.Scheme {
	case "", corev1.URISchemeHTTP:
	case corev1.URISchemeHTTPS:
		spec.Secure = true
	default:
		return fmt.Errorf("scheme is %q; it must be HTTP or HTTPS", clip(string(get.Scheme)))
	}
	if protocol := get.Protocol; protocol != nil {
		switch *protocol {
		case corev1.HTTPProtocolHTTP1:
		case corev1.HTTPProtocolHTTP2:
			if spec.Secure {
				return errors.New("protocol is HTTP2, which is for the scheme HTTP; with HTTPS the server chooses")
			}
			spec.Request.HTTP2 = true
		default:
			return fmt.Errorf("protocol is %q; it must be %s or %s", clip(string(*protocol)), corev1.HTTPProtocolHTTP1, corev1.HTTPProtocolHTTP2)
		}
	}
	if spec.Request.Path, err = pathOf(get.Path); err != nil {
		return err
	}
	spec.Request.Header, spec.Request.Host, err = headerOf(get.HTTPHeaders)
	return err
}

// pathOf follows kubelet: the path is parsed as a URL, whose host is replaced; an
// invalid URL is escaped.
func pathOf(path string) (*url.URL, error) {
	given, err := url.Parse(path)
	if err != nil {
		given = &url.URL{Path: path}
	}
	given.Scheme, given.Host = "http", "host"
	complete, err := url.Parse(given.String())
	if err != nil || complete.Host != "host" {
		return nil, fmt.Errorf("path %q is not the path of a URL", clip(path))
	}
	if complete.Path == "" {
		complete.Path = "/"
	}
	complete.Scheme, complete.Host, complete.Fragment, complete.RawFragment = "", "", "", ""
	return complete, nil
}

// setServerName applies the annotation; without it kubelet's rule applies.
func setServerName(spec *Spec, workload *v1beta1.ExternalWorkload) error {
	name, given := workload.Annotations[v1beta1.ProbeServerNameAnnotation]
	if !given {
		return nil
	}
	if !spec.Secure {
		return fmt.Errorf("the annotation %s is for probes with TLS; remove it, or set scheme HTTPS or mode TLS", v1beta1.ProbeServerNameAnnotation)
	}
	if name == v1beta1.ProbeServerNameMesh {
		name = workload.Spec.MeshTLS.ServerName
	}
	if len(validation.IsDNS1123Subdomain(strings.ToLower(name))) > 0 {
		return fmt.Errorf("the server name %q is no DNS name", clip(name))
	}
	spec.ServerName = name
	return nil
}

// headerOf follows kubelet: Host is separate, User-Agent and Accept have defaults, and
// an empty Accept removes the field.
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

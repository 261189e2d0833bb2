package probe

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Kind is the protocol of a probe. It is a metric label.
type Kind string

// The kinds of probe.
const (
	TCP  Kind = "tcp"
	HTTP Kind = "http"
	GRPC Kind = "grpc"
)

// Spec is a complete probe: with all defaults, the workload's addresses and the number
// of its port. It is immutable.
type Spec struct {
	// Kind is the protocol of the probe.
	Kind Kind
	// Targets are the probed targets: the workload's first address of each family that
	// may be probed, in the order of the workload's addresses, or only the host that
	// the probe sets. There is at least one.
	Targets []Target
	// Refused are the addresses of families without an address that may be probed.
	// Endpoints of such a family never become ready.
	Refused []*RefusedError

	// Secure is true if an HTTP or gRPC probe uses TLS.
	Secure bool
	// ServerName is the server name for TLS. If empty, it is the host of the URL, or
	// none if that is an address.
	ServerName string

	// Request is the request of an HTTP probe; nil for others.
	Request *Request
	// Service is the service name of a gRPC probe; it may be empty.
	Service string

	// InitialDelay is the time from the workload's creation to its first probe.
	InitialDelay time.Duration
	// Period is the interval between probes.
	Period time.Duration
	// Timeout is the timeout of one probe.
	Timeout time.Duration
	// SuccessThreshold is the number of consecutive successes that make the workload
	// ready.
	SuccessThreshold int32
	// FailureThreshold is the number of consecutive failures that make it not ready.
	FailureThreshold int32
}

// Request is the HTTP half of a Spec.
type Request struct {
	// Path is the URL without scheme and host.
	Path *url.URL
	// HTTP2 is true if HTTP/2 is used without TLS. With TLS, both sides negotiate the
	// version.
	HTTP2 bool
	// Header are the header fields to send.
	Header http.Header
	// Host is the Host field to send; empty for the target's.
	Host string
}

// url returns the URL of an HTTP probe's request at a target.
func (s *Spec) url(target Target) *url.URL {
	complete := *s.Request.Path
	complete.Scheme, complete.Host = "http", target.String()
	if s.Secure {
		complete.Scheme = "https"
	}
	return &complete
}

// Target is one probed address and port. Targets are comparable, and can be keys of a
// map.
type Target struct {
	// Family is the family of the workload's address. It is empty if the probe sets a
	// host, which applies to all families of the workload.
	Family corev1.IPFamily
	// Host is an IP address or, for TCP and HTTP, a DNS name.
	Host string
	// Port is the port's number.
	Port uint16
}

// String returns the host and port in the form that dialers take.
func (t Target) String() string {
	return net.JoinHostPort(t.Host, strconv.Itoa(int(t.Port)))
}

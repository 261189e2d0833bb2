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

// Spec is a probe with everything filled in: all defaults, the workload's
// addresses and the number of its port. Specs are never changed once made.
type Spec struct {
	// Kind says how the machine is asked.
	Kind Kind
	// Targets are whom the probe asks: the workload's first address of each
	// family that may be probed, in the order of the workload's addresses, or
	// only the host that the probe names. There is at least one.
	Targets []Target
	// Refused are the addresses of the workload's other families, none of which
	// may be probed; an endpoint of such a family can never be proven.
	Refused []*RefusedError

	// Secure is whether an HTTP or gRPC probe uses TLS.
	Secure bool
	// ServerName is the name that is asked for in TLS. Empty: that of the URL,
	// or none where that is an address.
	ServerName string

	// Request is what an HTTP probe asks for; nil for others.
	Request *Request
	// Service is the service that a gRPC probe asks about; it may be empty.
	Service string

	// InitialDelay is how long after the workload's creation it is first probed.
	InitialDelay time.Duration
	// Period is the time from one probe to the next.
	Period time.Duration
	// Timeout bounds one probe.
	Timeout time.Duration
	// SuccessThreshold is how many successes in a row make the workload ready.
	SuccessThreshold int32
	// FailureThreshold is how many failures in a row make it not ready.
	FailureThreshold int32
}

// Request is the HTTP half of a Spec.
type Request struct {
	// Path is the URL without scheme and host.
	Path *url.URL
	// HTTP2 is whether the request is sent in HTTP/2 although without TLS. With
	// TLS, both sides agree on a version.
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

// Target is one place at which a probe asks. Targets can be compared, and be
// the key of a map.
type Target struct {
	// Family is the family of the workload's address. It is empty where the
	// probe names a host, which stands for all of the workload's families.
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

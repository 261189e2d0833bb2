package probe

import (
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
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
// address and the number of its port. Specs are never changed once made.
type Spec struct {
	// Kind says how the machine is asked.
	Kind Kind
	// Host is an IP address or, for TCP and HTTP, a DNS name.
	Host string
	// Port is the port's number.
	Port uint16

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
	// URL is the complete URL.
	URL *url.URL
	// Header are the header fields to send.
	Header http.Header
	// Host is the Host field to send; empty for the URL's.
	Host string
	// ServerName is sent as SNI where the URL's scheme is https.
	ServerName string
}

// Address is the host and port in the form that dialers take.
func (s *Spec) Address() string {
	return net.JoinHostPort(s.Host, strconv.Itoa(int(s.Port)))
}

package server

import (
	"context"
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	authenticationv1 "k8s.io/client-go/kubernetes/typed/authentication/v1"
	authorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
)

// Off is an address that disables its endpoints, like the empty one.
const Off = "0"

// Config has the dependencies and settings of a Server.
type Config struct {
	// HealthAddress, as host:port, serves /livez and /readyz. Port 0 selects a free
	// one; empty or Off disables them.
	HealthAddress string
	// Live and Ready are the checks behind /livez and /readyz, in the order in
	// which they are listed.
	Live, Ready []Check

	// MetricsAddress, as host:port, serves /metrics. It may be equal to
	// HealthAddress when Plain is set; then one listener serves both, also on
	// port 0.
	MetricsAddress string
	// Gatherer provides the content of /metrics.
	Gatherer prometheus.Gatherer
	// Profiling adds /debug/pprof to the metrics address, with the same authorization.
	// Profiles can contain secrets; do not combine it with Plain without a reason.
	Profiling bool

	// Plain serves metrics over HTTP to every client that reaches the address, instead
	// of over HTTPS to authorized readers. The fields below are then ignored.
	Plain bool
	// CertificateFile and KeyFile are PEM files that are reloaded when they change. If
	// both are empty, the certificate is self-signed and exists only in memory.
	CertificateFile, KeyFile string
	// TokenReviews finds the user of a bearer token.
	TokenReviews authenticationv1.TokenReviewInterface
	// AccessReviews checks whether that user may get the path.
	AccessReviews authorizationv1.SubjectAccessReviewInterface
}

// Check is one named health check.
type Check struct {
	// Name is one word for the list that ?verbose shows.
	Name string
	// Check returns why the check fails, or nil. It is called for every
	// request, also concurrently, and must return soon and when ctx ends.
	Check func(ctx context.Context) error
}

func off(address string) bool {
	return address == "" || address == Off
}

// shared reports whether one listener serves health and metrics.
func (c Config) shared() bool {
	return c.Plain && !off(c.HealthAddress) && c.HealthAddress == c.MetricsAddress
}

func (c Config) validate() error {
	if off(c.MetricsAddress) {
		return nil
	}
	if c.Gatherer == nil {
		return errors.New("metrics: no gatherer is given")
	}
	if c.Plain {
		return nil
	}
	if c.HealthAddress == c.MetricsAddress && !strings.HasSuffix(c.MetricsAddress, ":0") {
		return errors.New("metrics and health have one address: serve metrics plainly, or on an address of their own")
	}
	if c.TokenReviews == nil || c.AccessReviews == nil {
		return errors.New("metrics: secure serving needs clients for token reviews and subject access reviews")
	}
	if (c.CertificateFile == "") != (c.KeyFile == "") {
		return errors.New("metrics: give both the certificate file and the key file, or neither")
	}
	return nil
}

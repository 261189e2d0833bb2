package probe

import (
	"context"
	"net"
)

// Outcome is how a probe ended. It is a metric label.
type Outcome string

// The outcomes of a probe.
const (
	// Success: the machine is ready.
	Success Outcome = "success"
	// Failure: the machine answered that it is not ready, or not at all.
	Failure Outcome = "failure"
	// Timeout: the timeout expired before there was a result.
	Timeout Outcome = "timeout"
	// Refused: the probe would have reached an address that must not be probed.
	Refused Outcome = "refused"
	// Error: the prober itself failed, which says nothing about the machine.
	Error Outcome = "error"
)

// Result is the result of one probe.
type Result struct {
	// Outcome is how it ended.
	Outcome Outcome
	// Message is for humans; empty for a success without warning. It does not change
	// between probes with the same state.
	Message string
	// Warning is true for a success that the author should look at.
	Warning bool
}

// Prober performs probes. It is safe for concurrent use and keeps no connection between
// probes. The caller limits the number of concurrent probes; Cost returns what each
// needs.
type Prober struct{ dialer net.Dialer }

// NewProber returns a Prober that reaches no address that the policy refuses.
func NewProber(policy AddressPolicy) *Prober {
	return &Prober{
		dialer: net.Dialer{
			Control: policy.control,
			// Each connection is used for one probe only.
			KeepAliveConfig: net.KeepAliveConfig{Enable: false},
			KeepAlive:       -1,
		},
	}
}

// Probe probes one of the spec's targets once. It takes at most the spec's timeout, and
// closes every connection before it returns.
func (p *Prober) Probe(ctx context.Context, spec *Spec, target Target) Result {
	ctx, cancel := context.WithTimeout(ctx, spec.Timeout)
	defer cancel()
	switch spec.Kind {
	case HTTP:
		return p.http(ctx, spec, target)
	case GRPC:
		return p.grpc(ctx, spec, target)
	default:
		return p.tcp(ctx, spec, target)
	}
}

// tcp succeeds if a connection can be opened.
func (p *Prober) tcp(ctx context.Context, spec *Spec, target Target) Result {
	opened, err := p.dial(ctx, target.String())
	if err != nil {
		return failed(spec, err)
	}
	// The result is known; how the connection ends does not matter.
	_ = opened.Close()
	return Result{Outcome: Success}
}

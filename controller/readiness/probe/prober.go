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
	// Timeout: the time was over before it was known.
	Timeout Outcome = "timeout"
	// Refused: the probe would have reached an address that it must not reach.
	Refused Outcome = "refused"
	// Error: the prober itself could not ask. It says nothing of the machine.
	Error Outcome = "error"
)

// Result is what one probe found out.
type Result struct {
	// Outcome is how it ended.
	Outcome Outcome
	// Message tells a human why; empty for a plain success. It holds nothing
	// that changes from one probe of the same state to the next.
	Message string
	// Warning is true for a success that the author should look at.
	Warning bool
}

// Prober performs probes. It is safe for concurrent use and holds no
// connection from one probe to the next. How many probes are in flight is up to
// the caller; Cost says what each takes.
type Prober struct{ dialer net.Dialer }

// NewProber makes a Prober that reaches nothing that the policy refuses.
func NewProber(policy AddressPolicy) *Prober {
	return &Prober{
		dialer: net.Dialer{
			Control: policy.control,
			// A connection lives for one probe only.
			KeepAliveConfig: net.KeepAliveConfig{Enable: false},
			KeepAlive:       -1,
		},
	}
}

// Probe asks one of the spec's targets once. It takes the spec's timeout at
// most, and returns with every connection closed.
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
	// The connection has served its purpose; how it ends says nothing.
	_ = opened.Close()
	return Result{Outcome: Success}
}

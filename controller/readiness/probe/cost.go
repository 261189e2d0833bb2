package probe

// The maximum memory in bytes of one probe of one target, whatever the server does.
// TestHostileServersStayWithinTheirCost measures it.
const (
	costTCP   = 16 << 10
	costHTTP  = 40 << 10
	costHTTP2 = 80 << 10
	costTLS   = 48 << 10
)

// MaxCost is the highest Cost: TLS and HTTP/2 at a target of either family.
const MaxCost = 2 * (costHTTP2 + costTLS)

// Cost returns the maximum memory in bytes of a probe while all its targets are probed
// concurrently. A limit on the number of probes would not bound the memory, because it
// differs tenfold between probes.
func Cost(spec *Spec) int64 {
	return int64(len(spec.Targets)) * costOfTarget(spec)
}

func costOfTarget(spec *Spec) int64 {
	var cost int64
	switch {
	case spec.Kind == TCP:
		return costTCP
	case spec.Kind == HTTP && !spec.Secure && !spec.Request.HTTP2:
		return costHTTP
	default:
		// A server may choose HTTP/2 during the TLS handshake.
		cost = costHTTP2
	}
	if spec.Secure {
		cost += costTLS
	}
	return cost
}

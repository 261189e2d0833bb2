package probe

// What one probe of one target in flight takes in bytes at most, whatever the
// server does; TestHostileServersStayWithinTheirCost measures it.
const (
	costTCP   = 16 << 10
	costHTTP  = 40 << 10
	costHTTP2 = 80 << 10
	costTLS   = 48 << 10
)

// MaxCost is the highest Cost: TLS and HTTP/2 at a target of either family.
const MaxCost = 2 * (costHTTP2 + costTLS)

// Cost returns the memory in bytes that a probe takes at most while all its targets
// are asked at the same time. A number of probes would bound nothing, since what
// one takes differs tenfold.
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
		// A server may choose HTTP/2 once TLS is set up.
		cost = costHTTP2
	}
	if spec.Secure {
		cost += costTLS
	}
	return cost
}

package v1beta1

import (
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Proof states that this instance of a workload answered a probe at this address and
// port. It is the message of a condition WorkloadReadyIPv4 or WorkloadReadyIPv6 with
// status True. It therefore survives a restart of the prober, and cannot be mistaken
// for the proof of another address.
//
// +k8s:deepcopy-gen=false
// +k8s:openapi-gen=false
type Proof struct {
	// Target is the workload's address and the port that was probed.
	Target netip.AddrPort
	// UID is the workload's.
	UID types.UID
	// Host is the host that the probe names, with its port; empty if the
	// workload's own address was probed.
	Host string
}

// The words of a proof's text.
const (
	proofUID  = "uid="
	proofHost = "host="
)

// String returns the text that ParseProof reads, such as
// "10.77.0.1:8080 uid=7c9d" or "10.77.0.1:8080 uid=7c9d host=vm.example.org:80".
func (p Proof) String() string {
	text := p.Target.String() + " " + proofUID + string(p.UID)
	if p.Host != "" {
		text += " " + proofHost + p.Host
	}
	return text
}

// ParseProof reads the text of a Proof. Any other text proves nothing.
func ParseProof(text string) (proof Proof, ok bool) {
	words := strings.Split(text, " ")
	if len(words) < 2 || len(words) > 3 {
		return Proof{}, false
	}
	target, err := netip.ParseAddrPort(words[0])
	if err != nil {
		return Proof{}, false
	}
	uid, found := strings.CutPrefix(words[1], proofUID)
	if !found {
		return Proof{}, false
	}
	proof = Proof{Target: target, UID: types.UID(uid)}
	if len(words) == 3 {
		if proof.Host, found = strings.CutPrefix(words[2], proofHost); !found || proof.Host == "" {
			return Proof{}, false
		}
	}
	return proof, true
}

// ReadyIn returns the type of the condition that says whether the probe of a
// workload's address of one family passes.
func ReadyIn(family corev1.IPFamily) WorkloadConditionType {
	if family == corev1.IPv6Protocol {
		return WorkloadReadyIPv6
	}
	return WorkloadReadyIPv4
}

// Proves reports whether a condition says that a probe has passed at an address of
// this instance of the workload, given in canonical form.
func (c *WorkloadCondition) Proves(address string, uid types.UID) bool {
	if c.Status != ConditionTrue {
		return false
	}
	proof, ok := ParseProof(c.Message)
	return ok && proof.UID == uid && proof.Target.Addr().String() == address
}

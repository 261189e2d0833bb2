package readiness

import (
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/external-workload/controller/controller/readiness/probe"
	"github.com/external-workload/controller/pkg/address"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/desired"
)

// target is one address and port that a workload's probe reaches, and the state of its
// probes.
type target struct {
	probe.Target
	// proofs are the proofs after a passed probe: one for the address of its family, or
	// one for each family if the probe sets a host.
	proofs []proof
	health health
}

// proof is the message of the condition that records a passed probe.
type proof struct {
	condition v1beta1.WorkloadConditionType
	message   string
}

// refusal is a family without an address that may be probed.
type refusal struct {
	// proof is the one from when the address could be probed.
	proof   proof
	message string
}

// same reports whether both are the same place of the same instance of a workload.
func (t target) same(other target) bool {
	return t.Target == other.Target && slices.Equal(t.proofs, other.proofs)
}

// unresolved reports whether the target is a host of which no probe has been tried yet.
func (t target) unresolved() bool {
	return t.Family == "" && t.health.probed.IsZero() && t.health.refused == ""
}

// provesSomething reports whether the workload has an address whose readiness depends on
// the target.
func (t target) provesSomething() bool { return len(t.proofs) > 0 }

// provenBy reports whether the conditions say that the target has passed.
func (t target) provenBy(conditions []v1beta1.WorkloadCondition) bool {
	return t.provesSomething() && !slices.ContainsFunc(t.proofs, func(p proof) bool { return !p.isIn(conditions) })
}

// isIn reports whether the conditions contain the proof.
func (p proof) isIn(conditions []v1beta1.WorkloadCondition) bool {
	found := find(conditions, p.condition)
	return found != nil && found.Status == v1beta1.ConditionTrue && found.Message == p.message
}

var families = []corev1.IPFamily{corev1.IPv4Protocol, corev1.IPv6Protocol}

// hasAddressIn reports whether the workload has an address of a family, valid or not.
func hasAddressIn(workload *v1beta1.ExternalWorkload, family corev1.IPFamily) bool {
	return slices.ContainsFunc(workload.Spec.WorkloadIPs, func(ip v1beta1.WorkloadIP) bool {
		return address.FamilyOfText(ip.IP).String() == string(family)
	})
}

// targetsOf returns the targets of a probe, without results.
func targetsOf(workload *v1beta1.ExternalWorkload, spec *probe.Spec) []target {
	targets := make([]target, 0, len(spec.Targets))
	for _, given := range spec.Targets {
		made := target{Target: given}
		if given.Family != "" {
			made.addProof(workload, given.Family, given.Host, "")
		} else {
			for _, family := range families {
				made.addProof(workload, family, desired.Address(workload.Spec.WorkloadIPs, family), given.String())
			}
		}
		targets = append(targets, made)
	}
	return targets
}

func (t *target) addProof(workload *v1beta1.ExternalWorkload, family corev1.IPFamily, at, host string) {
	parsed, err := netip.ParseAddr(at)
	if err != nil {
		return // the workload has no address of the family
	}
	t.proofs = append(t.proofs, newProof(workload, family, netip.AddrPortFrom(parsed, t.Port), host))
}

func newProof(workload *v1beta1.ExternalWorkload, family corev1.IPFamily, at netip.AddrPort, host string) proof {
	text := v1beta1.Proof{Target: at, UID: workload.UID, Host: host}.String()
	return proof{condition: v1beta1.ReadyIn(family), message: text}
}

// refusalsOf returns the refusals of a probe. Only probes without a host have some, and
// all their targets have the same port.
func refusalsOf(workload *v1beta1.ExternalWorkload, spec *probe.Spec) []refusal {
	var refused []refusal
	for _, err := range spec.Refused {
		family := corev1.IPFamily(address.FamilyOf(err.Address).String())
		there := newProof(workload, family, netip.AddrPortFrom(err.Address, spec.Targets[0].Port), "")
		refused = append(refused, refusal{proof: there, message: err.Error()})
	}
	return refused
}

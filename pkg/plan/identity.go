package plan

import (
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// IdentitiesAnnotation records, on a slice that this controller wrote, the identity
// with which each endpoint was published: a code of eight characters each, in the order
// of the endpoints. Clients learn an endpoint's identity only when it is announced; the
// record reveals a change that no running controller observed. Slices of other
// controllers have no record, and are not rewritten only to add it.
const IdentitiesAnnotation = "external-workload.io/identities"

const (
	// codeLength is the length of desired.Workload.Identity.
	codeLength = 8
	// unknownCode is recorded for an endpoint that was published with another identity
	// than its workload's current one, or that was never ready in the slice, so that
	// clients learned none from it. It is not a digest.
	unknownCode = "--------"
)

// recordsIdentity reports whether the endpoint at a position of the slice was published
// with its workload's current identity. Without a record, it counts as published with
// the first observed identity of the workload.
func (s *slice) recordsIdentity(position int, e *discoveryv1.Endpoint, w *desired.Workload) bool {
	codes := s.identities
	if !s.recorded {
		return e.TargetRef.UID == w.UID && w.Identity == w.FirstIdentity
	}
	if at := position * codeLength; at+codeLength <= len(codes) && codes[at:at+codeLength] == w.Identity {
		return true
	}
	// Another writer may have reordered, added or removed endpoints. A code is a digest
	// of the workload's name too, so it identifies the workload at any position.
	for at := 0; at+codeLength <= len(codes); at += codeLength {
		if codes[at:at+codeLength] == w.Identity {
			return true
		}
	}
	return false
}

// refreshCode is recorded for an endpoint that has to be announced again without a
// change. It is not a digest.
const refreshCode = "refresh-"

// RefreshRequested reports whether endpoints of a slice have to be announced again.
func RefreshRequested(s *discoveryv1.EndpointSlice) bool {
	codes := s.Annotations[IdentitiesAnnotation]
	for at := 0; at+codeLength <= len(codes); at += codeLength {
		if codes[at:at+codeLength] == refreshCode {
			return true
		}
	}
	return false
}

// RequestRefresh returns the value of IdentitiesAnnotation with which the endpoint at a
// position of a slice is announced again, in the same safe steps as one whose
// identity changed. Where the slice records no identities, the others are taken to
// have been published with the identities that identityOf gives for their
// workloads, which may be empty.
func RequestRefresh(s *discoveryv1.EndpointSlice, position int, identityOf func(workload string) string) string {
	recorded := s.Annotations[IdentitiesAnnotation]
	complete := len(recorded) == len(s.Endpoints)*codeLength
	var codes strings.Builder
	for i := range s.Endpoints {
		code := unknownCode
		switch ref := s.Endpoints[i].TargetRef; {
		case i == position:
			code = refreshCode
		case complete:
			code = recorded[i*codeLength : (i+1)*codeLength]
		case ref != nil && len(identityOf(ref.Name)) == codeLength:
			code = identityOf(ref.Name)
		}
		codes.WriteString(code)
	}
	return codes.String()
}

package plan

import (
	"strings"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/pkg/desired"
)

// IdentitiesAnnotation records, on a slice that we wrote, with which identity
// each endpoint was published: a code of eight characters for each, in the
// order of the endpoints. Clients learn an endpoint's identity only when it is
// announced, so a change that happened while nobody was watching can be told
// from it. Slices that another controller wrote have none, and are not
// rewritten for the lack of it.
const IdentitiesAnnotation = "external-workload.io/identities"

const (
	// codeLength is the length of desired.Workload.Identity.
	codeLength = 8
	// unknownCode is recorded for an endpoint whose published identity is not
	// its workload's present one. It is no digest.
	unknownCode = "--------"
)

// recordsIdentity reports whether the endpoint at a position of the slice was
// published with its workload's present identity. Without a record it is taken
// to have been published with the first identity that was seen of the workload.
func (s *slice) recordsIdentity(position int, e *discoveryv1.Endpoint, w *desired.Workload) bool {
	codes := s.identities
	if !s.recorded {
		return e.TargetRef.UID == w.UID && w.Identity == w.FirstIdentity
	}
	if at := position * codeLength; at+codeLength <= len(codes) && codes[at:at+codeLength] == w.Identity {
		return true
	}
	// Somebody may have reordered, added or removed endpoints. A code is a digest
	// of the workload's name as well, so it speaks for this workload wherever it is.
	for at := 0; at+codeLength <= len(codes); at += codeLength {
		if codes[at:at+codeLength] == w.Identity {
			return true
		}
	}
	return false
}

// refreshCode is recorded for an endpoint that is to be announced again though
// nothing of it has changed. It is no digest.
const refreshCode = "refresh-"

// RefreshRequested reports whether endpoints of a slice are to be announced again.
func RefreshRequested(s *discoveryv1.EndpointSlice) bool {
	codes := s.Annotations[IdentitiesAnnotation]
	for at := 0; at+codeLength <= len(codes); at += codeLength {
		if codes[at:at+codeLength] == refreshCode {
			return true
		}
	}
	return false
}

// RequestRefresh is the value of IdentitiesAnnotation with which the endpoint at a
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

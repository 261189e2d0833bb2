package endpointslice

import (
	"maps"
	"slices"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
)

// refusals are the slices of a Service whose last write the API server refused, and
// when. A conflict is not a refusal. The mutex is needed because writes of one plan may
// end at the same time.
type refusals struct {
	mu sync.Mutex
	at map[types.UID]time.Time
}

// wrote records the result of the write of a slice.
func (r *refusals) wrote(uid types.UID, err error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case uid == "":
	case err == nil:
		delete(r.at, uid)
	case writeOutcome(err) == outcomeRefused:
		if r.at == nil {
			r.at = map[types.UID]time.Time{}
		}
		r.at[uid] = now
	}
}

// of returns the refusals of existing slices, and removes the others.
func (r *refusals) of(found []*discoveryv1.EndpointSlice) map[types.UID]time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.at) == 0 {
		return nil
	}
	maps.DeleteFunc(r.at, func(uid types.UID, _ time.Time) bool {
		return !slices.ContainsFunc(found, func(s *discoveryv1.EndpointSlice) bool { return s.UID == uid })
	})
	return maps.Clone(r.at)
}

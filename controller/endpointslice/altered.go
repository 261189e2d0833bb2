package endpointslice

import (
	"context"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/pkg/desired"
	"github.com/external-workload/controller/pkg/plan"
)

// alteredRetry is how long a write is not repeated after the API server stored the
// slice differently than it was sent. An API server that was upgraded meanwhile stores
// all of it.
const alteredRetry = time.Hour

// withdrawalRetry is the same for a write that takes endpoints away from clients:
// whatever restored them may not do so again.
const withdrawalRetry = 5 * time.Second

// retryAfter is how long a write is not repeated.
func retryAfter(w *plan.Write) time.Duration {
	if w.Withdraws() {
		return withdrawalRetry
	}
	return alteredRetry
}

// alterations are the slices of a Service that the API server stored differently than
// they were sent: an older version drops unknown fields, and an admission plugin may
// change any. Sending the same content again would change nothing. The mutex is needed
// because writes of one plan may end at the same time.
type alterations struct {
	mu    sync.Mutex
	byUID map[types.UID]alteration
}

// alteration is a slice as it was sent, and the resourceVersion of the different slice
// that the API server stored.
type alteration struct {
	sent            *discoveryv1.EndpointSlice
	resourceVersion string
	at              time.Time
}

// wrote compares the sent slice with the stored one. It returns the part that differs,
// or an empty text.
func (a *alterations) wrote(sent, stored *discoveryv1.EndpointSlice, now time.Time) (differs string) {
	differs = alteredPart(sent, stored)
	a.mu.Lock()
	defer a.mu.Unlock()
	if differs == "" {
		delete(a.byUID, stored.UID)
		return ""
	}
	if a.byUID == nil {
		a.byUID = map[types.UID]alteration{}
	}
	a.byUID[stored.UID] = alteration{sent, stored.ResourceVersion, now}
	return differs
}

// leaveOut removes the writes from a plan that would repeat altered content. It returns
// when the first of them is due again; the zero time if there is none.
func (a *alterations) leaveOut(next plan.Plan, found []*discoveryv1.EndpointSlice, now time.Time) (rest plan.Plan, again time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.byUID) == 0 {
		return next, time.Time{}
	}
	a.forget(found)
	rest = next.Without(func(w *plan.Write) bool {
		known, altered := a.byUID[w.Slice.UID]
		if !altered || w.Operation != plan.Update || w.Slice.ResourceVersion != known.resourceVersion || alteredPart(known.sent, w.Slice) != "" {
			return false
		}
		due := known.at.Add(retryAfter(w))
		if !now.Before(due) {
			return false
		}
		again = desired.Earlier(again, due)
		return true
	})
	return rest, again
}

// forget drops the slices that are gone.
func (a *alterations) forget(found []*discoveryv1.EndpointSlice) {
	exist := make(map[types.UID]bool, len(found))
	for _, slice := range found {
		exist[slice.UID] = true
	}
	maps.DeleteFunc(a.byUID, func(uid types.UID, _ alteration) bool { return !exist[uid] })
}

// alteredPart returns the first part in which two slices differ, among those that a
// write sets; empty if there is none. It ignores the trigger time.
func alteredPart(a, b *discoveryv1.EndpointSlice) string {
	switch equal := apiequality.Semantic.DeepEqual; {
	case !equal(a.Endpoints, b.Endpoints):
		return alteredPartOfEndpoints(a.Endpoints, b.Endpoints)
	case !equal(a.Ports, b.Ports):
		return "ports"
	case !equal(a.Labels, b.Labels):
		return "labels"
	case !equal(a.OwnerReferences, b.OwnerReferences):
		return "ownerReferences"
	case !equal(lastingAnnotations(a), lastingAnnotations(b)):
		return "annotations"
	}
	return ""
}

// alteredPartOfEndpoints distinguishes hints, which depend on the version, from the
// rest.
func alteredPartOfEndpoints(a, b []discoveryv1.Endpoint) string {
	if len(a) != len(b) {
		return "endpoints"
	}
	for i := range a {
		x, y := a[i], b[i]
		x.Hints, y.Hints = nil, nil
		if !apiequality.Semantic.DeepEqual(x, y) {
			return "endpoints"
		}
	}
	return "endpoints.hints"
}

func lastingAnnotations(slice *discoveryv1.EndpointSlice) map[string]string {
	lasting := maps.Clone(slice.Annotations)
	delete(lasting, corev1.EndpointsLastChangeTriggerTime)
	return lasting
}

// logAltered logs, once per process at the default verbosity, that the API server
// stored a slice differently than it was sent.
func (c *Controller) logAltered(ctx context.Context, w *plan.Write, differs string) {
	log := klog.FromContext(ctx).V(2)
	c.alteredLogged.Do(func() { log = klog.FromContext(ctx) })
	log.Info("The API server stored an EndpointSlice with other content than the request had: it does not know a field, or an admission plugin changed it. The controller will retry later",
		"slice", klog.KObj(w.Slice), "differs", differs, "retryAfter", retryAfter(w))
}

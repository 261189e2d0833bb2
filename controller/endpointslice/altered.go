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

// alteredRetry is how long a write is not repeated whose slice the API server
// stored otherwise than it was sent. A server that was upgraded meanwhile stores
// all of it then.
const alteredRetry = time.Hour

// withdrawalRetry is the same for a write that takes endpoints away from clients:
// what restored them once may not do so again.
const withdrawalRetry = 5 * time.Second

// retryAfter is how long a write is not repeated.
func retryAfter(w *plan.Write) time.Duration {
	if w.Withdraws() {
		return withdrawalRetry
	}
	return alteredRetry
}

// alterations are the slices of a Service that the API server stored otherwise
// than they were sent: an older version drops fields that it does not know, and an
// admission plugin may change any. To send the same again would change nothing.
// Writes of one plan may end at the same time, so it has a lock.
type alterations struct {
	mu    sync.Mutex
	byUID map[types.UID]alteration
}

// alteration is a slice as it was sent, and as of which resourceVersion the API
// server stored something else.
type alteration struct {
	sent            *discoveryv1.EndpointSlice
	resourceVersion string
	at              time.Time
}

// wrote compares what was sent with what the API server has stored. It tells what
// differs, or nothing.
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

// leaveOut leaves the writes out of a plan that would send again what the API
// server altered, and tells when the first of them is due again; the zero time if none is.
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

// alteredPart names the first part in which two slices differ that a write sets;
// empty if none does. The time of the change that a write publishes is no content.
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

// alteredPartOfEndpoints tells hints, which versions differ in, from the rest.
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

// logAltered says the first time in a process, for all Services, that the API
// server stored something else than was sent.
func (c *Controller) logAltered(ctx context.Context, w *plan.Write, differs string) {
	log := klog.FromContext(ctx).V(2)
	c.alteredLogged.Do(func() { log = klog.FromContext(ctx) })
	log.Info("The API server stored an EndpointSlice with other content than the request had: it does not know a field, or an admission plugin changed it. The controller will retry later",
		"slice", klog.KObj(w.Slice), "differs", differs, "retryAfter", retryAfter(w))
}

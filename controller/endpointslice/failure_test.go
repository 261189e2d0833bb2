package endpointslice

import (
	"errors"
	"net/http"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/metrics"
)

// panicking is an Observer that panics on the observations of one Service.
type panicking struct {
	*notes
	on types.NamespacedName
}

func (p panicking) ServiceObserved(key types.NamespacedName, observed metrics.ServiceObserved) {
	if key == p.on {
		panic("observed " + key.String())
	}
	p.notes.ServiceObserved(key, observed)
}

func TestPanicIsCountedAndDoesNotStopOthers(t *testing.T) {
	change := func(config *Config) {
		config.Observer = panicking{config.Observer.(*notes), types.NamespacedName{Namespace: "shop", Name: "bad"}}
	}
	inWorldWith(t, given(build.Service("shop/bad", build.Selector("app", "bad"))), change, func(w *world) {
		w.put(build.Service("shop/web"), build.Workload("shop/a"))
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		w.pass(10 * time.Minute)
		w.do(func() {
			if w.panics < 5 || w.panics != w.results["panic"] {
				t.Errorf("%d panics were counted, syncs were %v", w.panics, w.results)
			}
		})
	})
}

func TestFailureReasons(t *testing.T) {
	for _, test := range []struct {
		err             error
		reason, outcome string
	}{
		{apierrors.NewConflict(endpointSlices, "a", errors.New("modified")), reasonConflict, "conflict"},
		{apierrors.NewAlreadyExists(endpointSlices, "a"), reasonConflict, "conflict"},
		{apierrors.NewForbidden(endpointSlices, "a", errors.New("no")), reasonForbidden, "refused"},
		{apierrors.NewUnauthorized("no"), reasonForbidden, "refused"},
		{apierrors.NewInvalid(schema.GroupKind{Kind: "EndpointSlice"}, "a", nil), reasonInvalid, "refused"},
		{apierrors.NewTooManyRequests("later", 1), reasonThrottled, "error"},
		{apierrors.NewTimeoutError("slow", 1), reasonTimeout, "timeout"},
		{apierrors.NewInternalError(errors.New("broken")), reasonUnavailable, "error"},
		{http.ErrServerClosed, reasonUnavailable, "error"},
	} {
		if got := failureReason(test.err); got != test.reason {
			t.Errorf("%v: the reason is %s, want %s", test.err, got, test.reason)
		}
		if got := writeOutcome(test.err); got != test.outcome {
			t.Errorf("%v: the outcome is %s, want %s", test.err, got, test.outcome)
		}
	}
}

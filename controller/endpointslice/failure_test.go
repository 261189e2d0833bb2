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
	"github.com/external-workload/controller/pkg/failure"
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

func TestOutcomesOfWrites(t *testing.T) {
	for reason, test := range map[string]struct {
		err  error
		want string
	}{
		"none":                {nil, "success"},
		failure.Conflict:      {apierrors.NewConflict(endpointSlices, "a", errors.New("modified")), "conflict"},
		failure.Forbidden:     {apierrors.NewForbidden(endpointSlices, "a", errors.New("no")), "refused"},
		failure.QuotaExceeded: {apierrors.NewForbidden(endpointSlices, "a", errors.New("exceeded quota: few")), "refused"},
		failure.Denied:        {apierrors.NewBadRequest(`admission webhook "x.example.org" denied the request: no`), "refused"},
		failure.Invalid:       {apierrors.NewInvalid(schema.GroupKind{Kind: "EndpointSlice"}, "a", nil), "refused"},
		failure.Throttled:     {apierrors.NewTooManyRequests("later", 1), "error"},
		failure.Timeout:       {apierrors.NewTimeoutError("slow", 1), "timeout"},
		failure.Unavailable:   {http.ErrServerClosed, "error"},
	} {
		t.Run(reason, func(t *testing.T) {
			if got := writeOutcome(test.err); got != test.want {
				t.Errorf("%v: the outcome is %s, want %s", test.err, got, test.want)
			}
		})
	}
}

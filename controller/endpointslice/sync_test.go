package endpointslice

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/external-workload/controller/internal/apifake"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/failure"
)

var endpointSlices = schema.GroupResource{Group: "discovery.k8s.io", Resource: "endpointslices"}

// failing makes writes of slices fail with one of the verbs.
func failing(verb string, failure apifake.Failure) func(clienttesting.Action) *apifake.Failure {
	return func(action clienttesting.Action) *apifake.Failure {
		if action.GetVerb() != verb || action.GetResource().Resource != "endpointslices" {
			return nil
		}
		return &failure
	}
}

// failingFor makes the creates of one Service's slices fail.
func failingFor(service string, err error) func(clienttesting.Action) *apifake.Failure {
	return func(action clienttesting.Action) *apifake.Failure {
		create, ok := action.(clienttesting.CreateActionImpl)
		if !ok {
			return nil
		}
		slice, ok := create.GetObject().(*discoveryv1.EndpointSlice)
		if !ok || slice.Labels[discoveryv1.LabelServiceName] != service {
			return nil
		}
		return &apifake.Failure{Err: err}
	}
}

func TestStaleCacheIsNotWrittenFrom(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.mustWrite("create")
		release := w.api.Hold("endpointslices")
		w.put(build.Workload("shop/a", build.NotReady()))
		w.mustWrite("update")
		w.syncs()
		w.put(build.Workload("shop/a"))
		w.pass(time.Minute)
		w.mustWrite()
		if got := w.syncs(); got[resultStale] == 0 || len(got) > 1 {
			t.Errorf("while the cache was behind, the syncs were %v", got)
		}
		release()
		synctest.Wait()
		w.mustWrite("update")
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

func TestDeletedSliceInTheCacheIsNotDeletedTwice(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.api.Fail(failing("delete", apifake.Failure{Err: apierrors.NewInternalError(errors.New("away"))}))
		w.put(build.Slice("shop/linkerd-external-web-1"))
		release := w.api.Hold("endpointslices")
		w.api.Fail(nil)
		w.pass(time.Minute)
		w.mustWrite("delete error", "delete")
		w.syncs()
		w.put(build.Service("shop/web"))
		w.pass(time.Minute)
		w.mustWrite()
		if got := w.syncs(); got[resultStale] == 0 || len(got) > 1 {
			t.Errorf("while the cache was behind, the syncs were %v", got)
		}
		release()
		w.pass(time.Minute)
		w.mustWrite()
		w.mustPublish()
	})
}

func TestConflictIsRetriedFromTheActualSlice(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a")), func(w *world) {
		w.writes()
		release := w.api.Hold("endpointslices")
		theirs := w.slice()
		theirs.Annotations["note"] = "theirs"
		w.put(theirs)
		w.put(build.Workload("shop/a", build.NotReady()))
		w.mustWrite("update conflict")
		if diff := cmp.Diff(map[string]int{failure.Conflict: 1}, copyOf(w.notes, w.failures)); diff != "" {
			t.Errorf("failures: -want +got\n%s", diff)
		}
		release()
		synctest.Wait()
		w.mustWrite("update")
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1 not ready")
		if got := w.takeEvents(); len(got) > 0 {
			t.Errorf("a conflict was reported: %v", got)
		}
	})
}

func TestOnlyTheSliceThatWasPlannedForIsDeleted(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.api.Fail(failing("delete", apifake.Failure{Err: apierrors.NewInternalError(errors.New("away"))}))
		empty := build.Slice("shop/linkerd-external-web-1")
		w.put(empty)
		w.writes()
		release := w.api.Hold("endpointslices")
		w.put(build.Slice("shop/linkerd-external-web-1", build.Endpoint("a", "192.0.2.1")))
		w.api.Fail(nil)
		w.pass(20 * time.Millisecond)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		release()
		w.pass(time.Minute)
		w.mustPublish()
		writes := w.writes()
		if first, last := writes[0], writes[len(writes)-2:]; first != "delete conflict" || !slices.Equal(last, []string{"update", "delete"}) {
			t.Errorf("writes are %v, want it emptied before it is deleted", writes)
		}
	})
}

func TestOneFailingServiceDoesNotStopOthers(t *testing.T) {
	inWorld(t, nil, func(w *world) {
		w.api.Fail(failingFor("bad", apierrors.NewInternalError(errors.New("storage is away"))))
		w.put(build.Service("shop/bad"), build.Service("shop/good"), build.Workload("shop/a"))
		w.mustPublish("good IPv4 http:8080 | a 192.0.2.1")
		w.pass(10 * time.Hour)
		tries := len(w.writes())
		if tries < 200 || tries > 1000 {
			t.Errorf("there were %d writes in ten hours, want one in two minutes or so", tries)
		}
		w.put(build.Workload("shop/b", build.IPs("192.0.2.2")))
		w.mustPublish("good IPv4 http:8080 | a 192.0.2.1 | b 192.0.2.2")
		w.api.Fail(nil)
		w.pass(2 * time.Minute)
		w.mustPublish("bad IPv4 http:8080 | a 192.0.2.1 | b 192.0.2.2", "good IPv4 http:8080 | a 192.0.2.1 | b 192.0.2.2")
	})
}

func TestTerminatingNamespaceIsQuiet(t *testing.T) {
	terminating := apierrors.NewForbidden(endpointSlices, "web", errors.New("the namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	for name, err := range map[string]error{
		"a terminating namespace": terminating,
		"a deleted namespace":     apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop"),
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, given(build.Service("shop/web")), func(w *world) {
				w.api.Fail(failing("create", apifake.Failure{Err: err}))
				w.syncs()
				w.put(build.Workload("shop/a"))
				w.pass(terminatingRetry + time.Second)
				w.mustWrite("create refused", "create refused")
				if diff := cmp.Diff(map[string]int{resultTerminating: 2}, w.syncs()); diff != "" {
					t.Errorf("syncs: -want +got\n%s", diff)
				}
				if got := append(w.takeEvents(), slices.Sorted(maps.Keys(copyOf(w.notes, w.failures)))...); len(got) > 0 {
					t.Errorf("reported: %v, want nothing", got)
				}
			})
		})
	}
}

// TestNamespaceThatIsCreatedAgainIsServed: an API server whose cache still has the old
// namespace refuses a slice of the new one, and no event follows. The Service was dropped.
func TestNamespaceThatIsCreatedAgainIsServed(t *testing.T) {
	terminating := apierrors.NewForbidden(endpointSlices, "web", errors.New("the namespace is being terminated"))
	terminating.ErrStatus.Details.Causes = []metav1.StatusCause{{Type: corev1.NamespaceTerminatingCause}}
	inWorld(t, given(build.Service("shop/web")), func(w *world) {
		w.api.Fail(failing("create", apifake.Failure{Err: terminating}))
		w.put(build.Workload("shop/a"))
		w.pass(time.Second)
		w.api.Fail(nil)
		w.pass(terminatingRetry)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

func TestCreateWithLostAnswerIsNotRepeated(t *testing.T) {
	inWorld(t, given(build.Service("shop/web")), func(w *world) {
		release := w.api.Hold("endpointslices")
		w.api.Fail(failing("create", apifake.Failure{Err: apierrors.NewTimeoutError("lost", 0), Late: true}))
		w.put(build.Workload("shop/a"))
		w.api.Fail(nil)
		w.pass(time.Minute)
		w.mustWrite("create timeout", "create conflict")
		release()
		w.pass(time.Minute)
		w.mustWrite()
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
	})
}

func TestNameThatAnotherSliceHas(t *testing.T) {
	service, a := build.Service("shop/web"), build.Workload("shop/a")
	inWorld(t, given(service, a), func(w *world) {
		name := w.slice().Name
		w.remove("service web")
		theirs := build.Slice("shop/"+name, build.Label(discoveryv1.LabelManagedBy, "others"), build.Owners(), build.Endpoint("x", "192.0.2.9"))
		w.put(theirs)
		w.writes()
		w.put(service)
		w.pass(time.Second)
		w.mustWrite("create conflict", "create")
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1", "web IPv4 http:8080 | x 192.0.2.9")
	})
}

// TestOwnSliceThatIsNotYetCachedIsNotCreatedTwice removes the managed-by label of a slice,
// so that one informer has lost the slice and the other has not found it yet.
func TestOwnSliceThatIsNotYetCachedIsNotCreatedTwice(t *testing.T) {
	service, a := build.Service("shop/web"), build.Workload("shop/a")
	inWorld(t, given(service, a), func(w *world) {
		slice := w.slice()
		w.remove("workload a")
		w.mustPublish()
		release := w.api.Hold("endpointslices")
		delete(slice.Labels, discoveryv1.LabelManagedBy)
		w.put(slice)
		w.put(a)
		w.pass(time.Minute)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		release()
		w.pass(time.Second)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		if got := w.slice().Labels[discoveryv1.LabelManagedBy]; got != build.ManagedBy {
			t.Errorf("it is managed by %q", got)
		}
	})
}

func TestStepsFollowEachOtherWithoutAPause(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a"), build.Workload("shop/b", build.IPs("192.0.2.2"))), func(w *world) {
		w.writes()
		w.put(build.Workload("shop/a", build.IPs("192.0.2.7")))
		w.mustWrite("update", "update")
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.7 | b 192.0.2.2")
	})
}

func TestNewWorkloadIsReadyAfterItSettled(t *testing.T) {
	inWorld(t, given(build.Service("shop/web")), func(w *world) {
		changed := time.Now()
		w.put(build.Workload("shop/a", build.Created(time.Now())))
		w.pass(99 * time.Millisecond)
		w.mustWrite()
		w.pass(time.Millisecond)
		w.mustWrite("create")
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		trigger := w.slice().Annotations[corev1.EndpointsLastChangeTriggerTime]
		if want := changed.UTC().Format(time.RFC3339Nano); trigger != want {
			t.Errorf("the trigger time is %q, want %s", trigger, want)
		}
	})
}

func TestRestartWithdrawsNoNewWorkload(t *testing.T) {
	inWorld(t, given(build.Service("shop/web")), func(w *world) {
		w.put(build.Workload("shop/a", build.Created(time.Now())))
		w.pass(100 * time.Millisecond)
		w.mustWrite("create")
		w.restart(func() {})
		w.mustWrite()
	})
}

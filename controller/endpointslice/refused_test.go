package endpointslice

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clienttesting "k8s.io/client-go/testing"

	"github.com/external-workload/controller/internal/apifake"
	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/failure"
	"github.com/external-workload/controller/pkg/plan"
)

// A slice whose updates are always refused must not block writes of other slices, not
// even later writes of the same step.
func TestRefusedSliceDoesNotBlockAWithdrawalInAnother(t *testing.T) {
	byName := build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http"))))
	other := build.WorkloadPorts(build.WorkloadPort("http", 9090, "TCP"))
	inWorld(t, given(
		byName, build.Workload("shop/a"), build.Workload("shop/b", build.IPs("192.0.2.2")),
		build.Workload("shop/c", build.IPs("192.0.2.3"), other),
	), func(w *world) {
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1 | b 192.0.2.2", "web IPv4 http:9090 | c 192.0.2.3")
		w.api.Fail(func(action clienttesting.Action) *apifake.Failure {
			update, ok := action.(clienttesting.UpdateAction)
			if !ok {
				return nil
			}
			if slice, ok := update.GetObject().(*discoveryv1.EndpointSlice); ok && *slice.Ports[0].Port == 8080 {
				return &apifake.Failure{Err: apierrors.NewForbidden(endpointSlices, slice.Name, errors.New(
					`ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: no`))}
			}
			return nil
		})
		// b moves to the slice of c, which becomes not ready in the same step.
		w.put(build.Workload("shop/b", build.IPs("192.0.2.2"), other), build.Workload("shop/c", build.IPs("192.0.2.3"), other, build.NotReady()))
		w.pass(time.Minute)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1 | b 192.0.2.2", "web IPv4 http:9090 | c 192.0.2.3 not ready")
		w.do(func() {
			if !slices.ContainsFunc(w.events, func(e string) bool {
				return strings.Contains(e, "denied request") && strings.Contains(e, "exempt the controller's service account")
			}) {
				t.Errorf("no Event names the policy: %q", w.events)
			}
		})
		w.api.Fail(nil)
		w.pass(10 * time.Minute)
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1", "web IPv4 http:9090 | b 192.0.2.2 | c 192.0.2.3 not ready")
	})
}

// The fault: slices change their ports one at a time, and the first one, which was
// always refused, blocked all others.
func TestSliceWithRefusedPortsDoesNotBlockOthers(t *testing.T) {
	byName := build.Service("shop/web", build.Ports(build.Port("http", 80, build.ToName("http"))))
	port := func(number int32) build.WorkloadOption {
		return build.WorkloadPorts(build.WorkloadPort("http", number, "TCP"))
	}
	machines := func(number int32) []runtime.Object {
		return given(
			build.Workload("shop/a", port(number)), build.Workload("shop/b", build.IPs("192.0.2.2"), port(number)),
			build.Workload("shop/c", build.IPs("192.0.2.3"), port(number)),
		)
	}
	inWorldWith(t, append(machines(8080), byName), func(c *Config) { c.MaxEndpoints = 1 }, func(w *world) {
		refused := w.slices()[0].Name // the first to change
		w.api.Fail(func(action clienttesting.Action) *apifake.Failure {
			update, ok := action.(clienttesting.UpdateAction)
			if !ok {
				return nil
			}
			slice, ok := update.GetObject().(*discoveryv1.EndpointSlice)
			if !ok || slice.Name != refused {
				return nil
			}
			return &apifake.Failure{Err: apierrors.NewForbidden(endpointSlices, slice.Name, errors.New(
				`ValidatingAdmissionPolicy 'freeze' with binding 'freeze' denied request: no`))}
		})
		w.put(machines(9090)...)
		w.pass(time.Minute)
		changed := 0
		for _, line := range w.published() {
			if strings.Contains(line, "http:9090") && !strings.Contains(line, "not ready") {
				changed++
			}
		}
		if changed != 2 {
			t.Errorf("%d of the other two slices have their new ports: %q", changed, w.published())
		}
		w.api.Fail(nil)
		w.pass(10 * time.Minute)
		w.mustPublish("web IPv4 http:9090 | a 192.0.2.1", "web IPv4 http:9090 | b 192.0.2.2", "web IPv4 http:9090 | c 192.0.2.3")
	})
}

// With a quota on slices and a changed address family, the new slice can only be created
// after the old one was deleted.
func TestQuotaAndChangeOfAddressFamilyDoNotDeadlock(t *testing.T) {
	inWorld(t, given(build.Service("shop/web"), build.Workload("shop/a", build.IPs("192.0.2.1", "2001:db8::1"))), func(w *world) {
		w.mustPublish("web IPv4 http:8080 | a 192.0.2.1")
		used := 1
		w.api.Fail(func(action clienttesting.Action) *apifake.Failure {
			if action.GetResource().Resource != "endpointslices" {
				return nil
			}
			switch {
			case action.GetVerb() == "delete":
				used--
			case action.GetVerb() == "create" && used > 0:
				return &apifake.Failure{Err: apierrors.NewForbidden(endpointSlices, "x", errors.New(
					"exceeded quota: few, requested: count/endpointslices.discovery.k8s.io=1, used: count/endpointslices.discovery.k8s.io=1, limited: count/endpointslices.discovery.k8s.io=1"))}
			case action.GetVerb() == "create":
				used++
			}
			return nil
		})
		w.put(build.Service("shop/web", build.Families(corev1.IPv6Protocol)))
		w.pass(time.Minute)
		w.mustPublish("web IPv6 http:8080 | a 2001:db8::1")
		w.do(func() {
			if slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, "permissions") }) {
				t.Errorf("an Event advises permissions: %q", w.events)
			}
		})
	})
}

func TestExecute(t *testing.T) {
	refused := apierrors.NewForbidden(endpointSlices, "s", errors.New("no"))
	conflict := apierrors.NewConflict(endpointSlices, "s", errors.New("modified"))
	for sentence, row := range map[string]struct {
		after map[int][]int
		fails map[int]error
		want  []int // the writes that are made
		err   error
	}{
		"independent writes are all made":                      {want: []int{0, 1, 2, 3}},
		"a failed write does not block the others":             {fails: map[int]error{0: refused}, want: []int{0, 1, 2, 3}, err: refused},
		"a write that depends on a failed one is skipped":      {after: map[int][]int{2: {0}, 3: {1}}, fails: map[int]error{0: refused}, want: []int{0, 1, 3}, err: refused},
		"and so is a write that depends on that":               {after: map[int][]int{2: {0}, 3: {1, 2}}, fails: map[int]error{0: refused}, want: []int{0, 1}, err: refused},
		"of several failures, one that needs an operator wins": {fails: map[int]error{0: conflict, 2: refused, 3: conflict}, want: []int{0, 1, 2, 3}, err: refused},
	} {
		t.Run(sentence, func(t *testing.T) {
			writes := make([]plan.Write, 4)
			for i := range writes {
				writes[i] = plan.Write{Slice: build.Slice("shop/s" + string(rune('0'+i))), After: row.after[i]}
			}
			made := make(chan int, len(writes))
			err := execute(writes, 2, func(w plan.Write) error {
				i := int(w.Slice.Name[1] - '0')
				made <- i
				return row.fails[i]
			})
			close(made)
			var got []int
			for i := range made {
				got = append(got, i)
			}
			slices.Sort(got)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("writes made (-want +got):\n%s", diff)
			}
			if row.err == nil && err != nil || !errors.Is(err, row.err) {
				t.Errorf("error %v, want %v", err, row.err)
			}
		})
	}
}

func TestAdviceNamesWhatRefuses(t *testing.T) {
	invalid := schema.GroupKind{Kind: "EndpointSlice"}
	policy := apierrors.NewInvalid(invalid, "a", nil)
	policy.ErrStatus.Message = `endpointslices "a" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'y' denied request: no`
	webhook := apierrors.NewBadRequest(`admission webhook "x.example.org" denied the request: no`)
	for _, row := range []struct {
		err    error
		reason string
		advice string
	}{
		{apierrors.NewForbidden(endpointSlices, "a", errors.New("exceeded quota: few")), failure.QuotaExceeded, "ResourceQuota"},
		{policy, failure.Denied, "policy or webhook"},
		{webhook, failure.Denied, "policy or webhook"},
		{apierrors.NewForbidden(endpointSlices, "a", errors.New("no")), failure.Forbidden, "permissions"},
		{apierrors.NewInvalid(invalid, "a", nil), failure.Invalid, "report"},
	} {
		if reason := failure.Reason(row.err); reason != row.reason || !strings.Contains(advice(reason), row.advice) {
			t.Errorf("%v: reason %s with advice %q, want %s with %q", row.err, reason, advice(reason), row.reason, row.advice)
		}
	}
}

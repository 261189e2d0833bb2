package readiness

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
	"github.com/external-workload/controller/pkg/failure"
	"github.com/external-workload/controller/pkg/generated/clientset/versioned/fake"
	"github.com/external-workload/controller/pkg/generated/informers/externalversions"
)

func TestStartKeepsReadinessUntilTheThreshold(t *testing.T) {
	workloads, names := fleet(5, "")
	inWorld(t, workloads, Config{}, func(w *world) {
		w.setDown(true, names[0])
		for len(w.notReady()) == 0 {
			w.pass(100 * time.Millisecond)
		}
		if got := w.timesAsked(names[0]); got != 3 {
			t.Errorf("it became not ready after %d probes, want 3", got)
		}
	})
}

func TestNewProbeRunsAtOnce(t *testing.T) {
	inWorld(t, nil, Config{}, func(w *world) {
		created := workload("vm", asking("vm", `,"periodSeconds":3600`))
		created.CreationTimestamp = metav1.Now()
		if _, err := w.client.WorkloadV1beta1().ExternalWorkloads("shop").Create(t.Context(), created, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := w.get("vm").Status.Conditions; len(got) != 2 || got[0].Status != "True" || got[0].Reason != ReasonProbeSucceeded || got[1] != probedAt(since(proven("vm", "192.0.2.10:80"), got[0].LastTransitionTime.Time), got[0].LastProbeTime.Time) {
			t.Errorf("conditions are %+v", got)
		}
	})
}

func TestChangedAndRemovedProbesTakeEffectAtOnce(t *testing.T) {
	workloads, names := fleet(1, `,"periodSeconds":3600`)
	vm := names[0]
	inWorld(t, workloads, Config{}, func(w *world) {
		w.update(vm, asking("other", `,"periodSeconds":3600`))
		if got := w.timesAsked("other"); got != 1 {
			t.Fatalf("the changed probe ran %d times, want once", got)
		}
		w.update(vm, asking("other", `,"periodSeconds":3600,"initialDelaySeconds":0`), func(e *v1beta1.ExternalWorkload) { e.Labels = map[string]string{"a": "b"} })
		if got := w.timesAsked("other"); got != 1 {
			t.Errorf("an unchanged probe ran again")
		}
		w.update(vm, func(e *v1beta1.ExternalWorkload) { delete(e.Annotations, v1beta1.ProbeAnnotation) })
		w.pass(3 * time.Hour)
		if got := w.timesAsked("other"); got != 1 {
			t.Errorf("the probe ran %d times although it was removed", got)
		}
		if got := w.get(vm).Status.Conditions[0]; got.Status != "True" {
			t.Errorf("Ready became %+v when the probe was removed", got)
		}
	})
}

// TestResultOfAnotherProbeDoesNotCount changes a probe while it runs.
func TestResultOfAnotherProbeDoesNotCount(t *testing.T) {
	workloads, names := fleet(1, `,"periodSeconds":3600,"timeoutSeconds":30,"failureThreshold":1`)
	vm := names[0]
	inWorld(t, workloads, Config{}, func(w *world) {
		w.setDown(true, vm)
		for w.timesAsked(vm) == 0 {
			w.pass(time.Second)
		}
		w.update(vm, asking("other", `,"periodSeconds":3600`))
		w.pass(10 * time.Minute)
		if got := w.notReady(); len(got) > 0 {
			t.Error("the failure of the old probe changed the workload's readiness")
		}
		if got := copyOf(w.notes, w.probes); got["grpc timeout"] > 0 || got["grpc success"] != 1 {
			t.Errorf("probes are %v", got)
		}
	})
}

// TestAnInvitedMachineIsNotInvalid: its probe waits for an address.
func TestAnInvitedMachineIsNotInvalid(t *testing.T) {
	invited := workload("vm", asking("vm", ""), at())
	broken := workload("broken", probed(`{"httpGet":{"port":80,"scheme":"FTP"}}`), at())
	inWorld(t, []*v1beta1.ExternalWorkload{invited, broken}, Config{}, func(w *world) {
		w.pass(time.Minute)
		if got := w.get("vm").Status.Conditions; len(got) > 0 {
			t.Errorf("before it registers: %+v", got)
		}
		if accepted := find(w.get("broken").Status.Conditions, v1beta1.WorkloadAccepted); accepted == nil || accepted.Reason != ReasonInvalidProbe {
			t.Errorf("with an invalid probe: %+v", accepted)
		}
		if diff := cmp.Diff(map[string]int{ReasonInvalidProbe: 1}, w.rejected); diff != "" || len(w.events) != 1 {
			t.Errorf("rejected %v, events %v; want those of the invalid probe", w.rejected, w.events)
		}
		w.update("vm", at("192.0.2.10"))
		w.pass(time.Minute)
		if got := w.notReady(); len(got) != 1 || got[0] != "broken" {
			t.Errorf("not ready: %v", got)
		}
		w.update("vm", at())
		w.mustBe("without its address", "vm", "Ready False NoAddress: the workload has no address to probe")
		if len(w.events) != 1 {
			t.Errorf("events %v", w.events)
		}
	})
}

func TestInvalidAnnotationsAffectNoOtherWorkload(t *testing.T) {
	workloads, names := fleet(3, "")
	bad := names[1]
	workloads[1].Annotations[v1beta1.ProbeAnnotation] = `{"exec":{"command":["true"]}}`
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(time.Minute)
		accepted := find(w.get(bad).Status.Conditions, v1beta1.WorkloadAccepted)
		if accepted == nil || accepted.Status != "False" || accepted.Reason != ReasonInvalidProbe || !strings.Contains(accepted.Message, "exec") {
			t.Errorf("Accepted is %+v", accepted)
		}
		if got := w.notReady(); len(got) > 0 {
			t.Errorf("not ready: %v", got)
		}
		if diff := cmp.Diff(map[string]int{ReasonInvalidProbe: 1}, w.rejected); diff != "" || len(w.events) != 1 {
			t.Errorf("rejected %v, events %v", w.rejected, w.events)
		}
		for _, name := range []string{names[0], names[2]} {
			if w.timesAsked(name) < 6 {
				t.Errorf("%s was probed %d times in a minute", name, w.timesAsked(name))
			}
		}
		w.update(bad, asking(bad, ""))
		if got := find(w.get(bad).Status.Conditions, v1beta1.WorkloadAccepted); got != nil {
			t.Errorf("Accepted is still %+v", got)
		}
	})
}

// TestAddressProblems: the controller finds these problems in the object itself.
func TestAddressProblems(t *testing.T) {
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", at("127.0.0.1"))}, Config{}, func(w *world) {
		got := find(w.get("vm").Status.Conditions, v1beta1.WorkloadAccepted)
		if got == nil || got.Reason != ReasonInvalidAddress || !strings.Contains(got.Message, "correct spec.workloadIPs") {
			t.Errorf("Accepted is %+v", got)
		}
		w.update("vm", at("192.0.2.1"))
		if got := w.get("vm").Status.Conditions; len(got) > 0 {
			t.Errorf("the condition is still set: %+v", got)
		}
		if diff := cmp.Diff(map[string]int{"success": 2}, w.writes); diff != "" {
			t.Errorf("writes: %s", diff)
		}
	})
}

// TestFailedWriteOfAStatusIsCounted: only failures of publishing were counted, so no alert
// reported a permission that was missing for the status.
func TestFailedWriteOfAStatusIsCounted(t *testing.T) {
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm")}, Config{}, func(w *world) {
		failures := []error{
			apierrors.NewForbidden(v1beta1.Resource("externalworkloads"), "vm", errors.New("no")),
			apierrors.NewConflict(v1beta1.Resource("externalworkloads"), "vm", errors.New("modified")),
		}
		w.whenUpdated(func(written *v1beta1.ExternalWorkload) (err error) {
			if len(failures) > 0 && len(written.Status.Conditions) > 0 {
				err, failures = failures[0], failures[1:]
			}
			return err
		})
		w.update("vm", declared("True"))
		w.pass(time.Minute)
		if diff := cmp.Diff(map[string]int{failure.Forbidden: 1, failure.Conflict: 1}, copyOf(w.notes, w.failures)); diff != "" {
			t.Errorf("failures: -want +got\n%s", diff)
		}
	})
}

// TestHealthyProbingWritesLittle counts the writes of an hour.
func TestHealthyProbingWritesLittle(t *testing.T) {
	workloads, _ := fleet(200, "")
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(10 * time.Minute)
		before := copyOf(w.notes, w.writes)["success"]
		w.pass(time.Hour)
		written := copyOf(w.notes, w.writes)["success"] - before
		if written > 200*12 || written < 200*6 {
			t.Errorf("%d writes in an hour, want at most one every five minutes and at least one every ten", written)
		}
		if asked := copyOf(w.notes, w.probes)["grpc success"]; asked < 200*6*60 {
			t.Errorf("only %d probes", asked)
		}
	})
}

func TestWorkloadsAreCounted(t *testing.T) {
	workloads, names := fleet(2, "")
	workloads = append(workloads, workload("said", declared("False")), workload("plain"))
	inWorld(t, workloads, Config{}, func(w *world) {
		w.pass(time.Minute)
		if err := w.client.WorkloadV1beta1().ExternalWorkloads("shop").Delete(t.Context(), names[0], metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := map[class]int{{SourceProbe, "True"}: 1, {SourceDeclared, "Unknown"}: 0, {SourceDeclared, "False"}: 1, {SourceOther, "Unknown"}: 1}
		if diff := cmp.Diff(want, copyOf(w.notes, w.workloads), cmp.AllowUnexported(class{})); diff != "" {
			t.Errorf("-want +got\n%s", diff)
		}
	})
}

func TestSeveralNamespacesAreOneFleet(t *testing.T) {
	elsewhere := workload("said", declared("True"), func(w *v1beta1.ExternalWorkload) { w.Namespace = "elsewhere" })
	inWorld(t, []*v1beta1.ExternalWorkload{workload("said", declared("True")), elsewhere}, Config{}, func(w *world) {
		for _, namespace := range []string{"shop", "elsewhere"} {
			got, err := w.client.WorkloadV1beta1().ExternalWorkloads(namespace).Get(t.Context(), "said", metav1.GetOptions{})
			if err != nil || !isReady(got) {
				t.Errorf("in namespace %s: %+v, %v", namespace, got, err)
			}
		}
	})
}

func TestConfigIsChecked(t *testing.T) {
	good := func() Config {
		client := fake.NewSimpleClientset()
		workloads := externalversions.NewSharedInformerFactory(client, 0).Workload().V1beta1().ExternalWorkloads()
		return Config{Client: client, Workloads: workloads, Events: newNotes(), Observer: newNotes()}
	}
	for name, test := range map[string]struct {
		change func(*Config)
		says   string
	}{
		"the defaults":       {change: func(*Config) {}},
		"without a client":   {change: func(c *Config) { c.Client = nil }, says: "are all needed"},
		"a negative minimum": {change: func(c *Config) { c.HoldMinimum = -1 }, says: "hold minimum is -1"},
		"no hold":            {change: func(c *Config) { c.HoldMaximum = HoldNever }},
		"a hold without end": {change: func(c *Config) { c.HoldMaximum = HoldUnlimited }},
	} {
		t.Run(name, func(t *testing.T) {
			config := good()
			test.change(&config)
			_, err := New(config)
			if (err == nil) != (test.says == "") || (err != nil && !strings.Contains(err.Error(), test.says)) {
				t.Errorf("the error is %v, want one that says %q", err, test.says)
			}
		})
	}
}

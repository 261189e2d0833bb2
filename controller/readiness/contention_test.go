package readiness

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// fight runs another writer for a time. It sets Ready back as soon as its status or
// reason differs, and fight counts its writes.
func (w *world) fight(name string, status v1beta1.ConditionStatus, duration time.Duration) (writes int) {
	w.t.Helper()
	for end := time.Now().Add(duration); time.Now().Before(end); w.pass(20 * time.Millisecond) {
		current := w.get(name)
		ready := find(current.Status.Conditions, v1beta1.WorkloadReady)
		if ready == nil || ready.Status == status && ready.Reason == "Agent" {
			continue
		}
		ready.Status, ready.Reason = status, "Agent"
		current.ResourceVersion = strconv.Itoa(int(time.Now().UnixMilli())) // the fake leaves it as it is
		if _, err := w.client.WorkloadV1beta1().ExternalWorkloads("shop").UpdateStatus(w.t.Context(), current, metav1.UpdateOptions{}); err != nil {
			w.t.Fatal(err)
		}
		writes++
	}
	return writes
}

func countEvents(w *world, reason string) (count int) {
	w.do(func() {
		for _, event := range w.events {
			if strings.Contains(event, " "+reason+": ") {
				count++
			}
		}
	})
	return count
}

// TestTwoWritersOfReadyDoNotFight: two writers made 50 status writes a second for ever.
func TestTwoWritersOfReadyDoNotFight(t *testing.T) {
	for name, test := range map[string]struct {
		declared string
		theirs   v1beta1.ConditionStatus
	}{
		"declared True, the other says False": {"True", "False"},
		"declared False, the other says True": {"False", "True"},
		"both say True":                       {"True", "True"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", declared(test.declared))}, Config{}, func(w *world) {
				if got := w.fight("vm", test.theirs, 10*time.Minute); got < overwriteThreshold || got > 15 {
					t.Errorf("the other writer had to write %d times in ten minutes", got)
				}
				if got := countEvents(w, "ReadyConflict"); got != 1 {
					t.Errorf("%d Events ReadyConflict, want one: %v", got, w.events)
				}
				if got := w.get("vm").Status.Conditions[0]; got.Status != test.theirs || got.Reason != "Agent" {
					t.Errorf("during the backoff Ready is %+v, want the other writer's value", got)
				}
				w.pass(2 * lastBackoff)
				if got := w.get("vm").Status.Conditions[0]; string(got.Status) != test.declared || got.Reason != ReasonDeclared {
					t.Errorf("after the other writer has stopped, Ready is %+v", got)
				}
			})
		})
	}
}

func TestOneEditOfReadyIsRepairedAtOnce(t *testing.T) {
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", declared("True"))}, Config{}, func(w *world) {
		for range 5 {
			w.fight("vm", "False", 20*time.Millisecond)
			w.pass(20 * time.Millisecond)
			if got := w.get("vm").Status.Conditions[0]; got.Status != "True" {
				t.Errorf("Ready is %+v", got)
			}
			w.pass(2 * quietPeriod)
		}
		if got := countEvents(w, "ReadyConflict"); got > 0 {
			t.Errorf("Events are %v", w.events)
		}
	})
}

// TestRepairThatFailsCountsOnce: the retries of a write are no edits of another writer.
func TestRepairThatFailsCountsOnce(t *testing.T) {
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", declared("True"))}, Config{}, func(w *world) {
		failures := 0
		w.whenUpdated(func(written *v1beta1.ExternalWorkload) error {
			if find(written.Status.Conditions, v1beta1.WorkloadReady).Reason != ReasonDeclared || failures == 6 {
				return nil
			}
			failures++
			return apierrors.NewInternalError(errors.New("etcd is slow"))
		})
		w.fight("vm", "False", 20*time.Millisecond)
		w.pass(500 * time.Millisecond)
		if got := w.get("vm").Status.Conditions[0]; got.Status != "True" || failures != 6 {
			t.Errorf("after %d failures Ready is %+v", failures, got)
		}
		if got := countEvents(w, "ReadyConflict"); got > 0 || w.overwrites != 1 {
			t.Errorf("%d overwrites, want one; Events %v", w.overwrites, w.events)
		}
	})
}

// TestNewDeclarationDoesNotWaitForABackoff: only repeated writes wait.
func TestNewDeclarationDoesNotWaitForABackoff(t *testing.T) {
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", declared("Unknown"))}, Config{}, func(w *world) {
		w.fight("vm", "True", 5*time.Minute)
		w.update("vm", declared("False"))
		synctest.Wait()
		if got := w.get("vm").Status.Conditions[0]; got.Status != "False" {
			t.Errorf("Ready is %+v", got)
		}
	})
}

// TestFlappingMachineIsNoContention: our own changes do not count as those of another
// writer.
func TestFlappingMachineIsNoContention(t *testing.T) {
	workloads, names := fleet(1, `,"periodSeconds":1,"failureThreshold":1`)
	inWorld(t, workloads, Config{}, func(w *world) {
		for i := range 40 {
			w.setDown(i%2 == 0, names[0])
			w.pass(4 * time.Second)
		}
		if w.overwrites > 0 || slices.ContainsFunc(w.events, func(e string) bool { return strings.Contains(e, "ReadyConflict") }) {
			t.Errorf("%d overwrites, Events %v", w.overwrites, w.events)
		}
	})
}

package readiness

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// fight runs another writer for a time. It sets Ready back as soon as its status or
// reason differs, and fight counts its writes.
func (w *world) fight(name string, status v1beta1.ConditionStatus, duration time.Duration) (writes int) {
	w.t.Helper()
	return w.fightBy(name, duration, func(current *v1beta1.ExternalWorkload) {
		if ready := find(current.Status.Conditions, v1beta1.WorkloadReady); ready != nil {
			ready.Status, ready.Reason = status, "Agent"
		}
	})
}

// fightBy runs another writer for a time. It writes whenever its edit changes the
// conditions, and fightBy counts its writes.
func (w *world) fightBy(name string, duration time.Duration, edit func(*v1beta1.ExternalWorkload)) (writes int) {
	w.t.Helper()
	for end := time.Now().Add(duration); time.Now().Before(end); w.pass(20 * time.Millisecond) {
		current := w.get(name)
		edited := current.DeepCopy()
		edit(edited)
		if equality.Semantic.DeepEqual(current, edited) {
			continue
		}
		edited.ResourceVersion = strconv.Itoa(int(time.Now().UnixMilli())) // the fake leaves it as it is
		if _, err := w.client.WorkloadV1beta1().ExternalWorkloads("shop").UpdateStatus(w.t.Context(), edited, metav1.UpdateOptions{}); err != nil {
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

// TestTwoWritersOfAnyConditionDoNotFight: only Ready was yielded, and only to a writer
// that changed its status or reason. The other conditions, or a Ready that was removed,
// were repaired at once for ever.
func TestTwoWritersOfAnyConditionDoNotFight(t *testing.T) {
	change := func(kind v1beta1.WorkloadConditionType, change func(*v1beta1.WorkloadCondition)) func(*v1beta1.ExternalWorkload) {
		return func(w *v1beta1.ExternalWorkload) {
			if found := find(w.Status.Conditions, kind); found != nil {
				change(found)
			}
		}
	}
	add := func(added v1beta1.WorkloadCondition) func(*v1beta1.ExternalWorkload) {
		return func(w *v1beta1.ExternalWorkload) {
			if find(w.Status.Conditions, added.Type) == nil {
				w.Status.Conditions = append(w.Status.Conditions, added)
			}
		}
	}
	onlyItsOwn := having(is("Patched", "True", "", ""))
	ready := workload("vm", asking("vm", ""), having(is(v1beta1.WorkloadReady, "True", ReasonProbeSucceeded, ""), proven("vm", "192.0.2.10:80")))
	for name, test := range map[string]struct {
		workload *v1beta1.ExternalWorkload
		edit     func(*v1beta1.ExternalWorkload)
	}{
		"the other replaces the whole list of a declared workload": {workload("vm", declared("True")), onlyItsOwn},
		"the other replaces the whole list of a probed workload":   {ready, onlyItsOwn},
		"the other sets a family to False": {ready, change(v1beta1.WorkloadReadyIPv4, func(c *v1beta1.WorkloadCondition) {
			c.Status, c.Reason = "False", "Agent"
		})},
		"the other changes the message of a family": {ready, change(v1beta1.WorkloadReadyIPv4, func(c *v1beta1.WorkloadCondition) {
			c.Message = "the agent says"
		})},
		"the other adds a family without address": {ready, add(is(v1beta1.WorkloadReadyIPv6, "True", "Agent", ""))},
		"the other repeats Ready": {ready, func(w *v1beta1.ExternalWorkload) {
			if len(w.Status.Conditions) < 3 {
				w.Status.Conditions = append(w.Status.Conditions, is(v1beta1.WorkloadReady, "False", "Agent", ""))
			}
		}},
		"the other says that a valid workload is not accepted": {ready, add(is(v1beta1.WorkloadAccepted, "False", ReasonInvalidProbe, ""))},
		"the other removes that an invalid one is not accepted": {workload("vm", declared("perhaps")), func(w *v1beta1.ExternalWorkload) {
			w.Status.Conditions = nil
		}},
		"the other removes Draining":            {workload("vm", annotated(v1beta1.DrainAnnotation, "true")), func(w *v1beta1.ExternalWorkload) { w.Status.Conditions = nil }},
		"the other adds Draining in our name":   {ready, add(is(v1beta1.WorkloadDraining, "True", ReasonDrainRequested, ""))},
		"the other changes why we are draining": {workload("vm", annotated(v1beta1.DrainAnnotation, "true")), change(v1beta1.WorkloadDraining, func(c *v1beta1.WorkloadCondition) { c.Reason = ReasonDeleting })},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, []*v1beta1.ExternalWorkload{test.workload}, Config{}, func(w *world) {
				w.pass(time.Minute)
				settled := w.get("vm").Status.Conditions
				if got := w.fightBy("vm", 10*time.Minute, test.edit); got < overwriteThreshold || got > 15 {
					t.Errorf("the other writer had to write %d times in ten minutes", got)
				}
				if got := countEvents(w, "ReadyConflict"); got != 1 {
					t.Errorf("%d Events ReadyConflict, want one: %v", got, w.events)
				}
				w.pass(2 * lastBackoff)
				opts := []cmp.Option{
					cmpopts.IgnoreFields(v1beta1.WorkloadCondition{}, "LastProbeTime", "LastTransitionTime"),
					cmpopts.SortSlices(func(a, b v1beta1.WorkloadCondition) bool { return a.Type < b.Type }),
					cmpopts.IgnoreSliceElements(func(c v1beta1.WorkloadCondition) bool { return c.Type == "Patched" }),
				}
				if diff := cmp.Diff(settled, w.get("vm").Status.Conditions, opts...); diff != "" {
					t.Errorf("after the other writer has stopped: -want +got\n%s", diff)
				}
			})
		})
	}
}

// TestRestoredProofIsWithdrawnAtOnce: an agent that writes the list of a stale cache
// restores a proof that has become untrue. No backoff may leave it.
func TestRestoredProofIsWithdrawnAtOnce(t *testing.T) {
	proof := proven("vm", "192.0.2.10:80")
	stale := having(is(v1beta1.WorkloadReady, "True", "Agent", ""), proof)
	inWorld(t, []*v1beta1.ExternalWorkload{workload("vm", asking("vm", ""), stale)}, Config{}, func(w *world) {
		w.setDown(true, "vm")
		w.pass(5 * time.Minute)
		for range 20 {
			w.fightBy("vm", 20*time.Millisecond, stale)
			if isTrue(w.get("vm").Status.Conditions, proof.Type) {
				t.Fatalf("the proof stays: %+v", w.get("vm").Status.Conditions)
			}
		}
	})
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

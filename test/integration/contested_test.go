package integration

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/external-workload/controller/internal/build"
	"github.com/external-workload/controller/pkg/apis/workload/v1beta1"
)

// TestTwoWritersOfReadyDoNotFight has another writer that sets Ready to False whenever it
// sees True, while an annotation declares True. Without a backoff this caused a hundred
// writes a second.
func TestTwoWritersOfReadyDoNotFight(t *testing.T) {
	const observed = 10 * time.Second
	e := startWired(t, nil)
	s := e.newSite(t)
	e.run(s)
	s.service("web")
	before := s.requests()
	s.createWorkload("contested", build.Annotation(v1beta1.ReadyAnnotation, "True"))
	ctx, cancel := context.WithTimeout(t.Context(), observed)
	defer cancel()
	overwrites := s.overwrite(ctx, t)
	// Three repairs at once, then one after 1, 2 and 4 seconds.
	if overwrites < 3 || overwrites > 7 {
		t.Errorf("Ready was written %d times in %s, want 3 to 7", overwrites, observed)
	}
	if writes := s.sliceWrites(before); writes > 2*7+1 {
		t.Errorf("there were %d writes of slices in %s", writes, observed)
	}
	s.eventually("an Event names the other writer", func() (bool, string) {
		var seen []string
		for _, event := range s.eventsOn(t, "contested") {
			seen = append(seen, event.Reason+": "+event.Note)
			if event.Reason == "ReadyConflict" && strings.Contains(event.Note, `field manager "rival"`) {
				return true, ""
			}
		}
		return false, strings.Join(seen, "; ")
	})
}

// overwrite sets Ready to False whenever it is True, until ctx is cancelled, and returns the
// number of its writes.
func (s *eventSite) overwrite(ctx context.Context, t *testing.T) (overwrites int) {
	t.Helper()
	watched, err := s.workloads.WorkloadV1beta1().ExternalWorkloads(s.namespace).Watch(ctx, metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer watched.Stop()
	for event := range watched.ResultChan() {
		workload, is := event.Object.(*v1beta1.ExternalWorkload)
		if !is || event.Type == watch.Deleted {
			continue
		}
		for _, condition := range workload.Status.Conditions {
			if condition.Type == v1beta1.WorkloadReady && condition.Status == v1beta1.ConditionTrue && ctx.Err() == nil {
				overwrites++
				s.rivalWrites("contested", "RivalSays")
			}
		}
	}
	return overwrites
}

package faults_test

import (
	"math/rand/v2"
	"testing"
	"time"
)

// Fault: kill -9 at any moment, any number of times.
// Promise: the state is exact after a restart, without needless writes.
func TestKilledAtAnyMoment(t *testing.T) {
	w := newParallelWorld(t)
	const services, each, rounds = 20, 5, 15
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, seed))
	w.seed(w.namespace, services, each)
	c := w.alone()
	w.converges(time.Minute)
	start := w.history.Len()
	for range rounds {
		for range 1 + draw.IntN(40) {
			w.flip(w.namespace, workloadName(draw.IntN(services), draw.IntN(each)))
		}
		c.Kill()
		// The time from a start to the first write is a few hundred milliseconds: half of the
		// kills happen while the caches fill.
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		writes := w.history.Len()
		limit := time.Duration(draw.IntN(800)) * time.Millisecond
		began := time.Now()
		w.eventually(time.Minute, "a moment for the next kill", func() bool {
			return w.history.Len() > writes+draw.IntN(3) || time.Since(began) > limit
		})
	}
	c.Kill()
	w.start(c)
	w.converges(30 * time.Second)
	w.nothingNeedless(start)

	c.Kill()
	settled := w.history.Len()
	w.start(c)
	w.flip(w.namespace, workloadName(0, 0))
	w.converges(30 * time.Second)
	if writes := w.history.Len() - settled; writes != 1 {
		t.Errorf("a restart and one flip took %d writes, want 1", writes)
	}
}

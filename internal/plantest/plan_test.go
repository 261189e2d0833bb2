package plantest_test

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/external-workload/controller/internal/plantest"
	"github.com/external-workload/controller/internal/plantest/planned"
)

var (
	stepsWanted = flag.Int("plan.steps", 100_000, "number of steps of the random histories")
	seedWanted  = flag.Uint64("plan.seed", 0, "seed of the first random history; 0 uses the time")
)

const historyLength = 30

// laggingConsumers is the installation whose histories detect the mutants of rules about
// time.
const laggingConsumers = "consumers that lag"

// start starts a controller.
type start func(withhold bool) plantest.Controller

// setups returns the installations whose histories are played.
func setups(controller start) map[string]*plantest.Setup {
	setup := func(dualStack, withhold, lagging bool) *plantest.Setup {
		return &plantest.Setup{
			NewController: func() plantest.Controller { return controller(withhold) },
			MaxEndpoints:  planned.MaxEndpoints, MaxSteps: maxSteps,
			DualStack: dualStack, WithholdSecondFamily: withhold, Lagging: lagging,
		}
	}
	return map[string]*plantest.Setup{
		"one family":                        setup(false, false, false),
		"two families, the second withheld": setup(true, true, false),
		"two families, both published":      setup(true, false, false),
		laggingConsumers:                    setup(true, true, true),
		"consumers that lag, one family":    setup(false, false, true),
	}
}

const maxSteps = 4

// TestRandomHistories plays random histories until they have enough steps.
func TestRandomHistories(t *testing.T) {
	seed := *seedWanted
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	all := setups(planned.New)
	for name, setup := range all {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			found := search(setup, seed, *stepsWanted/len(all))
			t.Logf("%d histories, %d steps, at most %d in a row, in %s, from seed %d",
				found.histories, found.steps, found.longest, time.Since(started).Round(time.Millisecond), seed)
			if found.failing != nil {
				t.Fatalf("seed %d fails; run with -plan.seed=%[1]d to repeat:\n%s", found.seed,
					plantest.Report(setup, plantest.Shrink(setup, found.failing)))
			}
		})
	}
}

// TestCarelessControllerFails shows that the consumers detect an unsafe step without the
// checks of the writes.
func TestCarelessControllerFails(t *testing.T) {
	for name, setup := range setups(newCarelessController) {
		t.Run(name, func(t *testing.T) {
			setup.ConsumersOnly = true
			found := search(setup, 1, 20_000)
			if found.failing == nil {
				t.Fatalf("no violation in %d steps", found.steps)
			}
			shrunk := plantest.Shrink(setup, found.failing)
			t.Logf("after %d steps:\n%s", found.steps, plantest.Report(setup, shrunk))
			if len(shrunk) > 10 {
				t.Errorf("the failing history has %d operations after shrinking", len(shrunk))
			}
		})
	}
}

type findings struct {
	histories, steps, longest int
	seed                      uint64
	failing                   plantest.History
}

// search plays histories of ascending seeds on all CPUs until they have that many steps
// or one fails. If several fail, it returns the one with the lowest seed.
func search(setup *plantest.Setup, seed uint64, steps int) findings {
	var (
		next, played atomic.Int64
		failed       atomic.Bool
		mutex        sync.Mutex
		workers      sync.WaitGroup
		all          findings
	)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for played.Load() < int64(steps) && !failed.Load() {
				own := seed + uint64(next.Add(1)) - 1
				random := rand.New(rand.NewPCG(own, 1))
				history := plantest.Generate(random, historyLength)
				if setup.Lagging {
					history = plantest.GenerateLagging(random, historyLength)
				}
				result := plantest.Play(setup, history, nil)
				played.Add(int64(result.Steps))
				mutex.Lock()
				all.histories, all.steps = all.histories+1, all.steps+result.Steps
				all.longest = max(all.longest, result.Longest)
				if result.Violation != "" && (all.failing == nil || own < all.seed) {
					failed.Store(true)
					all.failing, all.seed = history, own
				}
				mutex.Unlock()
			}
		})
	}
	workers.Wait()
	return all
}

package kubeproxy

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"

	"github.com/external-workload/controller/internal/plantest"
	"github.com/external-workload/controller/internal/plantest/planned"
)

var (
	stepsWanted = flag.Int("plan.steps", 50_000, "number of steps of the random histories")
	seedWanted  = flag.Uint64("plan.seed", 0, "seed of the first random history; 0 uses the time")
)

// TestRandomHistories plays random histories until they have enough steps.
func TestRandomHistories(t *testing.T) {
	seed := *seedWanted
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	for name, families := range map[string]struct{ dualStack, withhold bool }{
		"one family":                        {},
		"two families, the second withheld": {true, true},
		"two families, both published":      {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			setup := &plantest.Setup{
				NewController: func() plantest.Controller { return planned.New(families.withhold) },
				NewProxy: func(family discoveryv1.AddressType, zone string) plantest.Proxy {
					return newCompared(t, family, zone)
				},
				MaxEndpoints: planned.MaxEndpoints, MaxSteps: 4,
				DualStack: families.dualStack, WithholdSecondFamily: families.withhold,
			}
			steps, histories := 0, uint64(0)
			for ; steps < *stepsWanted/3 && !t.Failed(); histories++ {
				history := plantest.Generate(rand.New(rand.NewPCG(seed+histories, 1)), 30)
				result := plantest.Play(setup, history, nil)
				steps += result.Steps
				if result.Violation != "" {
					t.Errorf("seed %d fails: %s; run with -plan.seed=%[1]d to repeat:\n%s", seed+histories, result.Violation,
						plantest.Report(setup, plantest.Shrink(setup, history)))
				}
			}
			t.Logf("%d histories, %d steps, from seed %d", histories, steps, seed)
		})
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/oracle"
)

const (
	// roundLength is how long operations and faults go on between two quiet points.
	roundLength = 8 * time.Second
	// operationPause keeps the API server usable for the controllers on two cores.
	operationPause = 15 * time.Millisecond
	// quietLimit is what convergence may take after the last fault: a client
	// whose watches broke again and again waits up to a minute for the next.
	quietLimit = 3 * time.Minute
	// catchUpLimit is above the longest pause of a watch after failures.
	catchUpLimit = 90 * time.Second
)

// soak is one run.
type soak struct {
	*place
	tally *tally
	// operate and harm are drawn from by one goroutine each.
	operate, harm *rand.Rand
}

func newSoak(p *place, seed uint64) *soak {
	return &soak{
		place: p, tally: newTally(),
		operate: rand.New(rand.NewPCG(seed, 1)), harm: rand.New(rand.NewPCG(seed, 2)),
	}
}

func (s *soak) run(ctx context.Context, duration time.Duration) error {
	deadline := time.Now().Add(duration)
	changes := 0
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if err := s.round(ctx); err != nil {
			return err
		}
		took, err := s.becomeQuiet(ctx)
		if err != nil {
			return err
		}
		if err := s.catchUp(ctx); err != nil {
			return err
		}
		seen, gaps := s.history.Drain()
		changes += len(seen)
		if err := s.checkInvariants(seen, gaps); err != nil {
			return err
		}
		endpoints, err := s.countEndpoints()
		if err != nil {
			return err
		}
		s.tally.comparison(took, endpoints, changes)
		fmt.Println(s.tally.line())
	}
	if err := s.levels(ctx); err != nil {
		return err
	}
	return ctx.Err()
}

// round does operations and faults side by side.
func (s *soak) round(ctx context.Context) error {
	running, cancel := context.WithTimeout(ctx, roundLength)
	defer cancel()
	var group errgroup.Group
	group.Go(func() error { s.doOperations(running); return nil })
	group.Go(func() error { return s.doFaults(ctx, running) })
	return group.Wait()
}

func (s *soak) doOperations(ctx context.Context) {
	operations := s.operations()
	all := 0
	for _, o := range operations {
		all += o.weight
	}
	for ctx.Err() == nil {
		drawn := s.operate.IntN(all)
		for _, o := range operations {
			if drawn -= o.weight; drawn >= 0 {
				continue
			}
			// An operation that is refused, since its object is not there or the
			// API server is away, is none.
			if o.do(ctx, s.operate, pick(s.operate, namespaces)) == nil {
				s.tally.operation(o.name)
			}
			break
		}
		pause(ctx, operationPause)
	}
}

func (s *soak) doFaults(ctx, running context.Context) error {
	breakages := s.breakages()
	all := 0
	for _, b := range breakages {
		all += b.weight
	}
	for running.Err() == nil {
		drawn := s.harm.IntN(all)
		for _, b := range breakages {
			if drawn -= b.weight; drawn >= 0 {
				continue
			}
			if err := s.harmOne(ctx, b); err != nil {
				return fmt.Errorf("fault %q: %w", b.name, err)
			}
			break
		}
		if err := s.restartEnded(ctx); err != nil {
			return err
		}
		pause(running, between(s.harm, 200*time.Millisecond, 2*time.Second))
	}
	return nil
}

func (s *soak) harmOne(ctx context.Context, b breakage) error {
	c := pick(s.harm, s.instances)
	if !c.Running() {
		return nil
	}
	s.tally.fault(b.name)
	return b.do(ctx, s.harm, c)
}

// restartEnded does what a kubelet does: an instance that lost its Lease ends,
// and is started again.
func (s *soak) restartEnded(ctx context.Context) error {
	for _, c := range s.instances {
		if c.Running() {
			continue
		}
		s.tally.fault("ended without a fault")
		if err := c.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// becomeQuiet ends all faults and waits until the oracle finds no difference.
func (s *soak) becomeQuiet(ctx context.Context) (time.Duration, error) {
	for _, c := range s.instances {
		c.Proxy.Clear()
	}
	began := time.Now()
	quiet, cancel := context.WithTimeout(ctx, quietLimit)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- s.oracle.Wait(quiet, oracle.Rules{}, namespaces...) }()
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				return 0, fmt.Errorf("%s after the last fault: %w", time.Since(began).Round(time.Second), err)
			}
			return time.Since(began), nil
		case <-ticker.C:
			if err := s.restartEnded(ctx); err != nil {
				return 0, err
			}
		}
	}
}

// catchUp waits for the recorded history, whose watch pauses after the API server
// was away: what was changed meanwhile belongs to this round.
func (s *soak) catchUp(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, catchUpLimit)
	defer cancel()
	return s.history.CatchUp(ctx, s.kube.DiscoveryV1(), namespaces...)
}

// checkInvariants returns an error for what must not have happened since the last quiet point.
func (s *soak) checkInvariants(changes []faults.SliceChange, gaps bool) error {
	var errs []error
	for _, wrong := range faults.WritesWithoutLease(leaseName, s.instances...) {
		errs = append(errs, errors.New("written without the Lease: "+wrong))
	}
	if !gaps {
		for _, needless := range faults.NeedlessWrites(changes) {
			errs = append(errs, errors.New("written though nothing changed: "+needless))
		}
	}
	return errors.Join(errs...)
}

package main

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/external-workload/controller/test/faults"
)

// The resources that an instance may hold after the soak beyond those of a new instance.
const (
	spareGoroutines  = 25
	spareDescriptors = 10
	spareResident    = 40 << 20
)

const (
	// settleTime is longer than the pause before an Event is tried again.
	settleTime     = 15 * time.Second
	settleInterval = 500 * time.Millisecond
	// settleLimit is longer than all tries of an Event take.
	settleLimit = 3 * time.Minute
)

// level is the resource usage of an instance.
type level struct {
	goroutines float64
	usage      faults.Usage
}

func levelOf(ctx context.Context, c *faults.Controller) (level, error) {
	goroutines, err := c.Metric(ctx, "go_goroutines")
	if err != nil {
		return level{}, err
	}
	usage, err := c.Usage()
	return level{goroutines: goroutines, usage: usage}, err
}

// settled returns the level of each instance once its number of goroutines has not fallen
// for settleTime. Events that faults delayed are still written meanwhile, each on a
// goroutine, and an instance may be about to end because it lost its Lease. What leaks
// does not fall.
func (s *soak) settled(ctx context.Context) (map[string]level, error) {
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	lowest := map[string]level{}
	for fell := time.Now(); time.Since(fell) < settleTime; pause(ctx, settleInterval) {
		if err := s.restartEnded(ctx); err != nil {
			return nil, err
		}
		for _, c := range s.instances {
			found, err := levelOf(ctx, c)
			if ctx.Err() != nil {
				return nil, fmt.Errorf("the resources of %s did not settle within %s: %w", c.Name, settleLimit, context.Cause(ctx))
			}
			before, measured := lowest[c.Name]
			if err != nil || !measured || found.goroutines < before.goroutines {
				fell = time.Now()
			}
			if err == nil && (!measured || found.goroutines <= before.goroutines) {
				lowest[c.Name] = found
			}
		}
	}
	return lowest, nil
}

// levels compares the resource usage of the instances before and after a restart.
func (s *soak) levels(ctx context.Context) error {
	old, err := s.settled(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.instances {
		c.Kill()
		if err := c.StartReady(ctx); err != nil {
			return err
		}
	}
	if _, err := s.becomeQuiet(ctx); err != nil {
		return err
	}
	var fresh level
	for _, c := range s.instances {
		found, err := levelOf(ctx, c)
		if err != nil {
			return err
		}
		fresh.goroutines = max(fresh.goroutines, found.goroutines)
		fresh.usage.Descriptors = max(fresh.usage.Descriptors, found.usage.Descriptors)
		fresh.usage.Resident = max(fresh.usage.Resident, found.usage.Resident)
	}
	for _, c := range s.instances {
		was := old[c.Name]
		fmt.Printf("%s held %.0f goroutines, %d descriptors, %d MiB; a fresh instance at most %.0f, %d, %d\n",
			c.Name, was.goroutines, was.usage.Descriptors, was.usage.Resident>>20,
			fresh.goroutines, fresh.usage.Descriptors, fresh.usage.Resident>>20)
		if was.goroutines > fresh.goroutines+spareGoroutines || was.usage.Descriptors > fresh.usage.Descriptors+spareDescriptors ||
			was.usage.Resident > fresh.usage.Resident+spareResident {
			return fmt.Errorf("%s holds more resources than a new instance", c.Name)
		}
	}
	return nil
}

func (s *soak) countEndpoints() (int, error) {
	slices, err := s.history.Lister().List(labels.Everything())
	if err != nil {
		return 0, fmt.Errorf("counting endpoints: %w", err)
	}
	count := 0
	for _, slice := range slices {
		count += len(slice.Endpoints)
	}
	return count, nil
}

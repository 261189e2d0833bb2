package readiness

import (
	"cmp"
	"context"
	"slices"
	"time"

	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/external-workload/controller/controller/readiness/hold"
)

const (
	// judgeEvery is the shortest time from one judgement to the next. Verdicts
	// that come together are judged together.
	judgeEvery = 100 * time.Millisecond

	// holdEvery is the time between judgements while a hold goes on.
	holdEvery = time.Second
)

// verdict is what one judgement has changed.
type verdict struct {
	before, after hold.State
	census        hold.Census
	// waiting is how many workloads are neither withdrawn nor held, but wait
	// for news of the others.
	waiting int
	// withdrawn are the workloads that are not ready from now on.
	withdrawn []cache.ObjectName
	// held is the first of those held.
	held cache.ObjectName
}

// judgeUntilDone judges whenever a workload's failures have reached its
// threshold, and again while something is undecided.
func (c *Controller) judgeUntilDone(ctx context.Context) {
	defer c.config.Observer.SetHold(false)
	c.config.Observer.SetHold(false)
	// Without anything undecided the timer is far away.
	timer := c.config.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.judge:
		case <-timer.C():
		}
		verdict := c.judgeOnce()
		c.announce(ctx, verdict)
		switch {
		case verdict.waiting > 0:
			timer.Reset(judgeEvery)
		case !verdict.after.Since.IsZero():
			timer.Reset(holdEvery)
		default:
			timer.Reset(time.Hour)
		}
		if !c.pause(ctx) {
			return
		}
	}
}

// pause keeps judgements apart. It returns false when ctx is cancelled.
func (c *Controller) pause(ctx context.Context) bool {
	timer := c.config.Clock.NewTimer(judgeEvery)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C():
		return true
	}
}

// judgeOnce decides about all workloads whose failures have reached their
// threshold.
func (c *Controller) judgeOnce() verdict {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.config.Clock.Now()
	targets, candidates := make([]hold.Target, 0, len(c.records)), []cache.ObjectName(nil)
	for key, current := range c.records {
		if current.spec == nil {
			continue
		}
		targets = append(targets, current.health.target())
		if current.health.candidate() {
			candidates = append(candidates, key)
		}
	}
	slices.SortFunc(candidates, func(a, b cache.ObjectName) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})

	judged := verdict{before: c.hold, census: c.policy.Count(now, targets)}
	c.hold = c.policy.Next(now, c.hold, judged.census, len(candidates) > 0)
	judged.after = c.hold
	switch {
	case judged.after.Active():
		if len(candidates) > 0 {
			judged.held = candidates[0]
		}
	case judged.before.Active() && !judged.after.Expired:
		// What was found while the prober was the suspect does not count.
		c.restartAll()
	default:
		c.withdraw(now, &judged, candidates)
	}
	return judged
}

// restartAll makes all workloads that fail while they are ready begin anew.
func (c *Controller) restartAll() {
	for _, current := range c.records {
		if current.health.ready && current.health.failures > 0 {
			current.health = current.health.restart()
		}
	}
}

func (c *Controller) withdraw(now time.Time, judged *verdict, candidates []cache.ObjectName) {
	for _, key := range candidates {
		current := c.records[key]
		candidate := hold.Candidate{FailingSince: current.health.failingSince, Reached: current.health.reached}
		if !judged.after.Expired && !c.policy.Withdraw(now, judged.census, candidate) {
			judged.waiting++
			continue
		}
		current.health = current.health.withdraw(now)
		judged.withdrawn = append(judged.withdrawn, key)
	}
}

// announce acts on what a judgement has changed.
func (c *Controller) announce(ctx context.Context, judged verdict) {
	for _, key := range judged.withdrawn {
		c.loop.Add(key)
	}
	if judged.before.Active() == judged.after.Active() {
		return
	}
	logger := klog.FromContext(ctx)
	c.config.Observer.SetHold(judged.after.Active())
	if judged.after.Active() {
		logger.Error(nil, "Most probes fail together: the prober is the suspect, and the last state is held", "failing", judged.census.Failing, "workloads", judged.census.Total)
		c.tellHold(judged)
		return
	}
	logger.Info("The hold on probed readiness has ended", "expired", judged.after.Expired, "failing", judged.census.Failing, "workloads", judged.census.Total)
	c.tellRelease(judged)
}

// wakeJudge asks for a judgement. One that is pending is enough.
func (c *Controller) wakeJudge() {
	select {
	case c.judge <- struct{}{}:
	default:
	}
}

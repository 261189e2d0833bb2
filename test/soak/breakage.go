package main

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/external-workload/controller/test/faults"
	"github.com/external-workload/controller/test/internal/controlplane"
)

// breakage is one kind of fault. It returns when the fault is over. The rules of a proxy
// last longer: until the next fault or the quiet point.
type breakage struct {
	name   string
	weight int
	do     func(context.Context, *rand.Rand, *faults.Controller) error
}

func (p *place) breakages() []breakage {
	writes, everything := faults.Writes(), faults.Match{}
	rule := func(name string, match faults.Match, fault faults.Fault) breakage {
		return breakage{name, 3, func(_ context.Context, _ *rand.Rand, c *faults.Controller) error {
			c.Proxy.Set(faults.Rule{Name: name, Match: match, Probability: 0.3, Fault: fault})
			return nil
		}}
	}
	return []breakage{
		rule("429 with Retry-After", writes, faults.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Second}),
		rule("500", everything, faults.Fault{Status: http.StatusInternalServerError}),
		rule("503", everything, faults.Fault{Status: http.StatusServiceUnavailable}),
		rule("504", writes, faults.Fault{Status: http.StatusGatewayTimeout}),
		rule("409", writes, faults.Fault{Status: http.StatusConflict}),
		rule("404", faults.Writes("endpointslices"), faults.Fault{Status: http.StatusNotFound}),
		rule("403 in one namespace", faults.Match{Namespace: namespaces[1]}, faults.Fault{Status: http.StatusForbidden}),
		rule("410 for watches", faults.Watches(), faults.Fault{Status: http.StatusGone}),
		rule("answer lost, 504", writes, faults.Fault{LostReply: faults.ReplyTimeout}),
		rule("answer lost, reset", faults.Writes("endpointslices"), faults.Fault{LostReply: faults.ReplyReset}),
		rule("answer never comes", faults.Writes("endpointslices"), faults.Fault{LostReply: faults.ReplyNever}),
		rule("latency", everything, faults.Fault{Delay: 500 * time.Millisecond}),
		rule("slow bodies", everything, faults.Fault{SlowReply: time.Second}),
		rule("watch events twice", faults.Watches(), faults.Fault{Duplicate: true}),
		rule("watches held", faults.Watches(), faults.Fault{Hold: true}),
		{"connections cut", 3, func(_ context.Context, _ *rand.Rand, c *faults.Controller) error { c.Proxy.Cut(); return nil }},
		{"connections half open", 2, func(_ context.Context, _ *rand.Rand, c *faults.Controller) error { c.Proxy.HalfOpen(); return nil }},
		{"partition", 3, partition},
		{"kill -9", 5, kill},
		{"SIGTERM", 3, terminate},
		{"frozen", 5, freeze},
		{"API server killed", 1, p.killComponent(controlplane.APIServer)},
		{"etcd killed", 1, p.killComponent(controlplane.Etcd)},
	}
}

func pause(ctx context.Context, duration time.Duration) {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func between(draw *rand.Rand, least, most time.Duration) time.Duration {
	return least + time.Duration(draw.Int64N(int64(most-least)))
}

func partition(ctx context.Context, draw *rand.Rand, c *faults.Controller) error {
	c.Proxy.Freeze()
	defer c.Proxy.Thaw()
	pause(ctx, between(draw, time.Second, 7*time.Second))
	return nil
}

func kill(ctx context.Context, _ *rand.Rand, c *faults.Controller) error {
	c.Kill()
	return c.Start(ctx)
}

func terminate(ctx context.Context, _ *rand.Rand, c *faults.Controller) error {
	if err := c.Terminate(); err != nil {
		return err
	}
	return c.Start(ctx)
}

func freeze(ctx context.Context, draw *rand.Rand, c *faults.Controller) error {
	if err := c.Freeze(); err != nil {
		return err
	}
	pause(ctx, between(draw, 500*time.Millisecond, 7*time.Second))
	return c.Thaw()
}

func (p *place) killComponent(component controlplane.Component) func(context.Context, *rand.Rand, *faults.Controller) error {
	return func(ctx context.Context, _ *rand.Rand, _ *faults.Controller) error {
		if err := p.plane.Kill(component); err != nil {
			return err
		}
		return p.plane.StartComponent(ctx, component)
	}
}

package main

import (
	"context"
	"errors"
)

// turns are one turn of each contender. In every round they work one after another, so that
// what changes on the machine meanwhile affects all of them alike.
type turns struct {
	controller, earlier, bare, floor turn
}

// A turn is the work of one contender in one round.
type turn struct {
	start start
	slow  watched
	fast  map[float64]watched // by their rates
	used  usage
}

// takeTurns begins and ends without slices.
func (b *bench) takeTurns(ctx context.Context, s *stage) (t turns, err error) {
	if t.controller, err = b.controllerTurn(ctx, s, "controller", b.binary); err != nil {
		return t, err
	}
	// The bare loop goes on with the slices that the controller left.
	if t.bare, err = b.bareTurn(ctx, s); err != nil {
		return t, err
	}
	if err := s.withdraw(ctx); err != nil {
		return t, err
	}
	if b.options.earlier != "" {
		if t.earlier, err = b.controllerTurn(ctx, s, "earlier", b.options.earlier); err != nil {
			return t, err
		}
		if err := s.withdraw(ctx); err != nil {
			return t, err
		}
	}
	t.floor, err = b.floorTurn(ctx, s)
	return t, err
}

// controllerTurn starts a controller without slices, and stops it after all changes.
func (b *bench) controllerTurn(ctx context.Context, s *stage, name, binary string) (t turn, err error) {
	c, begun, err := s.startAndPublish(ctx, binary, b.options.size.churn)
	if err != nil {
		return turn{}, err
	}
	defer func() { err = errors.Join(err, c.process.Stop()) }()
	t = turn{start: begun, fast: map[float64]watched{}}
	if b.options.wants(partChurn) {
		if t.slow, err = b.slowCourse(ctx, s, c, name); err != nil {
			return turn{}, err
		}
	}
	if b.options.wants(partBurst) {
		for _, rate := range fastRates {
			if t.fast[rate], err = b.fastCourse(ctx, s, c, name, b.fast(rate)); err != nil {
				return turn{}, err
			}
		}
	}
	if t.used, err = c.usage(); err != nil {
		return turn{}, err
	}
	return t, c.saveProfile(ctx, b.options.profiles, "heap", "memory-heap")
}

// bareTurn changes the slices that are there.
func (b *bench) bareTurn(ctx context.Context, s *stage) (turn, error) {
	t := turn{fast: map[float64]watched{}}
	p, err := s.newPublisher(ctx)
	if err != nil {
		return turn{}, err
	}
	if b.options.wants(partChurn) {
		if t.slow, err = b.bareCourse(ctx, s, p, b.slow()); err != nil {
			return turn{}, err
		}
	}
	if b.options.wants(partBurst) {
		for _, rate := range fastRates {
			if t.fast[rate], err = b.bareCourse(ctx, s, p, b.fast(rate)); err != nil {
				return turn{}, err
			}
		}
	}
	return t, nil
}

// floorTurn starts the floor without slices, measures the slow changes, stops it and deletes
// its slices.
func (b *bench) floorTurn(ctx context.Context, s *stage) (turn, error) {
	p, begun, err := s.publishFloor(ctx, b.options.size.churn)
	if err != nil {
		return turn{}, err
	}
	t := turn{start: begun}
	if b.options.wants(partChurn) {
		t.slow, err = b.slowCourse(ctx, s, p, floorName)
	}
	used, usageErr := p.usage()
	t.used = used
	return t, errors.Join(err, usageErr, p.process.Stop(), s.withdraw(ctx))
}

package integration

import (
	"time"

	"k8s.io/utils/clock"
)

// fastClock is a clock that runs faster than real time.
type fastClock struct {
	clock.RealClock
	began  time.Time
	factor time.Duration
}

func (c fastClock) Now() time.Time {
	return c.began.Add(time.Duration(int64(time.Since(c.began)) * int64(c.factor)))
}
func (c fastClock) Since(t time.Time) time.Duration        { return c.Now().Sub(t) }
func (c fastClock) After(d time.Duration) <-chan time.Time { return time.After(d / c.factor) }
func (c fastClock) Sleep(d time.Duration)                  { time.Sleep(d / c.factor) }

func (c fastClock) NewTimer(d time.Duration) clock.Timer {
	return fastTimer{c.RealClock.NewTimer(d / c.factor), c.factor}
}

func (c fastClock) AfterFunc(d time.Duration, f func()) clock.Timer {
	return fastTimer{c.RealClock.AfterFunc(d/c.factor, f), c.factor}
}

func (c fastClock) NewTicker(d time.Duration) clock.Ticker {
	return c.RealClock.NewTicker(max(d/c.factor, 1))
}

// fastTimer is a timer of a fastClock.
type fastTimer struct {
	clock.Timer
	factor time.Duration
}

func (t fastTimer) Reset(d time.Duration) bool { return t.Timer.Reset(d / t.factor) }

package main

import (
	"fmt"
	"time"

	"github.com/external-workload/controller/controller/readiness"
)

// unlimitedHold is the value of --hold-maximum for no limit.
const unlimitedHold = "unlimited"

// holdMaximum is the value of --hold-maximum: a duration, 0 for no hold, or unlimited.
type holdMaximum time.Duration

// Set is for package pflag.
func (h *holdMaximum) Set(text string) error {
	if text == unlimitedHold {
		*h = holdMaximum(readiness.HoldUnlimited)
		return nil
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("want a duration such as 10m, 0 for no hold, or %s", unlimitedHold)
	}
	*h = holdMaximum(duration)
	return nil
}

// String is for package pflag.
func (h *holdMaximum) String() string {
	if *h == holdMaximum(readiness.HoldUnlimited) {
		return unlimitedHold
	}
	return time.Duration(*h).String()
}

// Type is for package pflag.
func (h *holdMaximum) Type() string { return "duration" }

// config returns the value for the readiness controller, where zero is the default.
func (h *holdMaximum) config() time.Duration {
	if *h == 0 {
		return readiness.HoldNever
	}
	return time.Duration(*h)
}

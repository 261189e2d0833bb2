package main

import (
	"math"
	"slices"
	"time"
)

// percentile returns the smallest duration that this percentage of durations does not
// exceed.
func percentile(all []time.Duration, percent float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(all))
	rank := int(math.Ceil(percent / 100 * float64(len(sorted))))
	return sorted[max(rank, 1)-1]
}

// median returns the middle value, or the mean of the two middle values.
func median[T any](all []T, value func(T) float64) float64 {
	values := make([]float64, 0, len(all))
	for _, one := range all {
		values = append(values, value(one))
	}
	slices.Sort(values)
	middle := len(values) / 2
	switch {
	case len(values) == 0:
		return 0
	case len(values)%2 == 1:
		return values[middle]
	default:
		return (values[middle-1] + values[middle]) / 2
	}
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

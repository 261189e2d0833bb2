package panels

import (
	"math"
	"slices"
	"time"
)

// An axis maps a value to a position between the lower end, 0, and the upper end, 1.
type axis struct {
	ticks []float64
	scale func(float64) float64
}

func (a axis) position(value float64) float64 {
	low, high := a.scale(a.ticks[0]), a.scale(a.ticks[len(a.ticks)-1])
	return min(max((a.scale(value)-low)/(high-low), 0), 1)
}

// axisFor returns an axis for all values of the series.
func axisFor(all []Series, logarithmic bool) axis {
	var values []float64
	for _, s := range all {
		for _, p := range s.Points {
			if finite(p.Value) && (p.Value > 0 || !logarithmic) {
				values = append(values, p.Value)
			}
		}
	}
	if len(values) == 0 {
		values = []float64{1}
	}
	if logarithmic {
		return axis{decades(slices.Min(values), slices.Max(values)), math.Log10}
	}
	return axis{steps(slices.Max(values)), func(v float64) float64 { return v }}
}

// steps returns an axis from 0 to high or above, with at most four equal steps of 1, 2 or 5.
func steps(high float64) []float64 {
	const most = 4
	if high <= 0 {
		high = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(high/most)))
	for _, factor := range []float64{1, 2, 5, 10} {
		if most*factor*step >= high {
			step *= factor
			break
		}
	}
	ticks := []float64{0}
	for ticks[len(ticks)-1] < high {
		ticks = append(ticks, float64(len(ticks))*step)
	}
	return ticks
}

// decades returns an axis of the powers of ten around low and high.
func decades(low, high float64) []float64 {
	first := math.Floor(math.Log10(low))
	last := max(math.Ceil(math.Log10(high)), first+1)
	var ticks []float64
	for exponent := first; exponent <= last; exponent++ {
		ticks = append(ticks, math.Pow(10, exponent))
	}
	return ticks
}

// moments returns about five round times since the start.
func moments(length time.Duration) []time.Duration {
	const few = 5
	step := 10 * time.Second
	for _, longer := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour} {
		if length/step < few {
			break
		}
		step = longer
	}
	var all []time.Duration
	for at := time.Duration(0); at <= length; at += step {
		all = append(all, at)
	}
	return all
}

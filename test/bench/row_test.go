package main

import (
	"testing"
	"time"
)

func TestGoal(t *testing.T) {
	for sentence, c := range map[string]struct {
		row row
		met bool
	}{
		"a ratio at its bound is met":             {row{Measured: 2.5, Bare: 2, Goal: ratioAtMost(1.25)}, true},
		"a ratio above its bound is missed":       {row{Measured: 5, Bare: 2, Goal: ratioAtMost(1.25)}, false},
		"a ratio to nothing is missed":            {row{Measured: 5, Goal: ratioAtMost(1.25)}, false},
		"a ratio to the floor at its bound":       {row{Measured: 3, Floor: 2, Goal: timesFloor(1.5)}, true},
		"a ratio to no floor is missed":           {row{Measured: 3, Bare: 3, Goal: timesFloor(1.5)}, false},
		"a value below its bound is met":          {row{Measured: 35, Goal: atMost(70)}, true},
		"a value above its bound is missed":       {row{Measured: 105, Goal: atMost(70)}, false},
		"as many writes as needed are met":        {row{Measured: 500, Bare: 500, Goal: equal()}, true},
		"no write where none is needed is met":    {row{Goal: equal()}, true},
		"a write where none is needed is missed":  {row{Measured: 3, Goal: equal()}, false},
		"fewer writes than are needed are missed": {row{Measured: 250, Bare: 500, Goal: equal()}, false},
	} {
		t.Run(sentence, func(t *testing.T) {
			if got := c.row.met(); got != c.met {
				t.Errorf("met is %v, want %v", got, c.met)
			}
		})
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i))
	}
	for percent, want := range map[float64]time.Duration{1: 1, 50: 50, 99: 99, 100: 100} {
		if got := percentile(hundred, percent); got != want {
			t.Errorf("percentile %v is %v, want %v", percent, got, want)
		}
	}
	if hundred[0] != 100 {
		t.Error("percentile changed the order of its argument")
	}
}

func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{0: nil, 2: {9, 1, 2}, 2.5: {4, 1, 3, 2}} {
		if got := median(values, func(v float64) float64 { return v }); got != want {
			t.Errorf("median of %v is %v, want %v", values, got, want)
		}
	}
}

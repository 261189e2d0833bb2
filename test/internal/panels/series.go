package panels

import (
	"math"
	"regexp"
	"strings"
	"time"
)

// A Series is a line: its name in the legend, and its points in order of time.
type Series struct {
	Name   string
	Points []Point
}

// A Point is the value at a time. NaN means no value.
type Point struct {
	At    time.Time
	Value float64
}

var labelInBraces = regexp.MustCompile(`\{\{\s*(\w+)\s*\}\}`)

// Series returns the name of a series with these labels. It omits missing labels.
func (q Query) Series(labels map[string]string) string {
	return strings.TrimSpace(labelInBraces.ReplaceAllStringFunc(q.Legend, func(braces string) string {
		return labels[labelInBraces.FindStringSubmatch(braces)[1]]
	}))
}

// HasData reports whether any of the series has a value.
func HasData(all []Series) bool {
	for _, s := range all {
		for _, p := range s.Points {
			if finite(p.Value) {
				return true
			}
		}
	}
	return false
}

func finite(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }

// last returns the last value of the first series, or NaN if there is none.
func last(all []Series) float64 {
	if len(all) == 0 || len(all[0].Points) == 0 {
		return math.NaN()
	}
	return all[0].Points[len(all[0].Points)-1].Value
}

// flat reports whether the series stays at 0.
func (s Series) flat() bool {
	for _, p := range s.Points {
		if finite(p.Value) && p.Value != 0 {
			return false
		}
	}
	return true
}

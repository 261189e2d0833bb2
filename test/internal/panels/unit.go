package panels

import (
	"fmt"
	"math"
)

// units format values, by Grafana's names for units.
var units = map[string]func(float64) string{
	"short": number,
	"s":     seconds,
	"reqps": func(v float64) string { return number(v) + " req/s" },
	"wps":   func(v float64) string { return number(v) + " wr/s" },
	"ops":   func(v float64) string { return number(v) + " ops/s" },
}

// number formats at least three significant digits.
func number(value float64) string {
	if math.Abs(value) >= 100 {
		return fmt.Sprintf("%.0f", value)
	}
	return fmt.Sprintf("%.3g", value)
}

func seconds(value float64) string {
	switch {
	case value == 0 || math.Abs(value) >= 1:
		return number(value) + " s"
	case math.Abs(value) >= 1e-3:
		return number(value*1e3) + " ms"
	}
	return number(value*1e6) + " µs"
}

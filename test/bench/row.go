package main

import (
	"fmt"
	"strconv"
)

// A unit is what a row's numbers are in.
type unit string

const (
	seconds      unit = "s"
	milliseconds unit = "ms"
	mebibytes    unit = "MiB"
	kibibytes    unit = "KiB"
	writes       unit = "writes"
)

// text shows a value of the unit.
func (u unit) text(value float64) string {
	switch {
	case u == writes:
		return strconv.Itoa(int(value))
	case value < 10:
		return fmt.Sprintf("%.2f %s", value, u)
	default:
		return fmt.Sprintf("%.1f %s", value, u)
	}
}

// A row is one result beside what it is compared with and its goal.
type row struct {
	Part string `json:"part"`
	Name string `json:"name"`
	Unit unit   `json:"unit"`
	// Measured is the controller's.
	Measured float64 `json:"measured"`
	// Bare is what the bare API takes for the same, or for writes, how many are
	// needed, or for growth, the least extent; 0 if there is nothing to compare with.
	Bare float64 `json:"bare,omitempty"`
	Goal goal    `json:"goal"`
	Note string  `json:"note,omitempty"`
}

// A goal is a bound of a row: of Measured, or of its ratio to Bare.
type goal struct {
	Kind  goalKind `json:"kind"`
	Bound float64  `json:"bound"`
}

type goalKind string

const (
	boundsValue goalKind = "value at most"
	boundsRatio goalKind = "ratio at most"
	wantsEqual  goalKind = "equal"
)

func atMost(value float64) goal      { return goal{Kind: boundsValue, Bound: value} }
func ratioAtMost(ratio float64) goal { return goal{Kind: boundsRatio, Bound: ratio} }
func equal() goal                    { return goal{Kind: wantsEqual} }

// ratio is Measured over Bare, and 0 where there is nothing to compare with.
func (r row) ratio() float64 {
	if r.Bare == 0 {
		return 0
	}
	return r.Measured / r.Bare
}

func (r row) met() bool {
	switch r.Goal.Kind {
	case boundsRatio:
		return r.Bare > 0 && r.ratio() <= r.Goal.Bound
	case wantsEqual:
		return r.Measured == r.Bare
	default:
		return r.Measured <= r.Goal.Bound
	}
}

// share is how much of what the goal allows is used up: more than 1 misses it.
func (r row) share() float64 {
	switch r.Goal.Kind {
	case boundsRatio:
		return r.ratio() / r.Goal.Bound
	case wantsEqual:
		if r.met() {
			return 1
		}
		return r.Measured / max(r.Bare, 1)
	default:
		return r.Measured / r.Goal.Bound
	}
}

// goalText says what was wanted.
func (r row) goalText() string {
	switch r.Goal.Kind {
	case boundsRatio:
		return "ratio at most " + strconv.FormatFloat(r.Goal.Bound, 'g', -1, 64)
	case wantsEqual:
		return "exactly " + strconv.Itoa(int(r.Bare))
	default:
		return "at most " + strconv.FormatFloat(r.Goal.Bound, 'g', -1, 64) + " " + string(r.Unit)
	}
}

func (r row) verdict() string {
	if r.met() {
		return "met"
	}
	return "missed"
}

// bareText and ratioText are empty where there is nothing to compare with.
func (r row) bareText() string {
	if r.Bare == 0 {
		return ""
	}
	return r.Unit.text(r.Bare)
}

func (r row) ratioText() string {
	if r.Bare == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f", r.ratio())
}

// summary is the row in one line, without its name.
func (r row) summary() string {
	text := r.Unit.text(r.Measured)
	if r.Bare != 0 {
		text += ", compared with " + r.bareText() + ", ratio " + r.ratioText()
	}
	text += "; goal " + r.goalText() + ": " + r.verdict()
	if r.Note != "" {
		text += " (" + r.Note + ")"
	}
	return text
}

package main

import (
	"fmt"
	"strconv"
)

// A unit is the unit of a row's numbers.
type unit string

const (
	seconds      unit = "s"
	milliseconds unit = "ms"
	mebibytes    unit = "MiB"
	kibibytes    unit = "KiB"
	writes       unit = "writes"
)

// text formats a value of the unit.
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

// A row is one result, with what it is compared with and its goal.
type row struct {
	Part string `json:"part"`
	Name string `json:"name"`
	Unit unit   `json:"unit"`
	// Measured is the controller's value.
	Measured float64 `json:"measured"`
	// Bare is the value of the bare API for the same work; for writes, the necessary
	// number; for growth, the value of the smallest extent; 0 if there is no comparison.
	Bare float64 `json:"bare,omitempty"`
	// Floor is the floor's value for the same work; 0 if it was not measured.
	Floor float64 `json:"floor,omitempty"`
	// Earlier is the value of an earlier build of the controller; 0 if none was given.
	Earlier float64 `json:"earlier,omitempty"`
	Goal    goal    `json:"goal"`
	Note    string  `json:"note,omitempty"`
}

// A goal is a bound of a row: of Measured, or of its ratio to Bare or to Floor.
type goal struct {
	Kind  goalKind `json:"kind"`
	Bound float64  `json:"bound"`
}

type goalKind string

const (
	boundsValue goalKind = "value at most"
	boundsRatio goalKind = "ratio at most"
	boundsFloor goalKind = "times the floor at most"
	wantsEqual  goalKind = "equal"
)

func atMost(value float64) goal      { return goal{Kind: boundsValue, Bound: value} }
func ratioAtMost(ratio float64) goal { return goal{Kind: boundsRatio, Bound: ratio} }
func timesFloor(ratio float64) goal  { return goal{Kind: boundsFloor, Bound: ratio} }
func equal() goal                    { return goal{Kind: wantsEqual} }

// ratio is Measured over Bare, and 0 if there is no comparison.
func (r row) ratio() float64 {
	if r.Bare == 0 {
		return 0
	}
	return r.Measured / r.Bare
}

// floorRatio is Measured over Floor, and 0 if the floor was not measured.
func (r row) floorRatio() float64 {
	if r.Floor == 0 {
		return 0
	}
	return r.Measured / r.Floor
}

func (r row) met() bool {
	switch r.Goal.Kind {
	case boundsFloor:
		return r.Floor > 0 && r.floorRatio() <= r.Goal.Bound
	case boundsRatio:
		return r.Bare > 0 && r.ratio() <= r.Goal.Bound
	case wantsEqual:
		return r.Measured == r.Bare
	default:
		return r.Measured <= r.Goal.Bound
	}
}

// goalText describes the goal.
func (r row) goalText() string {
	switch r.Goal.Kind {
	case boundsRatio:
		return "ratio at most " + strconv.FormatFloat(r.Goal.Bound, 'g', -1, 64)
	case boundsFloor:
		return "at most " + strconv.FormatFloat(r.Goal.Bound, 'g', -1, 64) + " times the floor"
	case wantsEqual:
		return "exactly " + strconv.Itoa(int(r.Bare))
	default:
		return "at most " + strconv.FormatFloat(r.Goal.Bound, 'g', -1, 64) + " " + string(r.Unit)
	}
}

func (r row) result() string {
	if r.met() {
		return "met"
	}
	return "missed"
}

// compared formats another program's value for the same work and the ratio to it; it is
// empty if there is no comparison.
func (r row) compared(other float64) (text, ratio string) {
	if other == 0 {
		return "", ""
	}
	return r.Unit.text(other), fmt.Sprintf("%.2f", r.Measured/other)
}

// summary returns the row in one line, without its name.
func (r row) summary() string {
	text := r.Unit.text(r.Measured)
	for _, other := range []struct {
		name  string
		value float64
	}{{"bare", r.Bare}, {"floor", r.Floor}, {"earlier", r.Earlier}} {
		if value, ratio := r.compared(other.value); value != "" {
			text += fmt.Sprintf(", %s %s, ratio %s", other.name, value, ratio)
		}
	}
	text += "; goal " + r.goalText() + ": " + r.result()
	if r.Note != "" {
		text += " (" + r.Note + ")"
	}
	return text
}

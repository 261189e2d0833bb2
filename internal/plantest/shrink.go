package plantest

import (
	"fmt"
	"slices"
	"strings"
)

// Shrink returns a shorter history that still fails. It removes smaller and smaller parts,
// and then simplifies the remaining operations.
func Shrink(setup *Setup, history History) History {
	fails := func(candidate History) bool { return Play(setup, candidate, nil).Violation != "" }
	for part := len(history) / 2; part > 0; {
		shortened := false
		for start := 0; start < len(history); {
			end := min(start+part, len(history))
			candidate := slices.Concat(history[:start], history[end:])
			if fails(candidate) {
				history, shortened = candidate, true
				continue
			}
			start = end
		}
		if !shortened || part > len(history) {
			part /= 2
		}
	}
	return simplify(history, fails)
}

// simplify replaces each choice with the first one with which the history still fails.
func simplify(history History, fails func(History) bool) History {
	for i := range history {
		attempts := []func(*Operation){
			func(o *Operation) { o.Fault, o.FaultAt = 0, 0 },
			func(o *Operation) { o.Pause = 0 },
			func(o *Operation) { o.Order = 0 },
		}
		for choice := range 24 {
			attempts = append(attempts, func(o *Operation) { o.A = min(o.A, choice) }, func(o *Operation) { o.B = min(o.B, choice) })
		}
		for _, attempt := range attempts {
			candidate := slices.Clone(history)
			attempt(&candidate[i])
			if candidate[i] != history[i] && fails(candidate) {
				history = candidate
			}
		}
	}
	return history
}

// Report plays a failing history again and describes what happened.
func Report(setup *Setup, history History) string {
	var text strings.Builder
	result := Play(setup, history, func(line string) { fmt.Fprintln(&text, line) })
	fmt.Fprintf(&text, "violation: %s\n", result.Violation)
	return text.String()
}

package hold

import (
	"slices"
	"sort"
	"time"
)

// votes are the votes of the namespaces, as a function of the time since which results
// count.
type votes struct {
	// succeeding are the times since which namespaces succeed, in order; failing are
	// those of namespaces with failing targets, and pending those of namespaces whose
	// other targets are only pending.
	succeeding, failing, pending []time.Time
	// namespaces is the number of namespaces with evidence, and targets the amount of
	// it.
	namespaces, targets int
	// failingTargets is the number of failing targets.
	failingTargets int
}

// take counts the votes of all namespaces.
func (v *votes) take(e *evidence, now, reference time.Time) {
	v.succeeding, v.failing, v.pending = v.succeeding[:0], v.failing[:0], v.pending[:0]
	v.namespaces, v.targets, v.failingTargets = 0, 0, 0
	for _, of := range e.order {
		e.count(of, now, reference)
		if of.evidence == 0 {
			continue
		}
		v.namespaces++
		v.targets += of.evidence
		v.failingTargets += of.failing
		v.succeeding = append(v.succeeding, of.succeedsSince)
		switch {
		case of.failing > 0:
			v.failing = append(v.failing, of.succeedsSince)
		case of.pending > 0:
			v.pending = append(v.pending, of.succeedsSince)
		}
	}
	for _, times := range [][]time.Time{v.succeeding, v.failing, v.pending} {
		slices.SortFunc(times, time.Time.Compare)
	}
}

// before returns how many of the times are before a time.
func before(times []time.Time, when time.Time) int {
	return sort.Search(len(times), func(i int) bool { return !times[i].Before(when) })
}

// tally has the votes of all namespaces except one.
type tally struct {
	succeeding, failing, pending int
	// namespaces is the number of namespaces with evidence, with or without a vote.
	namespaces int
}

// others returns the votes of all namespaces except one, by results since a time. That
// one must not succeed since then; nil if it has no evidence.
func (v *votes) others(own *namespace, since time.Time) tally {
	others := tally{
		succeeding: len(v.succeeding) - before(v.succeeding, since),
		failing:    before(v.failing, since),
		pending:    before(v.pending, since),
		namespaces: v.namespaces,
	}
	if own == nil || own.evidence == 0 {
		return others
	}
	others.namespaces--
	switch {
	case own.failing > 0:
		others.failing--
	case own.pending > 0:
		others.pending--
	}
	return others
}

package hold

import (
	"slices"
	"sort"
	"time"
)

// votes is how the namespaces vote, as a function of the time since which
// results count.
type votes struct {
	// succeeding are the times since which namespaces succeed, in order;
	// failing are those of namespaces in which targets fail, and pending those
	// of namespaces that have only outstanding probes to offer beside.
	succeeding, failing, pending []time.Time
	// namespaces is how many have evidence, and targets how much it is.
	namespaces, targets int
	// failingTargets is how many targets fail.
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

// tally is how the namespaces other than one vote.
type tally struct {
	succeeding, failing, pending int
	// namespaces is how many have evidence, whether they have a vote or not.
	namespaces int
}

// others returns how all namespaces but one vote by results since a time. The one
// must not succeed since then itself; nil if it has no evidence.
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

package main

import "fmt"

// churnRows are the medians of all rounds.
func (b *bench) churnRows(rounds []turns) []row {
	var rows []row
	if b.options.wants(partChurn) {
		rows = append(rows, b.slowRows(rounds)...)
	}
	if b.options.wants(partBurst) {
		for _, rate := range fastRates {
			rows = append(rows, fastRow(rounds, rate))
		}
	}
	if b.options.wants(partMemory) {
		rows = append(rows, b.memoryRow(rounds))
	}
	return rows
}

// compare fills in the median of a figure for each contender that has one.
func (r row) compare(rounds []turns, figure func(turn) float64) row {
	of := func(contender func(turns) turn) float64 {
		return median(rounds, func(t turns) float64 { return figure(contender(t)) })
	}
	r.Measured = of(func(t turns) turn { return t.controller })
	r.Earlier = of(func(t turns) turn { return t.earlier })
	r.Bare = of(func(t turns) turn { return t.bare })
	r.Floor = of(func(t turns) turn { return t.floor })
	return r
}

func slowPercentile(percent float64) func(turn) float64 {
	return func(t turn) float64 { return ms(percentile(t.slow.took, percent)) }
}

func (b *bench) slowRows(rounds []turns) []row {
	name := fmt.Sprintf("change of readiness, %d a second", slowRate)
	of := fmt.Sprintf("median of %d rounds", len(rounds))
	changes := b.options.size.flips
	written := row{Part: partWrites, Name: fmt.Sprintf("writes of %d changes", changes), Unit: writes, Goal: equal(),
		Note: "each change is in a different slice, or long after the previous one"}.
		compare(rounds, func(t turn) float64 { return float64(t.slow.writes) })
	written.Bare, written.Floor = float64(changes), 0
	return []row{
		row{Part: partChurn, Name: name + ", p50", Unit: milliseconds, Goal: timesFloor(1.15), Note: of}.compare(rounds, slowPercentile(50)),
		row{Part: partChurn, Name: name + ", p99", Unit: milliseconds, Goal: timesFloor(1.3), Note: of}.compare(rounds, slowPercentile(99)),
		row{Part: partChurn, Name: "CPU time of a change", Unit: milliseconds, Goal: timesFloor(1.3), Note: of}.
			compare(rounds, func(t turn) float64 { return ms(t.slow.cpuTime) }),
		written,
	}
}

func fastRow(rounds []turns, rate float64) row {
	of := func(figure func(watched) float64) func(turns) float64 {
		return func(t turns) float64 { return figure(t.controller.fast[rate]) }
	}
	bare := func(figure func(watched) float64) func(turns) float64 {
		return func(t turns) float64 { return figure(t.bare.fast[rate]) }
	}
	p50 := func(w watched) float64 { return ms(percentile(w.took, 50)) }
	acknowledged := func(w watched) float64 { return w.rate }
	return row{
		Part: partBurst, Name: fmt.Sprintf("change of readiness, %.0f a second, p99", rate), Unit: milliseconds, Goal: ratioAtMost(1.3),
		Note: fmt.Sprintf("p50 %.1f ms, bare %.1f ms; %.0f a second were acknowledged, bare %.0f; %.0f writes for %d changes; up to %.0f Services queued; all published %.0f ms after the last; CPU time of a change %.2f ms; medians of %d rounds",
			median(rounds, of(p50)), median(rounds, bare(p50)), median(rounds, of(acknowledged)), median(rounds, bare(acknowledged)),
			median(rounds, of(func(w watched) float64 { return float64(w.writes) })), len(rounds[0].controller.fast[rate].took),
			median(rounds, of(func(w watched) float64 { return w.deepest })),
			median(rounds, of(func(w watched) float64 { return ms(w.tail) })),
			median(rounds, of(func(w watched) float64 { return ms(w.cpuTime) })), len(rounds)),
	}.compare(rounds, func(t turn) float64 { return ms(percentile(t.fast[rate].took, 99)) })
}

// memoryRow is the memory after all changes.
func (b *bench) memoryRow(rounds []turns) row {
	const mebibyte = 1 << 20
	files := median(rounds, func(t turns) float64 { return t.controller.used.files })
	peak := median(rounds, func(t turns) float64 { return t.controller.used.peak })
	return row{
		Part: partMemory, Name: fmt.Sprintf("resident memory, %d workloads", b.options.size.churn.total()), Unit: mebibytes, Goal: timesFloor(1.5),
		Note: fmt.Sprintf("%.0f MiB of it are pages of files, mostly the program itself; peak %.0f MiB", files/mebibyte, peak/mebibyte),
	}.compare(rounds, func(t turn) float64 { return t.used.resident / mebibyte })
}

package desired

import (
	"cmp"
	"slices"
	"strings"
)

// dropDuplicates leaves, of endpoints that stand for the same address and
// port, only the first by rank, and skips the others. The usual case, in which
// every address is there once, costs one pass and no memory of its own.
func (s *State) dropDuplicates(f *Family) {
	contested := s.contestedEndpoints(f)
	if len(contested) == 0 {
		return
	}
	slices.SortFunc(contested, func(i, j int32) int {
		return compareRank(&f.Endpoints[i], &f.Endpoints[j])
	})
	dropped := make(map[int32]bool)
	run := 0 // where the endpoints with the current address begin
	for at, i := range contested {
		if f.Endpoints[contested[run]].Address != f.Endpoints[i].Address {
			run = at
		}
		for _, winner := range contested[run:at] {
			if !dropped[winner] && f.sameListener(i, winner) {
				dropped[i] = true
				s.Skipped = append(s.Skipped, Skip{
					Workload: f.Endpoints[i].Workload, Reason: ReasonDuplicateAddress, Family: f.AddressType,
					Other: f.Endpoints[winner].Workload, service: s.Service,
				})
				break
			}
		}
	}
	kept := f.Endpoints[:0]
	for i := range f.Endpoints {
		if !dropped[int32(i)] {
			kept = append(kept, f.Endpoints[i])
		}
	}
	f.Endpoints = kept
}

func (f *Family) sameListener(i, j int32) bool {
	a, b := &f.Endpoints[i], &f.Endpoints[j]
	return a.Address == b.Address && f.Groups[a.Group].Overlaps(f.Groups[b.Group])
}

// compareRank orders endpoints of one address: ready and not being deleted
// before others, then the oldest, then by name.
func compareRank(a, b *Endpoint) int {
	return cmp.Or(
		strings.Compare(a.Address, b.Address),
		cmp.Compare(rank(a), rank(b)),
		a.Workload.created.Compare(b.Workload.created),
		strings.Compare(a.Workload.Name, b.Workload.Name),
	)
}

func rank(e *Endpoint) int {
	if e.Serving && !e.Terminating {
		return 0
	}
	return 1
}

// contestedEndpoints gives the indexes of all endpoints whose address another
// endpoint has too.
func (s *State) contestedEndpoints(f *Family) []int32 {
	c := &s.scratch
	c.byAddress, c.contested = emptied(c.byAddress, len(f.Endpoints)), c.contested[:0]
	for i := range f.Endpoints {
		address := f.Endpoints[i].Address
		if first, known := c.byAddress[address]; known {
			c.contested = append(c.contested, first, int32(i))
		} else {
			c.byAddress[address] = int32(i)
		}
	}
	slices.Sort(c.contested)
	return slices.Compact(c.contested)
}

// emptied gives an empty map for a number of entries: the given one, unless it
// held many more, since emptying a map takes as long as it once was large.
func emptied[K comparable, V any](m map[K]V, count int) map[K]V {
	if m == nil || len(m) > 64+4*count {
		return map[K]V{}
	}
	clear(m)
	return m
}

package desired

import (
	"cmp"
	"slices"
	"strings"
)

// dropDuplicates keeps only the first by rank of endpoints with the same address and
// port, and skips the others. Without duplicates, the usual case, it costs one pass and
// no memory.
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

// compareRank orders endpoints of one address: first those of ready workloads that are not
// terminating or withheld, then by age, oldest first, then by name.
func compareRank(a, b *Endpoint) int {
	return cmp.Or(
		strings.Compare(a.Address, b.Address),
		cmp.Compare(rank(a), rank(b)),
		a.Workload.created.Compare(b.Workload.created),
		strings.Compare(a.Workload.Name, b.Workload.Name),
	)
}

func rank(e *Endpoint) int {
	if e.Serving && !e.Withheld && !e.Terminating {
		return 0
	}
	return 1
}

// contestedEndpoints returns the indexes of all endpoints whose address another
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

// emptied returns an empty map with room for n entries. It reuses the given map, unless
// that held many more: clearing a map takes time in proportion to its largest size.
func emptied[K comparable, V any](m map[K]V, count int) map[K]V {
	if m == nil || len(m) > 64+4*count {
		return map[K]V{}
	}
	clear(m)
	return m
}

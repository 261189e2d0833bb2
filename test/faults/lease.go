package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WritesWithoutLease returns the writes of an instance while another one held the Lease of
// that name. It uses the writes that the proxies recorded: every change of the Lease must
// have passed one of them.
//
// The order of writes with a resourceVersion is exact: etcd numbers the writes of all
// resources in one sequence. A write without one, such as a deletion, counts only if it
// began after the answer to the other instance's acquisition of the Lease.
func WritesWithoutLease(lease string, controllers ...*Controller) []string {
	terms := termsOf(lease, controllers)
	var wrong []string
	for _, controller := range controllers {
		for _, write := range controller.Proxy.Writes() {
			if !write.Succeeded() || !needsLease(write) {
				continue
			}
			if holder := holderAt(terms, write); !BelongsTo(holder, controller.Name) {
				wrong = append(wrong, fmt.Sprintf("%s: %s of %s %s/%s (resourceVersion %s) while %q held the Lease",
					controller.Name, write.Verb, write.Resource, write.Namespace, write.Name, write.After, holder))
			}
		}
	}
	return wrong
}

// termsOf returns the holders of the Lease, one entry for each change.
func termsOf(lease string, controllers []*Controller) []term {
	var terms []term
	for _, controller := range controllers {
		for _, write := range controller.Proxy.Writes() {
			if held := write.Lease; held != nil && held.Name == lease && write.Succeeded() && held.Spec.HolderIdentity != nil {
				terms = append(terms, term{holder: *held.Spec.HolderIdentity, version: version(write.After), known: write.Ended})
			}
		}
	}
	slices.SortFunc(terms, func(a, b term) int { return cmp.Compare(a.version, b.version) })
	return slices.CompactFunc(terms, func(a, b term) bool { return a.holder == b.holder })
}

// term is the period in which an instance held the Lease, from its first write of it.
type term struct {
	holder  string
	version int64
	known   time.Time
}

// holderAt returns the holder of the Lease when the write took effect; empty if there was
// none, as before the first election and after a release.
func holderAt(terms []term, write Write) string {
	at := version(write.After)
	holder := ""
	for _, t := range terms {
		if (at != 0 && t.version > at) || (at == 0 && t.known.After(write.Started)) {
			break
		}
		holder = t.holder
	}
	return holder
}

// BelongsTo reports whether a holder of a Lease is the instance of that name. An elector may
// add a suffix after a separator, so that two instances with one name differ.
func BelongsTo(holder, name string) bool {
	rest, ok := strings.CutPrefix(holder, name)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], "_-/"))
}

// needsLease reports whether a write needs the Lease: all do but those of Leases, Events and
// reviews.
func needsLease(write Write) bool {
	return write.Resource == "endpointslices" || write.Resource == "externalworkloads"
}

func version(text string) int64 {
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return number
}

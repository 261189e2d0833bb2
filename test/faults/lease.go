package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// WritesWithoutLease names the writes that an instance did while another one
// held the Lease of that name, by the writes that the proxies recorded. Every
// change of the Lease must have come through one of them.
//
// A write that has a resourceVersion is placed exactly: etcd counts all writes
// of all resources in one row. One without, such as a deletion, counts only if it was
// begun after the answer to the other's taking of the Lease.
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

// termsOf returns who held the Lease from when on, one entry for each change.
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

// term is the time in which one instance held the Lease, from its first write of it.
type term struct {
	holder  string
	version int64
	known   time.Time
}

// holderAt returns who held the Lease when the write took effect; empty if nobody
// did, as before the first election and after a release.
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

// BelongsTo reports whether a holder of a Lease is the instance of that name. It knows that an elector may add something to its name after a
// separator, so that two with one name differ.
func BelongsTo(holder, name string) bool {
	rest, ok := strings.CutPrefix(holder, name)
	return ok && (rest == "" || strings.ContainsAny(rest[:1], "_-/"))
}

// needsLease leaves out what is not published state: Leases, Events and reviews.
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

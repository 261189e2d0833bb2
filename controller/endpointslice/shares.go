package endpointslice

import (
	"hash/maphash"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// maxShares is the maximum number of shared values of each kind, so that unique values
// do not accumulate.
const maxShares = 4096

// shares makes equal parts of cached objects share memory: the decoder allocates every
// text and map of each object, and a fleet of machines has few distinct labels. They
// are safe for concurrent use.
type shares struct {
	mu     sync.Mutex
	seed   maphash.Seed
	texts  map[string]*string
	labels map[uint64]map[string]string
	// addresses are keyed by the first of them, targets by their UID.
	addresses map[string][]string
	targets   map[types.UID]*corev1.ObjectReference
}

func newShares() *shares {
	return &shares{
		seed: maphash.MakeSeed(), texts: map[string]*string{}, labels: map[uint64]map[string]string{},
		addresses: map[string][]string{}, targets: map[types.UID]*corev1.ObjectReference{},
	}
}

// shared returns the stored value of the key if it equals this one; otherwise it stores
// and returns this one.
func shared[K comparable, V any](s *shares, known map[K]V, key K, value V, equal func(a, b V) bool) V {
	s.mu.Lock()
	defer s.mu.Unlock()
	if before, found := known[key]; found && equal(before, value) {
		return before
	}
	if len(known) >= maxShares {
		clear(known)
	}
	known[key] = value
	return value
}

// text returns a shared copy of a text. It is for texts that recur.
func (s *shares) text(text string) string {
	if text == "" {
		return ""
	}
	s.mu.Lock()
	known, found := s.texts[text]
	s.mu.Unlock()
	if found {
		return *known
	}
	recurring := text // so that only a new text is put on the heap
	return *s.pointer(&recurring)
}

// pointer returns a pointer to a shared text, which nobody may change.
func (s *shares) pointer(text *string) *string {
	if text == nil {
		return nil
	}
	return shared(s, s.texts, *text, text, equalTexts)
}

func equalTexts(a, b *string) bool { return *a == *b }

// labelsOf returns shared labels, which nobody may change.
func (s *shares) labelsOf(labels map[string]string) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	// The order of iteration over the map must not matter.
	var sum uint64
	for key, value := range labels {
		sum += maphash.Comparable(s.seed, label{key, value})
	}
	return shared(s, s.labels, sum, labels, maps.Equal)
}

// addressesOf returns shared addresses, which nobody may change: a machine is in a
// slice of every Service that selects it.
func (s *shares) addressesOf(addresses []string) []string {
	if len(addresses) == 0 {
		return addresses
	}
	return shared(s, s.addresses, addresses[0], addresses, slices.Equal)
}

// targetOf returns a shared reference, which nobody may change.
func (s *shares) targetOf(target *corev1.ObjectReference) *corev1.ObjectReference {
	return shared(s, s.targets, target.UID, target, equalTargets)
}

func equalTargets(a, b *corev1.ObjectReference) bool { return *a == *b }

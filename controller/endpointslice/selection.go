package endpointslice

import (
	"slices"
	"strconv"
	"strings"

	"k8s.io/client-go/tools/cache"
)

// choose assigns a Service the selection of its selector. A Service without selector
// has none.
func (n *namespace) choose(s *service) {
	if len(s.object.Spec.Selector) == 0 {
		return
	}
	text := selectorText(s.object.Spec.Selector)
	chosen := n.selections[text]
	if chosen == nil {
		chosen = &selection{selector: s.object.Spec.Selector}
		n.selections[text] = chosen
		n.post(chosen)
		n.findMembers(chosen)
	}
	key := cache.MetaObjectToName(s.object)
	at, _ := slices.BinarySearchFunc(chosen.services, key, byName)
	chosen.services = slices.Insert(chosen.services, at, key)
	s.selection = chosen
}

// unselect removes a Service from its selection, and removes a selection without
// Services.
func (n *namespace) unselect(s *service) {
	old := s.selection
	if old == nil {
		return
	}
	s.selection = nil
	at, _ := slices.BinarySearchFunc(old.services, cache.MetaObjectToName(s.object), byName)
	old.services = slices.Delete(old.services, at, at+1)
	if len(old.services) > 0 {
		return
	}
	for _, w := range old.members {
		w.selections = slices.DeleteFunc(w.selections, func(other *selection) bool { return other == old })
	}
	remove(n.selecting, old.postedAt, old)
	delete(n.selections, selectorText(old.selector))
}

// post adds a selection to the shortest of the posting lists of its labels, so that a
// label that many selectors require does not lead to all of them.
func (n *namespace) post(s *selection) {
	for _, l := range sortedLabels(s.selector) {
		if s.postedAt == (label{}) || len(n.selecting[l]) < len(n.selecting[s.postedAt]) {
			s.postedAt = l
		}
	}
	add(n.selecting, s.postedAt, s)
}

// findMembers finds a new selection's workloads among those that have the rarest of its
// labels.
func (n *namespace) findMembers(s *selection) {
	var rarest map[*workload]struct{}
	for i, l := range sortedLabels(s.selector) {
		if list := n.labelled[l]; i == 0 || len(list) < len(rarest) {
			rarest = list
		}
	}
	for w := range rarest {
		if s.selects(w.labels) {
			s.members = append(s.members, w)
			w.selections = append(w.selections, s)
		}
	}
	slices.SortFunc(s.members, func(a, b *workload) int { return strings.Compare(a.digest.Name, b.digest.Name) })
}

// selects reports whether labels match the whole selector.
func (s *selection) selects(labels map[string]string) bool {
	for key, value := range s.selector {
		if have, ok := labels[key]; !ok || have != value {
			return false
		}
	}
	return true
}

// relabel sets new labels of a workload and updates its selections.
func (n *namespace) relabel(w *workload, labels map[string]string) {
	for key, value := range w.labels {
		if now, ok := labels[key]; !ok || now != value {
			remove(n.labelled, label{key, value}, w)
		}
	}
	for key, value := range labels {
		if before, ok := w.labels[key]; !ok || before != value {
			add(n.labelled, label{key, value}, w)
		}
	}
	w.labels = labels

	var now []*selection
	for key, value := range labels {
		for s := range n.selecting[label{key, value}] {
			if s.selects(labels) {
				now = append(now, s)
			}
		}
	}
	before := w.selections
	w.selections = now
	for _, s := range without(now, before) {
		at, _ := s.position(w)
		s.members = slices.Insert(s.members, at, w)
	}
	for _, s := range without(before, now) {
		at, _ := s.position(w)
		s.members = slices.Delete(s.members, at, at+1)
	}
}

func (s *selection) position(w *workload) (int, bool) {
	return slices.BinarySearchFunc(s.members, w.digest.Name, func(m *workload, name string) int {
		return strings.Compare(m.digest.Name, name)
	})
}

// sortedLabels returns a selector's requirements in a deterministic order.
func sortedLabels(selector map[string]string) []label {
	labels := make([]label, 0, len(selector))
	for key, value := range selector {
		labels = append(labels, label{key, value})
	}
	slices.SortFunc(labels, func(a, b label) int { return strings.Compare(a.key, b.key) })
	return labels
}

// selectorText returns the same text for equal selectors.
func selectorText(selector map[string]string) string {
	var b strings.Builder
	for _, l := range sortedLabels(selector) {
		b.WriteString(strconv.Quote(l.key))
		b.WriteString(strconv.Quote(l.value))
	}
	return b.String()
}

// add and remove update posting lists, of which none is empty.
func add[T comparable](lists map[label]map[T]struct{}, at label, value T) {
	list := lists[at]
	if list == nil {
		list = make(map[T]struct{}, 1)
		lists[at] = list
	}
	list[value] = struct{}{}
}

func remove[T comparable](lists map[label]map[T]struct{}, at label, value T) {
	list := lists[at]
	delete(list, value)
	if len(list) == 0 {
		delete(lists, at)
	}
}

package schedule

// fifo is a queue.
type fifo[T any] struct {
	items []T
	head  int
}

func (f *fifo[T]) len() int { return len(f.items) - f.head }

func (f *fifo[T]) push(added T) { f.items = append(f.items, added) }

// pop removes the first item of a non-empty queue. It reuses the space of removed items
// once they are the larger half.
func (f *fifo[T]) pop() T {
	var none T
	first := f.items[f.head]
	f.items[f.head] = none
	f.head++
	if f.head*2 >= len(f.items) {
		rest := copy(f.items, f.items[f.head:])
		clear(f.items[rest:])
		f.items, f.head = f.items[:rest], 0
	}
	return first
}

// namespaceQueue holds due entries that wait for capacity. Namespaces take turns, so
// that none waits for the many entries of another.
type namespaceQueue struct {
	place    place
	entries  map[string]*fifo[*entry]
	rotation fifo[string]
}

func newNamespaceQueue(place place) *namespaceQueue {
	return &namespaceQueue{place: place, entries: map[string]*fifo[*entry]{}}
}

func (q *namespaceQueue) push(added *entry) {
	added.place = q.place
	of := q.entries[added.key.Namespace]
	if of == nil {
		of = &fifo[*entry]{}
		q.entries[added.key.Namespace] = of
		q.rotation.push(added.key.Namespace)
	}
	of.push(added)
}

// pop removes the first entry of the next namespace that may start a run; nil if there
// is none. A skipped namespace keeps its entries.
func (q *namespaceQueue) pop(may func(namespace string) bool) *entry {
	for range q.rotation.len() {
		namespace := q.rotation.pop()
		if !may(namespace) {
			q.rotation.push(namespace)
			continue
		}
		of := q.entries[namespace]
		next := q.firstOf(of)
		if of.len() == 0 {
			delete(q.entries, namespace)
		} else {
			q.rotation.push(namespace)
		}
		if next != nil {
			return next
		}
	}
	return nil
}

// firstOf removes the first entry that is still in this queue; nil if there is none.
func (q *namespaceQueue) firstOf(of *fifo[*entry]) *entry {
	for of.len() > 0 {
		if next := of.pop(); next.place == q.place {
			return next
		}
	}
	return nil
}

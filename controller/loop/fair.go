package loop

import "k8s.io/client-go/tools/cache"

// fairQueue is the order in which keys wait: the namespaces take turns, and
// within a namespace it is first come, first served. So a namespace with
// thousands of waiting keys delays the key of another by one of its own. The
// work queue that it belongs to guards it with its lock.
type fairQueue struct {
	// waiting holds the keys of each namespace that has any.
	waiting map[string][]cache.ObjectName
	// turns are the namespaces that have keys, in the order of their turns.
	turns []string
	size  int
}

func newFairQueue() *fairQueue {
	return &fairQueue{waiting: map[string][]cache.ObjectName{}}
}

// Touch implements workqueue.Queue: a key that waits keeps its place.
func (q *fairQueue) Touch(cache.ObjectName) {}

// Push implements workqueue.Queue.
func (q *fairQueue) Push(key cache.ObjectName) {
	keys := q.waiting[key.Namespace]
	if len(keys) == 0 {
		q.turns = append(q.turns, key.Namespace)
	}
	q.waiting[key.Namespace] = append(keys, key)
	q.size++
}

// Len implements workqueue.Queue.
func (q *fairQueue) Len() int { return q.size }

// Pop implements workqueue.Queue. It is called only while keys wait.
func (q *fairQueue) Pop() cache.ObjectName {
	namespace := q.turns[0]
	q.turns = q.turns[1:]
	keys := q.waiting[namespace]
	if len(keys) == 1 {
		delete(q.waiting, namespace)
	} else {
		q.waiting[namespace] = keys[1:]
		q.turns = append(q.turns, namespace)
	}
	q.size--
	return keys[0]
}

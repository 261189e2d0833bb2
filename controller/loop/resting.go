package loop

import "time"

// rest records that a namespace has no keys left.
func (q *namespaceQueue) rest(name string, n *namespace, now time.Time) {
	n.restingSince = now
	if !n.listed {
		n.listed = true
		q.resting = append(q.resting, visit{name, now})
	}
	q.forgetRested(now)
}

// forgetRested removes the namespaces that have had no key for so long that their whole
// burst is available again.
func (q *namespaceQueue) forgetRested(now time.Time) {
	for len(q.resting) > 0 && now.Sub(q.resting[0].at) >= startBurst/startRate*time.Second {
		first := q.resting[0]
		q.resting = q.resting[1:]
		n := q.namespaces[first.namespace]
		switch {
		case n.restingSince.IsZero():
			n.listed = false
		case n.restingSince.Equal(first.at):
			delete(q.namespaces, first.namespace)
		default:
			q.resting = append(q.resting, visit{first.namespace, n.restingSince})
		}
	}
}

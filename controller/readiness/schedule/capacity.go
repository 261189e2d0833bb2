package schedule

import "fmt"

// Capacity is what all runs share, such as bytes of memory.
type Capacity struct {
	// Total is what all runs take together at most.
	Total int64
	// Largest is what one run takes at most.
	Largest int64
}

func (c Capacity) validate() error {
	if c.Largest < 1 || c.Total < c.Largest {
		return fmt.Errorf("the capacity of %d has no room for a run of %d", c.Total, c.Largest)
	}
	return nil
}

// cost returns what a plan takes. What is not known, or out of bounds, counts as the
// largest.
func (c Capacity) cost(plan Plan) int64 {
	if plan.Cost < 1 || plan.Cost > c.Largest {
		return c.Largest
	}
	return plan.Cost
}

// usage is how much of a capacity is in use, so that no namespace takes all of it.
type usage struct {
	capacity    Capacity
	used        int64
	byNamespace map[string]int64
}

func newUsage(capacity Capacity) usage {
	return usage{capacity: capacity, byNamespace: map[string]int64{}}
}

// hasRoom reports whether any run may start. It does not depend on the cost of that
// run: if cheap runs could fill what is left, costly ones would never start.
func (u *usage) hasRoom() bool { return u.free() >= u.capacity.Largest }

// mayStart reports whether another run of a namespace may start: it gets no more than
// it leaves free. One gets half of all while it is alone; where runs hang, each
// further one halves what is left for the next.
func (u *usage) mayStart(namespace string) bool {
	return u.hasRoom() && u.byNamespace[namespace]+u.capacity.Largest <= u.free()
}

func (u *usage) free() int64 { return u.capacity.Total - u.used }

// add counts what a namespace takes or, if it is negative, gives back.
func (u *usage) add(namespace string, cost int64) {
	u.used += cost
	if u.byNamespace[namespace] += cost; u.byNamespace[namespace] == 0 {
		delete(u.byNamespace, namespace)
	}
}

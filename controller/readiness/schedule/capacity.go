package schedule

import "fmt"

// Capacity is a resource that all runs share, such as bytes of memory.
type Capacity struct {
	// Total is the maximum of all concurrent runs together.
	Total int64
	// Largest is the maximum of one run.
	Largest int64
}

func (c Capacity) validate() error {
	if c.Largest < 1 || c.Total < c.Largest {
		return fmt.Errorf("the capacity of %d has no room for a run of %d", c.Total, c.Largest)
	}
	return nil
}

// cost returns the cost of a plan. Unknown and invalid costs count as the largest.
func (c Capacity) cost(plan Plan) int64 {
	if plan.Cost < 1 || plan.Cost > c.Largest {
		return c.Largest
	}
	return plan.Cost
}

// usage is the used part of a capacity, by namespace.
type usage struct {
	capacity    Capacity
	used        int64
	byNamespace map[string]int64
}

func newUsage(capacity Capacity) usage {
	return usage{capacity: capacity, byNamespace: map[string]int64{}}
}

// hasRoom reports whether any run may start. It ignores the cost of that run: if cheap
// runs could use the rest, expensive ones would never start.
func (u *usage) hasRoom() bool { return u.free() >= u.capacity.Largest }

// mayStart reports whether another run of a namespace may start: a namespace gets at
// most as much as it leaves free. One gets half of the capacity while it is alone; if
// its runs hang, each further namespace gets half of the rest.
func (u *usage) mayStart(namespace string) bool {
	return u.hasRoom() && u.byNamespace[namespace]+u.capacity.Largest <= u.free()
}

func (u *usage) free() int64 { return u.capacity.Total - u.used }

// add adds to the usage of a namespace; a negative amount is released.
func (u *usage) add(namespace string, cost int64) {
	u.used += cost
	if u.byNamespace[namespace] += cost; u.byNamespace[namespace] == 0 {
		delete(u.byNamespace, namespace)
	}
}

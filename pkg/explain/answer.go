package explain

import (
	discoveryv1 "k8s.io/api/discovery/v1"
)

// Result is the outcome of a check.
type Result string

// The results of a check.
const (
	// OK: the check is passed.
	OK Result = "ok"
	// No: the check keeps the workload from being served.
	No Result = "no"
	// Wait: the controller is expected to pass the check by its next writes.
	Wait Result = "wait"
	// Note: the check is passed in part, or does not matter for this Service.
	Note Result = "note"
)

// The names of the checks, in their order.
const (
	CheckSelector  = "selector"
	CheckObject    = "object"
	CheckPorts     = "ports"
	CheckAddress   = "address"
	CheckDuplicate = "duplicate"
	CheckDraining  = "draining"
	CheckReadiness = "readiness"
	CheckSlice     = "slice"
	CheckStep      = "step"
	CheckWriters   = "writers"
)

// Check is one condition that a workload must meet to be served.
type Check struct {
	Name   string `json:"check"`
	Result Result `json:"result"`
	// Family is the address family that the check is about, or empty.
	Family discoveryv1.AddressType `json:"family,omitempty"`
	// Reason is a CamelCase word for the cause of a result other than OK.
	Reason string `json:"reason,omitempty"`
	Detail string `json:"detail"`
	// Fix describes how to fix a failed check.
	Fix string `json:"fix,omitempty"`
}

// Family is the desired and the published state in one address family.
type Family struct {
	Family discoveryv1.AddressType `json:"family"`
	// Skipped is the reason why no endpoint is desired, or empty.
	Skipped string `json:"skipped,omitempty"`
	// Address, Ready, Serving and Terminating are those of the desired endpoint.
	Address     string `json:"address,omitempty"`
	Ready       bool   `json:"ready"`
	Serving     bool   `json:"serving"`
	Terminating bool   `json:"terminating"`
	// Published are the endpoints of the workload in the Service's slices.
	Published []Place `json:"published,omitempty"`
	// Served is true if the desired endpoint is ready and published as ready.
	Served bool `json:"served"`

	// withheld is true if the endpoint is never ready, because the workload has an
	// address of the Service's first family too.
	withheld bool
}

// Place is an endpoint in an EndpointSlice.
type Place struct {
	Slice string `json:"slice"`
	// Position is the endpoint's index in the slice, from 1; Of is the number of its
	// endpoints.
	Position int    `json:"position"`
	Of       int    `json:"of"`
	Address  string `json:"address"`
	Ready    bool   `json:"ready"`

	ports string
}

// Answer says whether one Service serves one workload, and why.
type Answer struct {
	Service  string `json:"service"`
	Workload string `json:"workload"`
	// Served is true if the workload gets traffic in at least one family.
	Served   bool     `json:"served"`
	Families []Family `json:"families,omitempty"`
	Checks   []Check  `json:"checks"`
	// Limits are properties that limit which clients reach the workload.
	Limits []Limit `json:"limits,omitempty"`
}

// Limit is a property that limits which clients reach a served workload.
type Limit struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

// Cause returns the first check that keeps the workload from being served; nil if it
// is served.
func (a *Answer) Cause() *Check {
	if a.Served {
		return nil
	}
	for _, result := range []Result{No, Wait} {
		for i := range a.Checks {
			if a.Checks[i].Result == result {
				return &a.Checks[i]
			}
		}
	}
	return nil
}

// Reason returns the reason of the cause, or Served. NotServed means that no check found
// the cause.
func (a *Answer) Reason() string {
	if a.Served {
		return "Served"
	}
	if cause := a.Cause(); cause != nil {
		return cause.Reason
	}
	return "NotServed"
}

// Workload is the answer for one workload: whether each Service that selects it serves
// it.
type Workload struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Served is true if all Services asked for serve the workload.
	Served bool `json:"served"`
	// State is the workload's own state.
	State   State    `json:"state"`
	Answers []Answer `json:"services"`
	// Nearest is the answer for the Service whose selector differs least, if no Service
	// selects the workload.
	Nearest *Answer `json:"nearest,omitempty"`
	// Contradictions describe where the slices contradict the given options.
	Contradictions []string `json:"contradictions,omitempty"`
}

// Service is the answer for one Service: whether it serves each workload that it
// selects.
type Service struct {
	Namespace string   `json:"namespace"`
	Name      string   `json:"name"`
	Served    int      `json:"served"`
	Answers   []Answer `json:"workloads"`
	States    []State  `json:"states"`
	Limits    []Limit  `json:"limits,omitempty"`
	// Problem is the reason why the Service serves no workload at all, or empty.
	Problem        string   `json:"problem,omitempty"`
	Contradictions []string `json:"contradictions,omitempty"`
}

package faults

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
)

// Rule says which requests get which fault. The first matching rule that is not used up
// applies.
type Rule struct {
	// Name is the key of the rule's hits. It is required.
	Name  string
	Match Match
	Fault Fault
	// Times is the maximum number of requests that get the fault; 0 means all of them.
	Times int
	// Probability is the probability that a matching request gets the fault; 0 means always.
	Probability float64
}

// Match selects requests. An empty field matches everything.
type Match struct {
	// Verbs as the API server names them: get, list, watch, create, update,
	// patch, delete, deletecollection.
	Verbs       []string
	Resources   []string
	Subresource string
	Namespace   string
	Name        string
}

// Fault is what happens to a request. The fields apply in this order: Delay, Reset, Status
// and Rewrite before the request is forwarded, then LostReply, SlowReply, and for watches
// Stall, Hold and Duplicate.
type Fault struct {
	// Delay before anything else happens.
	Delay time.Duration
	// Reset the client's connection, all its other requests included; the
	// request is not forwarded.
	Reset bool
	// Status to answer with; the request is not forwarded.
	Status int
	// RetryAfter is sent with Status, in whole seconds.
	RetryAfter time.Duration
	// Rewrite changes the object that the client sends.
	Rewrite func(runtime.Object)
	// LostReply forwards the request and drops the answer.
	LostReply LostReply
	// SlowReply is how long the answer's body takes; it comes in small pieces.
	SlowReply time.Duration
	// Stall keeps a watch open without sending a byte until the rules change or the API
	// server ends it.
	Stall bool
	// Hold delays a watch's events, in order, until the rules change or the API server ends
	// it. Bookmarks before them pass.
	Hold bool
	// Duplicate sends each event of a watch twice.
	Duplicate bool
}

// LostReply is a way in which the answer to a successful request is lost.
type LostReply string

// The ways in which an answer is lost.
const (
	// ReplyReset resets the client's connection.
	ReplyReset LostReply = "reset"
	// ReplyTimeout answers 504.
	ReplyTimeout LostReply = "timeout"
	// ReplyNever sends no answer until the client gives up.
	ReplyNever LostReply = "never"
)

// Writes matches every request that changes something.
func Writes(resources ...string) Match {
	return Match{Verbs: []string{"create", "update", "patch", "delete"}, Resources: resources}
}

// Watches matches every watch.
func Watches(resources ...string) Match {
	return Match{Verbs: []string{"watch"}, Resources: resources}
}

func (m Match) matches(r request) bool {
	return (len(m.Verbs) == 0 || slices.Contains(m.Verbs, r.Verb)) &&
		(len(m.Resources) == 0 || slices.Contains(m.Resources, r.Resource)) &&
		(m.Subresource == "" || m.Subresource == r.Subresource) &&
		(m.Namespace == "" || m.Namespace == r.Namespace) &&
		(m.Name == "" || m.Name == r.Name)
}

// ruleSet is a set of rules with the number of hits of each.
type ruleSet struct {
	rules []Rule
	used  []int
	// over is closed when another ruleSet replaces it.
	over chan struct{}
}

func newRuleSet(rules []Rule) *ruleSet {
	return &ruleSet{rules: rules, used: make([]int, len(rules)), over: make(chan struct{})}
}

// choose returns the fault for a request. draw returns a random number in [0, 1).
func (s *ruleSet) choose(r request, draw func() float64) (Rule, bool) {
	for i, rule := range s.rules {
		if !rule.Match.matches(r) || (rule.Times > 0 && s.used[i] >= rule.Times) {
			continue
		}
		if rule.Probability > 0 && draw() >= rule.Probability {
			continue
		}
		s.used[i]++
		return rule, true
	}
	return Rule{}, false
}

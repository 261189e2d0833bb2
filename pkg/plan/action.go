package plan

// Action is what a plan does with an endpoint.
type Action uint8

// The actions.
const (
	// Keep: it does not change, because it is as desired or has to wait for something
	// else.
	Keep Action = iota
	// Set: it changes to the desired values in place.
	Set
	// Publish: it changes to the desired values and starts to get traffic.
	Publish
	// Announce: it changes to the desired values, but without zone hint. Linkerd's
	// destination service announces an endpoint whose hints change again, with its
	// current identity.
	Announce
	// Withdraw: it stays, but becomes not ready.
	Withdraw
	// Remove: it is removed from the slice.
	Remove
)

var actionTexts = [...]string{Keep: "keep", Set: "set", Publish: "publish", Announce: "announce", Withdraw: "withdraw", Remove: "remove"}

func (a Action) String() string { return actionTexts[a] }

// Reason is the reason for an action or for the write of a slice.
type Reason uint8

// The reasons.
const (
	AsDesired Reason = iota
	New
	BecameReady
	BecameUnready
	PropertiesChanged
	AddressChanged
	IdentityChanged
	PortsChanged
	NotDesired
	BelongsElsewhere
	AddressRefused
	PublishedTwice
	LostWithAnother
	ReplacesAnother
	MetadataChanged
	Empty

	// The reasons why an endpoint waits for a later step, and AwaitsRecovery and
	// Settling for a later time.
	firstWaiting
	AwaitsRecovery
	Settling
	AwaitsWithdrawal
	AwaitsOwnWrite
	AwaitsCopy
	AwaitsPorts
	AwaitsRoom
)

var reasonTexts = [...]string{
	AsDesired:         "as desired",
	New:               "newly desired",
	BecameReady:       "ready now",
	BecameUnready:     "not ready any more",
	PropertiesChanged: "properties changed",
	AddressChanged:    "address changed",
	IdentityChanged:   "identity changed",
	PortsChanged:      "the slice's ports change",
	NotDesired:        "not desired any more",
	BelongsElsewhere:  "belongs in another slice",
	AddressRefused:    "the API server refuses its address",
	PublishedTwice:    "published in several places",
	LostWithAnother:   "clients lose it together with another endpoint",
	ReplacesAnother:   "takes the place of an endpoint of another slice",
	MetadataChanged:   "labels or owner changed",
	Empty:             "empty",
	AwaitsRecovery:    "waits until consumers have listed again after an interruption of watches",
	Settling:          "waits until consumers know the workload",
	AwaitsWithdrawal:  "waits for the withdrawal of the endpoint that it replaces",
	AwaitsOwnWrite:    "waits for the other changes of its slice",
	AwaitsCopy:        "waits for the withdrawal of its other copy",
	AwaitsPorts:       "waits for the ports of its slice",
	AwaitsRoom:        "does not fit into its slice, which holds more than the API server accepts",
}

func (r Reason) String() string { return reasonTexts[r] }

// waits reports whether another step follows for this reason.
func (r Reason) waits() bool { return r > Settling }

package plan

// Action is what becomes of an endpoint.
type Action uint8

// The actions.
const (
	// Keep: it stays as it is, because it is as desired or because something
	// else has to happen first.
	Keep Action = iota
	// Set: it becomes what is desired, in place.
	Set
	// Publish: it becomes what is desired and so begins to get traffic.
	Publish
	// Announce: it becomes what is desired, but without zone hint. Linkerd tells
	// its clients of an endpoint whose hints change, with its present identity.
	Announce
	// Withdraw: it stays, but not ready.
	Withdraw
	// Remove: it leaves the slice.
	Remove
)

var actionTexts = [...]string{Keep: "keep", Set: "set", Publish: "publish", Announce: "announce", Withdraw: "withdraw", Remove: "remove"}

func (a Action) String() string { return actionTexts[a] }

// Reason says why an action was chosen, or why a slice is written.
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

	// The reasons for which an endpoint has to wait for a later step, and
	// AwaitsRecovery and Settling for a later time.
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

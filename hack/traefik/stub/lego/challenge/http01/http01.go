// Package http01 has the options of a challenge that is never made.
package http01

import "time"

// PathPrefix begins the path of a challenge.
const PathPrefix = "/.well-known/acme-challenge/"

// ChallengeOption changes nothing.
type ChallengeOption struct{}

// SetDelay changes nothing.
func SetDelay(time.Duration) ChallengeOption { return ChallengeOption{} }

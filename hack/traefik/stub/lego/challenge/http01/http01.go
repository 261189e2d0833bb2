// Package http01 contains the options of the lego stub's HTTP challenge, which never runs.
package http01

import "time"

// PathPrefix is the prefix of a challenge's path.
const PathPrefix = "/.well-known/acme-challenge/"

// ChallengeOption changes nothing.
type ChallengeOption struct{}

// SetDelay changes nothing.
func SetDelay(time.Duration) ChallengeOption { return ChallengeOption{} }

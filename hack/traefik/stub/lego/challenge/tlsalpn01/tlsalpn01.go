// Package tlsalpn01 contains the options of the lego stub's TLS-ALPN challenge, which
// never runs.
package tlsalpn01

import (
	"time"

	"github.com/go-acme/lego/v5/certificate"
)

// ACMETLS1Protocol is the ALPN protocol of a challenge.
const ACMETLS1Protocol = "acme-tls/1"

// ChallengeOption changes nothing.
type ChallengeOption struct{}

// SetDelay changes nothing.
func SetDelay(time.Duration) ChallengeOption { return ChallengeOption{} }

// ChallengeBlocks fails.
func ChallengeBlocks(domain, keyAuth string) (cert, key []byte, err error) {
	return nil, nil, certificate.ErrNoACME
}

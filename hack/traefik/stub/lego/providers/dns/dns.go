// Package dns is the part of the lego stub that would create DNS providers; it has none.
package dns

import (
	"github.com/go-acme/lego/v5/certificate"
	"github.com/go-acme/lego/v5/challenge"
)

// NewDNSChallengeProviderByName fails.
func NewDNSChallengeProviderByName(string) (challenge.Provider, error) {
	return nil, certificate.ErrNoACME
}

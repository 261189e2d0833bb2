// Package challenge contains the interfaces of the lego stub.
package challenge

import (
	"context"
	"time"
)

// Provider presents a challenge.
type Provider interface {
	Present(ctx context.Context, domain, token, keyAuth string) error
	CleanUp(ctx context.Context, domain, token, keyAuth string) error
}

// ProviderTimeout is a Provider with a timeout.
type ProviderTimeout interface {
	Provider
	Timeout() (timeout, interval time.Duration)
}

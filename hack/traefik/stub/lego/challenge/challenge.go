// Package challenge has the interfaces of the stub of lego.
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

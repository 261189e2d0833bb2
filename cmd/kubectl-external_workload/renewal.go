package main

import (
	"context"
	"fmt"
	"time"
)

// maximumRenewalBackoff is the longest time between two requests of a token that
// were refused.
const maximumRenewalBackoff = time.Hour

// renewal is when the machine's token is renewed.
type renewal struct {
	// replaced is true after this process has renewed a token. Its lifetime is then
	// what the API server grants, however short that is.
	replaced bool
	// failure is why the token that expires at failedToken could not be renewed.
	failure     error
	failedToken time.Time
	backoff     time.Duration
	// retryAt is when a token is requested next after a failure.
	retryAt time.Time
}

// due reports whether half of the token's lifetime is over, or whether the token
// is the first one and lives for less time than asked for, as that of an
// invitation does. After a failure it waits, unless there is another token.
func (n *renewal) due(own *credential, lifetime time.Duration, now time.Time) bool {
	if n.failure != nil && !own.Expires.Equal(n.failedToken) {
		n.failure, n.backoff = nil, 0
	}
	isShort := !n.replaced && own.Lifetime() < lifetime
	return (isShort || !now.Before(own.RenewAt())) && (n.failure == nil || !now.Before(n.retryAt))
}

// failed doubles the time until the next request. It leaves several requests for
// the rest of the token's life.
func (n *renewal) failed(err error, own *credential, interval time.Duration, now time.Time) {
	n.failure = fmt.Errorf("cannot renew the token, which expires at %s: %w", own.Expires.UTC().Format(time.RFC3339), err)
	n.failedToken = own.Expires
	n.backoff = max(interval, min(2*n.backoff, maximumRenewalBackoff, own.Expires.Sub(now)/4))
	n.retryAt = now.Add(n.backoff)
}

func (r *registrar) renewIfDue(ctx context.Context, c *clients, own *credential, lifetime time.Duration) {
	if !r.renewal.due(own, lifetime, r.now()) {
		return
	}
	if err := own.renew(ctx, c, lifetime); err != nil {
		r.renewal.failed(err, own, r.flags.interval, r.now())
		return
	}
	r.renewal = renewal{replaced: true}
}
